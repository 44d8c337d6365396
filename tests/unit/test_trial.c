/* Chains are tried in a process of their own, which says how far it is. */
#include "chain_fixture.h"

#include "common/channel.h"
#include "common/msg.h"
#include "encoder/trial.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

static int channel = -1;
static pid_t child;

static void start(void)
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

static void send_chain(const char *text)
{
    static struct msg_camera message;
    read_chain(text);
    message = (struct msg_camera){.conf = camera};
    assert_int_equal(msg_send(channel, MSG_CAMERA, &message, -1), 0);
}

/* The first fault, of `count`; all zero if there is none. */
static struct msg_trial take_answer(unsigned *count)
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

static void expect_works(const char *text)
{
    unsigned count;
    send_chain(text);
    struct msg_trial said = take_answer(&count);
    if (count > 0)
        fail_msg("%s: %s", text, said.words);
}

static void expect_faults(const char *text, unsigned faults, unsigned step, unsigned offset,
                          const char *words)
{
    unsigned count;
    send_chain(text);
    struct msg_trial said = take_answer(&count);
    assert_int_equal(count, faults);
    if (said.step != step || said.offset != offset || !strstr(said.words, words))
        fail_msg("%s: step %u, %u: %s", text, said.step, said.offset, said.words);
}

static void chains_are_tried_one_after_the_other(void **state)
{
    (void)state;
    start();
    expect_works("- gray");
    expect_works("- crop: {x: 10, y: 20, width: 1280, height: 720}\n- text: {text: '%F 문'}\n"
                 "- filter: 'hqdn3d,eq=contrast=1.1'");
    expect_faults("- gray\n- filter: 'hqdn3d,eq=contrastt=1.1'", 1, 2, 10,
                  "step 2 (filter): the filter eq has no option contrastt");
    expect_faults("- filter: 'hqdn3d,eq=contrast=foo'", 1, 1, 7, "foo");
    expect_faults("- gray\n- text: {text: x, font: /etc/passwd}\n- gray", 1, 2, 0,
                  "step 2 (text): /etc/passwd is no font");
    expect_faults("- filter: 'hflip,overlay'", 1, 1, 0, "one open input");
    expect_works("- flip: vertical");
}

/* As far as they don't follow from each other. */
static void all_faults_are_said(void **state)
{
    (void)state;
    start();
    expect_faults("- filter: 'split'\n- crop: {width: 9000, height: 1}\n"
                  "- text: {text: x, font: /etc/passwd}\n- filter: 'negate=x'\n",
                  3, 1, 0, "one open input");
    expect_faults("- crop: {width: 9000, height: 1}\n- filter: 'crop=iw*2'", 1, 1, 0, "'9000'");
}

/* Which size a camera's pictures have is not known. */
static void a_chain_for_large_pictures_is_right(void **state)
{
    (void)state;
    start();
    expect_works("- crop: {width: 3000, height: 2000}");
    expect_works("- filter: 'scale=640:480,pixscope'");
    expect_faults("- crop: {width: 7000, height: 100}", 1, 1, 0, "'7000'");
}

static void pictures_may_be_held_back(void **state)
{
    (void)state;
    start();
    expect_works("- deinterlace");
    expect_works("- scale: {width: 64}\n- filter: 'thumbnail'");
    expect_works("- scale: {width: 64}\n- filter: 'fps=1,tmix=frames=5'");
    expect_works("- scale: {width: 64}\n- filter: 'tile'\n- deinterlace");
    expect_faults("- scale: {width: 16}\n- filter: \"select=0\"", 1, 2, 0, "no picture comes out");
}

#ifndef __SANITIZE_ADDRESS__
static void memory_has_an_end(void **state)
{
    (void)state;
    start();
    expect_faults("- crop: {width: 1900, height: 1000}\n" /* the smaller sizes are soon done */
                  "- filter: 'pad=16384:16384,random=frames=500'",
                  1, 2, 0, "Cannot allocate memory");
}
#endif

static int stop(void **state)
{
    int status = -1;
    if (channel >= 0)
        close(channel);
    channel = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    return chain_tear_down(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(chains_are_tried_one_after_the_other, stop),
        cmocka_unit_test_teardown(all_faults_are_said, stop),
        cmocka_unit_test_teardown(a_chain_for_large_pictures_is_right, stop),
        cmocka_unit_test_teardown(pictures_may_be_held_back, stop),
#ifndef __SANITIZE_ADDRESS__
        cmocka_unit_test_teardown(memory_has_an_end, stop),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
