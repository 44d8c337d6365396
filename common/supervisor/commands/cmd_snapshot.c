#include "client.h"
#include "command.h"
#include "snapshot_round.h"

#include "common/number.h"
#include "common/supervisor/settings.h"
#include "common/supervisor/tell.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define AT_ONCE 8 /* unless --jobs says so */
#define AT_ONCE_MOST 64
#define EVERY_MIN NS_PER_S
#define EVERY_MAX (86400 * NS_PER_S)

struct snapshot {
    const struct options *options;
    char instance[RING_ID_SIZE];
    struct snapshot_folder folder;
    struct snapshot_round round;
    int64_t every_ns; /* 0: once */
    int timer;
    unsigned total[SNAPSHOT_OUTCOMES];
};

/* ---- what was asked for ---- */

static bool snapshot_parse(struct snapshot *self)
{
    const struct options *options = self->options;
    const char *jobs = options->jobs;
    int64_t at_once = AT_ONCE;
    const char *fault = NULL, *word = "";
    if (!options->output)
        fault = "no folder is given: -o DIR";
    else if (options->all ? options->count > 0 : options->count == 0)
        fault = "name cameras, or all of them with --all";
    else if (jobs &&
             (!number_whole(&jobs, &at_once) || *jobs || at_once < 1 || at_once > AT_ONCE_MOST))
        fault = "--jobs is a number from 1 to 64, and not ", word = options->jobs;
    else if (options->every && (!number_duration(options->every, &self->every_ns) ||
                                self->every_ns < EVERY_MIN || self->every_ns > EVERY_MAX))
        fault = "--every is a time from 1s to 24h, such as 10s or 5m, and not ",
        word = options->every;
    self->round.at_once = (unsigned)at_once;
    if (fault)
        fprintf(stderr, "camring: snapshot: %s%s\n", fault, word);
    return !fault;
}

/* ---- cameras ---- */

static struct snapshot_shot *find_shot(struct snapshot_round *round, const char *id)
{
    for (unsigned i = 0; i < round->count; i++)
        if (strcmp(round->shot[i].camera.id, id) == 0)
            return &round->shot[i];
    return NULL;
}

/* NULL: it is not an id, or out of memory. */
static struct snapshot_shot *add_shot(struct snapshot_round *round, const char *id)
{
    struct snapshot_shot *shot = find_shot(round, id);
    if (shot)
        return shot;
    if (!ring_id_valid(id) ||
        !(shot = reallocarray(round->shot, round->count + 1, sizeof *round->shot)))
        return NULL;
    round->shot = shot;
    shot = &shot[round->count++];
    *shot = (struct snapshot_shot){0};
    snprintf(shot->camera.id, sizeof shot->camera.id, "%s", id);
    return shot;
}

static const char *snapshot_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static void take_over(struct snapshot_shot *shot, const json_t *camera)
{
    shot->exists = true;
    snprintf(shot->camera.state, sizeof shot->camera.state, "%s", snapshot_text(camera, "state"));
    snprintf(shot->camera.why, sizeof shot->camera.why, "%s", snapshot_text(camera, "why"));
    shot->camera.max_age_ns =
        json_integer_value(json_object_get(camera, "stall_timeout_ms")) * NS_PER_MS;
}

/* Takes over the supervisor's description of the cameras.  With --all, a reload may have added or
 * removed some. */
static void update_shots(struct snapshot *self, const json_t *status)
{
    const json_t *camera;
    size_t i;
    for (unsigned n = 0; n < self->round.count; n++)
        self->round.shot[n].exists = false;
    json_array_foreach(json_object_get(status, "cameras"), i, camera)
    {
        const char *id = snapshot_text(camera, "id");
        struct snapshot_shot *shot =
            self->options->all ? add_shot(&self->round, id) : find_shot(&self->round, id);
        if (shot)
            take_over(shot, camera);
    }
    unsigned kept = 0;
    for (unsigned n = 0; n < self->round.count; n++)
        if (self->round.shot[n].exists || !self->options->all)
            self->round.shot[kept++] = self->round.shot[n];
    self->round.count = kept;
}

static enum exits snapshot_ask(struct snapshot *self, struct error *err)
{
    struct client *client = client_open(self->instance, err);
    json_t *request = json_pack("{s:s}", "command", "status");
    json_t *status = client ? client_ask(client, request, err) : NULL;
    enum exits result = status ? EXIT_DONE : EXIT_FAILED;
    if (!client && (err->code == ENOENT || err->code == ECONNREFUSED)) {
        error_set(err, err->code, "instance \"%s\" is not running", self->instance);
        result = EXIT_NOT_RUNNING;
    }
    if (status)
        update_shots(self, status);
    json_decref(status);
    json_decref(request);
    client_close(client);
    return result;
}

/* ---- what became of it ---- */

static void say_failures(const struct snapshot_round *round)
{
    static const char *const words[SNAPSHOT_OUTCOMES] = {[SNAPSHOT_NO_PICTURE] = "no picture: "};
    for (unsigned i = 0; i < round->count; i++) {
        const struct snapshot_shot *shot = &round->shot[i];
        if (shot->why[0] && !shot->seen && shot->outcome != SNAPSHOT_NOT_TAKEN)
            printf("camring: %s: %s%s\n", shot->camera.id,
                   words[shot->outcome] ? words[shot->outcome] : "", shot->why);
    }
}

static void say_round(struct snapshot *self)
{
    unsigned count[SNAPSHOT_OUTCOMES] = {0};
    snapshot_round_count(&self->round, count);
    for (unsigned i = 0; i < SNAPSHOT_OUTCOMES; i++)
        self->total[i] += count[i];
    printf("camring: %s%s", self->round.stamp, *self->round.stamp ? ": " : "");
    snapshot_round_say(count);
    say_failures(&self->round);
    fflush(stdout);
}

static enum exits result_of(const struct snapshot *self)
{
    for (unsigned i = SNAPSHOT_SAVED + 1; i < SNAPSHOT_OUTCOMES; i++)
        if (self->total[i] > 0)
            return EXIT_NOT_LIVE;
    return EXIT_DONE;
}

/* ---- once, or again and again ---- */

static enum exits snapshot_once(struct snapshot *self)
{
    struct error err;
    int r = snapshot_round_run(&self->round, &err);
    if (r < 0) {
        tell_error(self->options, err.text);
        return EXIT_FAILED;
    }
    say_round(self);
    if (r > 0)
        tell_error(self->options, "cancelled");
    return r > 0 ? EXIT_FAILED : result_of(self);
}

/* Waits until the next round is due; rounds that were due during the last one are left out.  False:
 * a signal has come. */
static bool await_time(const struct snapshot *self)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = self->timer, .events = POLLIN},
                               {.fd = self->round.signals, .events = POLLIN}};
        uint64_t passed;
        poll(fds, 2, -1);
        if (fds[1].revents)
            return false;
        if (fds[0].revents && read(self->timer, &passed, sizeof passed) == sizeof passed)
            return true;
    }
}

/* The time for a round's file names: now, but always later than the last one, so that no file is
 * overwritten when the clock is set back. */
static void make_stamp(time_t *last, char out[static 24])
{
    time_t now = time(NULL);
    struct tm utc;
    *last = now > *last ? now : *last + 1;
    strftime(out, 24, "%Y%m%dT%H%M%SZ", gmtime_r(last, &utc));
}

static enum exits again_and_again(struct snapshot *self)
{
    static char stamp[24]; /* as cmd_snapshot's `self` */
    struct error err;
    time_t last = 0;
    const struct itimerspec spec = {.it_interval = clock_timespec(self->every_ns),
                                    .it_value = clock_timespec(self->every_ns)};
    timerfd_settime(self->timer, 0, &spec, NULL);
    self->round.stamp = stamp;
    for (int r = 0; r <= 0;) {
        make_stamp(&last, stamp);
        if ((r = snapshot_round_run(&self->round, &err)) < 0)
            tell_error(self->options, err.text);
        else
            say_round(self);
        if (r > 0 || !await_time(self))
            break;
        if (snapshot_ask(self, &err) != EXIT_DONE) /* go on with the last description */
            tell_error(self->options, err.text);
    }
    printf("camring: in all ");
    snapshot_round_say(self->total);
    return result_of(self);
}

static int open_waits(struct snapshot *self, struct error *err)
{
    static const int caught[] = {SIGINT, SIGTERM, SIGHUP};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof caught / sizeof *caught; i++)
        sigaddset(&set, caught[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    self->round.signals = signalfd(-1, &set, SFD_CLOEXEC);
    self->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    if (self->round.signals >= 0 && self->timer >= 0)
        return 0;
    error_set(err, errno, "cannot wait: %s", strerror(errno));
    return -1;
}

enum exits cmd_snapshot(const struct options *options)
{
    struct error err;
    /* static, and not freed: after a cancellation threads may use it until the process exits */
    static struct snapshot self = {.folder = {.fd = -1}, .timer = -1, .round = {.signals = -1}};
    self.options = options;
    self.round.stamp = "";
    self.round.instance = self.instance;
    self.round.folder = &self.folder;
    if (!snapshot_parse(&self))
        return EXIT_USAGE;
    if (!settings_instance(options, self.instance))
        return EXIT_CONFIG;
    for (int i = 0; i < options->count; i++)
        if (!add_shot(&self.round, options->arguments[i])) {
            fprintf(stderr, "camring: snapshot: \"%s\" is no camera's id\n", options->arguments[i]);
            return EXIT_USAGE;
        }
    enum exits result = snapshot_ask(&self, &err);
    if (result == EXIT_DONE && (snapshot_folder_open(&self.folder, options->output, &err) != 0 ||
                                open_waits(&self, &err) != 0))
        result = EXIT_FAILED;
    if (result != EXIT_DONE)
        tell_error(options, err.text);
    else
        result = self.every_ns ? again_and_again(&self) : snapshot_once(&self);
    snapshot_folder_close(&self.folder); /* after a cancellation no thread writes any more */
    return result;
}
