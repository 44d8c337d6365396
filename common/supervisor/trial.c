/* DESIGN
 *
 * What a filter thinks of its options only libavfilter knows, and some filters crash.  So an
 * encoder process is given each chain to run test pictures through (encoder/trial.h); if it dies,
 * the step it had begun with is at fault, and another process goes on with the next camera. */
#include "trial.h"

#include "common/supervisor/children/spawn.h"

#include "common/clock.h"
#include "common/msg.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "camring-encoder"
#define SILENCE (120 * NS_PER_S) /* the process limits itself; this is for one that can't */

struct trial {
    const struct conf *conf, *running;
    const char *name;
    FILE *faults;
    bool found_fault;
    unsigned next;                    /* camera to begin with */
    const struct conf_camera *camera; /* under way; NULL: none */
    unsigned step;                    /* that it has begun with */
    char program[4096];
    pid_t pid; /* 0: none */
    int channel;
    int64_t deadline;
};

/* ---- what there is to try ---- */

static bool is_same_list(const struct conf_chain *a, const struct conf_chain *b)
{
    return conf_chain_same(a, b) && a->steps[0].line == b->steps[0].line &&
           a->steps[0].column == b->steps[0].column;
}

/* A chain that came from `defaults` is the same for many cameras, and wrong in one place. */
static bool is_tried(const struct trial *trial, unsigned index)
{
    const struct conf_chain *chain = &trial->conf->cameras[index].chain;
    for (unsigned i = 0; i < index; i++)
        if (is_same_list(&trial->conf->cameras[i].chain, chain))
            return true;
    for (unsigned i = 0; trial->running && i < trial->running->camera_count; i++)
        if (conf_chain_same(&trial->running->cameras[i].chain, chain))
            return true;
    return chain->count == 0;
}

static void skip_tried(struct trial *trial)
{
    while (trial->next < trial->conf->camera_count && is_tried(trial, trial->next))
        trial->next++;
}

/* ---- life ---- */

struct trial *trial_create(const struct conf *conf, const struct conf *running, const char *name,
                           FILE *faults)
{
    struct trial *trial = calloc(1, sizeof *trial);
    if (!trial)
        return NULL;
    *trial = (struct trial){
        .conf = conf, .running = running, .name = name, .faults = faults, .channel = -1};
    skip_tried(trial);
    if (trial->next < conf->camera_count)
        return trial;
    free(trial);
    return NULL;
}

/* Returns its status; 0 if there was none. */
static int end_process(struct trial *trial)
{
    int status = 0;
    if (trial->pid <= 0)
        return 0;
    close(trial->channel);
    while (waitpid(trial->pid, &status, 0) < 0 && errno == EINTR)
        ;
    trial->pid = 0;
    trial->channel = -1;
    return status;
}

void trial_destroy(struct trial *trial)
{
    if (!trial)
        return;
    if (trial->pid > 0)
        kill(trial->pid, SIGKILL);
    end_process(trial);
    free(trial);
}

/* ---- faults ---- */

static void trial_report(struct trial *trial, unsigned step, unsigned offset, const char *words)
{
    const struct conf_camera *camera = trial->camera;
    const struct conf_chain *chain = &camera->chain;
    const struct conf_step *place = &chain->steps[step > 0 && step <= chain->count ? step - 1 : 0];
    fprintf(trial->faults, "%s:%u:%u: cameras.%s.chain: %s\n", trial->name, place->line,
            conf_chain_column(chain, place, offset), camera->id, words);
    trial->found_fault = true;
}

/* The process has ended, or has been killed for its silence. */
static void report_death(struct trial *trial, bool was_silent)
{
    char words[160];
    unsigned step = trial->step > 0 ? trial->step : 1;
    const char *kind = conf_step_name(trial->camera->chain.steps[step - 1].kind);
    int status = end_process(trial), number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (was_silent || number == SIGXCPU)
        snprintf(words, sizeof words, "step %u (%s): takes too long for a test picture", step,
                 kind);
    else if (number > 0)
        snprintf(words, sizeof words, "step %u (%s): crashes libavfilter (%s)", step, kind,
                 strsignal(number));
    else
        snprintf(words, sizeof words, "it can't be tried: " PROGRAM " ended with status %d",
                 WEXITSTATUS(status));
    trial_report(trial, step, 0, words);
    trial->camera = NULL;
}

/* ---- going on ---- */

static bool trial_start(struct trial *trial, struct error *err)
{
    if (trial->pid > 0)
        return true;
    if (spawn_path(PROGRAM, trial->program, sizeof trial->program, err) < 0)
        return false;
    trial->pid = spawn_start(trial->program, "--try", &trial->channel, err);
    return trial->pid > 0;
}

/* Sends the next chain.  False: there is none any more. */
static bool trial_begin(struct trial *trial)
{
    struct error err;
    struct msg_camera camera = {0};
    if (trial->next == trial->conf->camera_count)
        return false;
    trial->camera = &trial->conf->cameras[trial->next++];
    trial->step = 0;
    skip_tried(trial);
    camera.conf = *trial->camera;
    memset(camera.conf.source, 0, sizeof camera.conf.source); /* no business of an encoder's */
    trial->deadline = clock_now() + SILENCE;
    if (trial_start(trial, &err) && msg_send(trial->channel, MSG_CAMERA, &camera, -1) < 0) {
        report_death(trial, false);
    } else if (trial->pid <= 0) {
        trial_report(trial, 0, 0, err.text);
        trial->camera = NULL;
    }
    return true;
}

static void trial_take(struct trial *trial, const struct msg_trial *said)
{
    trial->deadline = clock_now() + SILENCE;
    if (said->result == MSG_TRIAL_FAULT)
        trial_report(trial, said->step, said->offset, said->words);
    else if (said->result == MSG_TRIAL_DONE)
        trial->camera = NULL;
    else if (said->step <= trial->camera->chain.count)
        trial->step = said->step;
}

bool trial_go_on(struct trial *trial)
{
    for (;;) {
        struct msg msg;
        struct error err;
        if (!trial->camera && !trial_begin(trial))
            return false;
        if (!trial->camera)
            continue; /* it could not even be begun with */
        int got = msg_receive(trial->channel, &msg, &err);
        if (got > 0 && msg.type == MSG_TRIAL) {
            trial_take(trial, &msg.body.trial);
        } else if (got < 0 && err.code == EAGAIN) {
            if (clock_now() < trial->deadline)
                return true;
            kill(trial->pid, SIGKILL);
            report_death(trial, true);
        } else {
            kill(trial->pid, got == 0 ? 0 : SIGKILL);
            report_death(trial, false);
        }
    }
}

int trial_fd(const struct trial *trial)
{
    return trial->channel;
}

int64_t trial_deadline(const struct trial *trial)
{
    return trial->deadline;
}

bool trial_is_good(const struct trial *trial)
{
    return !trial->found_fault && !trial->camera && trial->next == trial->conf->camera_count;
}

bool trial_run(const struct conf *conf, const char *name, FILE *faults)
{
    struct trial *trial = trial_create(conf, NULL, name, faults);
    if (!trial)
        return true;
    while (trial_go_on(trial)) {
        int64_t left = trial->deadline - clock_now();
        struct pollfd channel = {.fd = trial->channel, .events = POLLIN};
        poll(&channel, 1, left > 0 ? (int)(left / NS_PER_MS) + 1 : 0);
    }
    bool good = trial_is_good(trial);
    trial_destroy(trial);
    return good;
}
