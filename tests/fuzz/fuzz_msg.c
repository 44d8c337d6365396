/* Messages from a process that has been taken over.  The first byte of an input says how many
 * descriptors come with it. */
#include "common/msg.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FDS_MOST 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void send_hostile(int socket, const uint8_t *bytes, size_t size, unsigned fds)
{
    union {
        char space[CMSG_SPACE(FDS_MOST * sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fds > 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(fds * sizeof(int));
        struct cmsghdr *attached = CMSG_FIRSTHDR(&message);
        attached->cmsg_level = SOL_SOCKET;
        attached->cmsg_type = SCM_RIGHTS;
        attached->cmsg_len = CMSG_LEN(fds * sizeof(int));
        for (unsigned i = 0; i < fds; i++)
            memcpy(CMSG_DATA(attached) + i * sizeof(int), &socket, sizeof(int));
    }
    if (sendmsg(socket, &message, MSG_NOSIGNAL) < 0)
        abort();
}

static void check_body(const struct msg *msg)
{
    const char *name = msg_type_name(msg->type);
    if (!name[0] || strcmp(name, "unknown") == 0)
        abort();
    if (msg->type == MSG_CAMERA && (!memchr(msg->body.camera.conf.id, '\0', RING_ID_SIZE) ||
                                    !memchr(msg->body.camera.conf.source, '\0', CONF_SOURCE_SIZE)))
        abort();
    if (msg->type == MSG_CAMERA_STATE &&
        (!memchr(msg->body.state.codec, '\0', sizeof msg->body.state.codec) ||
         !memchr(msg->body.state.why, '\0', sizeof msg->body.state.why)))
        abort();
    if (msg->type == MSG_HELLO && !memchr(msg->body.hello.instance, '\0', RING_ID_SIZE))
        abort();
}

/* The number the next descriptor gets. */
static int next_fd(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        abort();
    close(fd);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct msg msg;
    struct error err = {0};
    int pair[2];
    if (size < 1)
        return -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        abort();
    int before = next_fd();
    send_hostile(pair[0], data + 1, size - 1, data[0] % (FDS_MOST + 1));
    int r = msg_receive(pair[1], &msg, &err);
    if (r > 0) {
        check_body(&msg);
        if (msg.fd >= 0)
            close(msg.fd);
    } else if (r < 0 && (!err.code || !err.text[0])) {
        abort();
    }
    if (next_fd() != before) { /* a descriptor that came with it is still open */
        fprintf(stderr, "%u descriptors came, %d are left\n", data[0] % (FDS_MOST + 1),
                next_fd() - before);
        abort();
    }
    close(pair[0]);
    close(pair[1]);
    return 0;
}
