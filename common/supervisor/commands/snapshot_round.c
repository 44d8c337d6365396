#include "snapshot_round.h"

#include "snapshot_pool.h"

#include "common/terminal.h"

#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BAR_WIDTH 24

/* ---- one camera ---- */

static json_t *snapshot_round_describe(const struct snapshot_shot *shot,
                                       const struct snapshot_picture *picture, const char *file)
{
    const struct ring_frame *frame = &picture->frame;
    int64_t wall_ns = clock_wall(frame->captured_ns),
            age_ns = picture->taken_ns - frame->captured_ns;
    time_t seconds = wall_ns / NS_PER_S;
    struct tm utc;
    char captured[40];
    size_t used = strftime(captured, sizeof captured, "%FT%T", gmtime_r(&seconds, &utc));
    snprintf(captured + used, sizeof captured - used, ".%03dZ",
             (int)(wall_ns % NS_PER_S / NS_PER_MS));
    json_t *json = json_object();
    json_object_set_new(json, "camera", json_string(shot->camera.id));
    json_object_set_new(json, "file", json_string(file));
    json_object_set_new(json, "frame", json_integer((json_int_t)frame->number));
    json_object_set_new(json, "captured", json_string(captured));
    json_object_set_new(json, "age_ms", json_integer(age_ns / NS_PER_MS));
    json_object_set_new(json, "width", json_integer(frame->width));
    json_object_set_new(json, "height", json_integer(frame->height));
    json_object_set_new(json, "bytes", json_integer(frame->bytes));
    json_object_set_new(json, "state", json_string(shot->camera.state));
    return json;
}

static int snapshot_round_save(const struct snapshot_round *round, const struct snapshot_shot *shot,
                               const struct snapshot_picture *picture, struct error *err)
{
    char base[NAME_MAX - 8], name[NAME_MAX];
    snprintf(base, sizeof base, "%s%s%s", shot->camera.id, *round->stamp ? "-" : "", round->stamp);
    snprintf(name, sizeof name, "%s.jpg", base);
    json_t *facts = snapshot_round_describe(shot, picture, name);
    char text[1024];
    size_t length = json_dumpb(facts, text, sizeof text - 1, JSON_INDENT(2));
    json_decref(facts);
    text[length++] = '\n';
    int result =
        snapshot_folder_write(round->folder, name, picture->buffer.data, picture->frame.bytes, err);
    snprintf(name, sizeof name, "%s.json", base);
    if (result == 0)
        result = snapshot_folder_write(round->folder, name, text, length, err);
    return result;
}

/* In a thread. */
static void snapshot_round_take(struct snapshot_pool *pool, unsigned job, void *arg)
{
    struct snapshot_round *round = arg;
    struct snapshot_shot *shot = &round->shot[job];
    struct snapshot_picture picture = {0};
    struct error err = {0};
    enum snapshot_outcome outcome = SNAPSHOT_UNKNOWN;
    if (!shot->exists)
        error_set(&err, 0, "there is no such camera");
    else if (snapshot_picture_take(&picture, round->instance, &shot->camera,
                                   clock_now() + SNAPSHOT_WAIT_NS, &err) != 0)
        outcome = SNAPSHOT_NO_PICTURE;
    else
        outcome = SNAPSHOT_SAVED;
    if (snapshot_pool_enter(pool)) {
        if (outcome == SNAPSHOT_SAVED && snapshot_round_save(round, shot, &picture, &err) != 0)
            outcome = SNAPSHOT_NOT_WRITTEN;
        shot->outcome = outcome;
        shot->seen = outcome != SNAPSHOT_SAVED && strcmp(shot->why, err.text) == 0;
        snprintf(shot->why, sizeof shot->why, "%s", outcome == SNAPSHOT_SAVED ? "" : err.text);
        snapshot_pool_leave(pool);
    }
    free(picture.buffer.data);
}

/* ---- all of them ---- */

static void draw_progress_bar(unsigned done, unsigned count)
{
    char bar[BAR_WIDTH + 1];
    unsigned filled = count ? BAR_WIDTH * done / count : BAR_WIDTH;
    if (!terminal_usable())
        return;
    memset(bar, '.', BAR_WIDTH);
    memset(bar, '#', filled);
    bar[BAR_WIDTH] = '\0';
    printf("\r[%s] %u of %u\033[K", bar, done, count);
    fflush(stdout);
}

static void erase_bar(void)
{
    if (terminal_usable())
        printf("\r\033[K");
}

/* True if a signal has come. */
static bool snapshot_round_await(const struct snapshot_round *round, struct snapshot_pool *pool)
{
    unsigned done = 0;
    draw_progress_bar(0, round->count);
    while (done < round->count) {
        struct pollfd fds[] = {{.fd = snapshot_pool_fd(pool), .events = POLLIN},
                               {.fd = round->signals, .events = POLLIN}};
        poll(fds, 2, -1);
        if (fds[1].revents)
            return true;
        done = snapshot_pool_done(pool);
        draw_progress_bar(done, round->count);
    }
    return false;
}

int snapshot_round_run(struct snapshot_round *round, struct error *err)
{
    for (unsigned i = 0; i < round->count; i++)
        round->shot[i].outcome = SNAPSHOT_NOT_TAKEN;
    const struct snapshot_work work = {
        .jobs = round->count, .at_once = round->at_once, .run = snapshot_round_take, .arg = round};
    struct snapshot_pool *pool = snapshot_pool_start(&work, err);
    if (!pool)
        return -1;
    bool is_cancelled = snapshot_round_await(round, pool);
    if (is_cancelled)
        snapshot_pool_cancel(pool);
    else
        snapshot_pool_finish(pool);
    erase_bar();
    return is_cancelled;
}

void snapshot_round_count(const struct snapshot_round *round, unsigned count[SNAPSHOT_OUTCOMES])
{
    for (unsigned i = 0; i < round->count; i++)
        count[round->shot[i].outcome]++;
}

void snapshot_round_say(const unsigned count[SNAPSHOT_OUTCOMES])
{
    static const char *const words[SNAPSHOT_OUTCOMES] = {[SNAPSHOT_SAVED] = "saved",
                                                         [SNAPSHOT_UNKNOWN] = "unknown",
                                                         [SNAPSHOT_NO_PICTURE] =
                                                             "without a picture",
                                                         [SNAPSHOT_NOT_WRITTEN] = "not written",
                                                         [SNAPSHOT_NOT_TAKEN] = "not taken"};
    printf("%u %s", count[SNAPSHOT_SAVED], words[SNAPSHOT_SAVED]);
    for (unsigned i = 0; i < SNAPSHOT_OUTCOMES; i++)
        if (i != SNAPSHOT_SAVED && count[i] > 0)
            printf(", %u %s", count[i], words[i]);
    printf("\n");
}
