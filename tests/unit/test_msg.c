/* Messages over a socket pair: everything arrives as sent, and nothing malformed is taken. */
#include "common/msg.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int pair[2];

static int open_pair(void **state)
{
    (void)state;
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair);
}

static int close_pair(void **state)
{
    (void)state;
    close(pair[0]);
    close(pair[1]);
    return 0;
}

static void payload_arrives_as_sent(void **state)
{
    (void)state;
    struct msg_camera_state sent = {.at = {.place = 7, .epoch = 3},
                                    .state = CAMERA_AWAY,
                                    .since_ns = 123,
                                    .why = "connection refused"};
    struct msg msg;
    struct error err;
    assert_int_equal(msg_send(pair[0], MSG_CAMERA_STATE, &sent, -1), 0);
    assert_int_equal(msg_send(pair[0], MSG_READY, NULL, -1), 0);
    assert_int_equal(msg_receive(pair[1], &msg, &err), 1);
    assert_int_equal(msg.type, MSG_CAMERA_STATE);
    assert_memory_equal(&msg.body.state, &sent, sizeof sent);
    assert_int_equal(msg.fd, -1);
    assert_int_equal(msg_receive(pair[1], &msg, &err), 1);
    assert_int_equal(msg.type, MSG_READY);
}

static void descriptor_travels_and_is_the_same_file(void **state)
{
    (void)state;
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    struct msg_index index = {.index = 3};
    struct msg msg;
    struct error err;
    assert_int_equal(msg_send(pair[0], MSG_WAKER, &index, pipes[1]), 0);
    assert_int_equal(msg_receive(pair[1], &msg, &err), 1);
    assert_int_equal(msg.body.index.index, 3);
    assert_true(msg.fd >= 0);
    assert_int_equal(write(msg.fd, "x", 1), 1);
    char c;
    assert_int_equal(read(pipes[0], &c, 1), 1);
    close(msg.fd);
    close(pipes[0]);
    close(pipes[1]);
}

static void end_of_file_and_nothing_yet_are_told_apart(void **state)
{
    (void)state;
    struct msg msg;
    struct error err;
    assert_int_equal(msg_receive(pair[1], &msg, &err), -1);
    assert_int_equal(err.code, EAGAIN);
    shutdown(pair[0], SHUT_RDWR);
    assert_int_equal(msg_receive(pair[1], &msg, &err), 0);
}

static void expect_refused(const void *bytes, size_t size, const char *word)
{
    struct msg msg;
    struct error err;
    assert_int_equal(send(pair[0], bytes, size, 0), (ssize_t)size);
    assert_int_equal(msg_receive(pair[1], &msg, &err), -1);
    assert_int_equal(err.code, EPROTO);
    assert_non_null(strstr(err.text, word));
}

static void malformed_messages_are_refused(void **state)
{
    (void)state;
    struct {
        uint16_t magic, version;
        uint32_t type, length, has_fd;
        uint8_t payload[sizeof(union msg_payload) + 100];
    } raw = {.magic = 0x4d52, .version = 1, .type = MSG_READY};
    expect_refused("x", 1, "not a camring message");
    raw.version = 2;
    expect_refused(&raw, 16, "version 2");
    raw.version = 1;
    raw.type = 999;
    expect_refused(&raw, 16, "unknown message type 999");
    raw.type = MSG_CAMERA_STATE;
    expect_refused(&raw, 16, "wrong size");
    raw.length = sizeof(struct msg_camera_state);
    expect_refused(&raw, 16 + 8, "wrong size");
    expect_refused(&raw, sizeof raw, "wrong size"); /* longer than any message: cut by the kernel */
    raw.type = MSG_WAKER;                           /* needs a descriptor */
    raw.length = sizeof(struct msg_index);
    expect_refused(&raw, 16 + sizeof(struct msg_index), "wrong size");
}

/* What a process that has been taken over sends along must not stay open here. */
static void no_descriptor_is_left_of_a_refused_message(void **state)
{
    (void)state;
    union {
        char space[CMSG_SPACE(4 * sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    char byte = 'x';
    struct msg msg;
    struct error err;
    int before = dup(0);
    close(before);
    for (size_t length = 0; length < 2; length++)
        for (size_t fds = 1; fds <= 4; fds++) {
            struct iovec part = {.iov_base = &byte, .iov_len = length};
            struct msghdr message = {.msg_iov = &part,
                                     .msg_iovlen = 1,
                                     .msg_control = &control,
                                     .msg_controllen = CMSG_SPACE(fds * sizeof(int))};
            struct cmsghdr *attached = CMSG_FIRSTHDR(&message);
            attached->cmsg_level = SOL_SOCKET;
            attached->cmsg_type = SCM_RIGHTS;
            attached->cmsg_len = CMSG_LEN(fds * sizeof(int));
            assert_int_equal(sendmsg(pair[0], &message, 0), length);
            assert_int_equal(msg_receive(pair[1], &msg, &err), length ? -1 : 0);
            int after = dup(0);
            close(after);
            assert_int_equal(after, before);
        }
}

static void texts_always_end(void **state)
{
    (void)state;
    struct msg_camera_state sent = {.state = CAMERA_AWAY};
    memset(sent.why, 'x', sizeof sent.why);
    struct msg msg;
    struct error err;
    assert_int_equal(msg_send(pair[0], MSG_CAMERA_STATE, &sent, -1), 0);
    assert_int_equal(msg_receive(pair[1], &msg, &err), 1);
    assert_int_equal(strlen(msg.body.state.why), sizeof sent.why - 1);
}

static void every_type_has_a_name(void **state)
{
    (void)state;
    for (int type = MSG_HELLO; type < MSG_TYPE_END; type++)
        assert_string_not_equal(msg_type_name((enum msg_type)type), "unknown");
    assert_string_equal(msg_type_name(MSG_TYPE_END), "unknown");
    assert_string_equal(msg_type_name((enum msg_type)0), "unknown");
    for (int s = CAMERA_STARTING; s < CAMERA_STATE_END; s++)
        assert_string_not_equal(camera_state_name((enum camera_state)s), "unknown");
}

#define PAIR_TEST(f) cmocka_unit_test_setup_teardown(f, open_pair, close_pair)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PAIR_TEST(payload_arrives_as_sent),
        PAIR_TEST(descriptor_travels_and_is_the_same_file),
        PAIR_TEST(end_of_file_and_nothing_yet_are_told_apart),
        PAIR_TEST(malformed_messages_are_refused),
        PAIR_TEST(no_descriptor_is_left_of_a_refused_message),
        PAIR_TEST(texts_always_end),
        cmocka_unit_test(every_type_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
