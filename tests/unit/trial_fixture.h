/* trial_fixture.h: a process that tries chains, and what it says. */
#ifndef TRIAL_FIXTURE_H
#define TRIAL_FIXTURE_H

#include "chain_fixture.h"

#include "common/channel.h"
#include "common/msg.h"
#include "encoder/trial.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

static int channel = -1;
static pid_t child;

static inline void start(void)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(pair[1], CHANNEL_FD);
        if (pair[0] != CHANNEL_FD)
            close(pair[0]);
        if (pair[1] != CHANNEL_FD)
            close(pair[1]);
        _exit(trial_main());
    }
    close(pair[1]);
    channel = pair[0];
}

static inline void send_chain(const char *text)
{
    static struct msg_camera message;
    read_chain(text);
    message = (struct msg_camera){.conf = camera};
    assert_int_equal(msg_send(channel, MSG_CAMERA, &message, -1), 0);
}

/* The first fault, of `count`; all zero if there is none. */
static inline struct msg_trial take_answer(unsigned *count)
{
    static struct msg msg;
    struct msg_trial first = {0};
    unsigned step = 0;
    *count = 0;
    for (;;) {
        if (msg_receive(channel, &msg, &err) != 1)
            fail_msg("no answer");
        assert_int_equal(msg.type, MSG_TRIAL);
        const struct msg_trial *said = &msg.body.trial;
        if (said->result == MSG_TRIAL_DONE)
            break;
        if (said->result == MSG_TRIAL_STEP)
            step = said->step;
        else if ((*count)++ == 0)
            first = *said;
        assert_true(step > 0 && step <= camera.chain.count);
    }
    assert_int_equal(step, camera.chain.count);
    return first;
}

static inline void expect_works(const char *text)
{
    unsigned count;
    send_chain(text);
    struct msg_trial said = take_answer(&count);
    if (count > 0)
        fail_msg("%s: %s", text, said.words);
}

static inline void expect_faults(const char *text, unsigned faults, unsigned step, unsigned offset,
                                 const char *words)
{
    unsigned count;
    send_chain(text);
    struct msg_trial said = take_answer(&count);
    assert_int_equal(count, faults);
    if (said.step != step || said.offset != offset || !strstr(said.words, words))
        fail_msg("%s: step %u, %u: %s", text, said.step, said.offset, said.words);
}

static inline int stop(void **state)
{
    int status = -1;
    if (channel >= 0)
        close(channel);
    channel = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    return chain_tear_down(state);
}

#define TRIAL_TEST(function) cmocka_unit_test_teardown(function, stop)

#endif
