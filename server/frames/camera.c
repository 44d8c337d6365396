#include "server/frames/camera.h"

#include "common/clock.h"
#include "common/log.h"
#include "server/frames/freshness.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The rate counts as 0 if no picture has come for so long and for twice the usual interval. */
#define QUIET_NS (2 * NS_PER_S)
#define STAT_NS (50 * NS_PER_MS)

struct cameras {
    const char *instance;
    struct board *board;
    int waker;
    unsigned count;
    struct camera *list[CONF_MAX_CAMERAS];
};

static int position_of(const struct cameras *cameras, const struct msg_place *at)
{
    for (unsigned i = 0; i < cameras->count; i++)
        if (memcmp(&cameras->list[i]->at, at, sizeof *at) == 0)
            return (int)i;
    return -1;
}

static int compare_order(const void *a, const void *b)
{
    const struct camera *const *first = a, *const *second = b;
    return (*first)->order < (*second)->order ? -1 : (*first)->order > (*second)->order;
}

static void set_conf(struct camera *camera, const struct conf_camera *conf)
{
    camera->settings = *conf;
    camera->offline = conf->offline;
    camera->stall_timeout_ns = conf->stall_timeout_ns;
    camera->picture_timeout_ns =
        conf->stall_timeout_ns + (conf->fps > 0 ? (int64_t)(NS_PER_S / conf->fps) : 0);
}

static struct camera *cameras_add(struct cameras *cameras, const struct msg_camera *told)
{
    struct board_camera *place = board_camera(cameras->board, told->at.place);
    struct camera *camera = calloc(1, sizeof *camera);
    if (!camera)
        fatal("out of memory");
    if (!place || cameras->count == CONF_MAX_CAMERAS)
        fatal("there is no camera at place %u of the board", told->at.place);
    camera->at = told->at;
    camera->conf = &camera->settings;
    snprintf(camera->id, sizeof camera->id, "%s", told->conf.id);
    camera->board = place;
    camera->capture = &place->capture;
    camera->state = CAMERA_STARTING;
    camera->since_ns = camera->away_ns = clock_now();
    ring_source_open(&camera->source, cameras->instance, camera->id, "jpeg", place, cameras->waker);
    cameras->list[cameras->count++] = camera;
    return camera;
}

struct camera *cameras_take(struct cameras *cameras, const struct msg_camera *told)
{
    struct camera *camera = cameras_of(cameras, &told->at);
    if (!camera)
        camera = cameras_add(cameras, told);
    set_conf(camera, &told->conf);
    camera->order = told->order;
    qsort(cameras->list, cameras->count, sizeof cameras->list[0], compare_order);
    return camera;
}

void cameras_drop(struct cameras *cameras, struct camera *camera)
{
    unsigned position = (unsigned)position_of(cameras, &camera->at);
    cameras->count--;
    memmove(&cameras->list[position], &cameras->list[position + 1],
            (cameras->count - position) * sizeof cameras->list[0]);
    ring_source_close(&camera->source);
    free(camera);
}

struct cameras *cameras_create(const struct channel_setup *setup, struct board *board, int waker)
{
    struct cameras *cameras = calloc(1, sizeof *cameras);
    if (!cameras)
        fatal("out of memory");
    cameras->instance = setup->hello.instance;
    cameras->board = board;
    cameras->waker = waker;
    for (unsigned i = 0; i < setup->camera_count; i++)
        cameras_take(cameras, &setup->cameras[i]);
    return cameras;
}

void cameras_destroy(struct cameras *cameras)
{
    while (cameras->count > 0)
        cameras_drop(cameras, cameras->list[cameras->count - 1]);
    free(cameras);
}

unsigned cameras_count(const struct cameras *cameras)
{
    return cameras->count;
}

unsigned cameras_places(const struct cameras *cameras)
{
    return board_places(cameras->board);
}

struct camera *cameras_nth(const struct cameras *cameras, unsigned position)
{
    return position < cameras->count ? cameras->list[position] : NULL;
}

struct camera *cameras_find(const struct cameras *cameras, const char *id)
{
    for (unsigned i = 0; i < cameras->count; i++)
        if (strcmp(cameras->list[i]->id, id) == 0)
            return cameras->list[i];
    return NULL;
}

struct camera *cameras_of(const struct cameras *cameras, const struct msg_place *at)
{
    int position = position_of(cameras, at);
    return position >= 0 ? cameras->list[position] : NULL;
}

void cameras_on_state(struct cameras *cameras, const struct msg_camera_state *state)
{
    struct camera *camera = cameras_of(cameras, &state->at);
    if (!camera || state->state < CAMERA_STARTING || state->state >= CAMERA_STATE_END)
        return;
    if (camera->state == CAMERA_LIVE || state->since_ns < camera->away_ns)
        camera->away_ns = state->since_ns;
    camera->state = (enum camera_state)state->state;
    camera->since_ns = state->since_ns;
    /* what capture says is not what a chain makes of it */
    bool is_known = camera->settings.chain.count > 0 && camera->source.newest;
    if (state->width && state->height && !is_known) {
        camera->width = state->width;
        camera->height = state->height;
    }
    if (state->codec[0])
        snprintf(camera->codec, sizeof camera->codec, "%.*s", (int)sizeof state->codec,
                 state->codec);
    if (camera->state == CAMERA_LIVE || camera->state == CAMERA_ENDED || state->why[0])
        snprintf(camera->why, sizeof camera->why, "%.*s", (int)sizeof state->why, state->why);
}

bool camera_refresh(struct camera *camera)
{
    if (!ring_source_refresh(&camera->source))
        return false;
    camera->width = camera->source.newest->frame.width;
    camera->height = camera->source.newest->frame.height;
    return true;
}

/* Only this process writes its own server's count. */
static void count_viewers(struct camera *camera, uint32_t change)
{
    _Atomic uint32_t *viewers = &camera->board->viewers[camera->source.waker];
    atomic_store_explicit(viewers, atomic_load_explicit(viewers, memory_order_relaxed) + change,
                          memory_order_relaxed);
}

void camera_add_viewer(struct camera *camera)
{
    count_viewers(camera, 1);
}

void camera_drop_viewer(struct camera *camera)
{
    count_viewers(camera, UINT32_MAX); /* less one */
}

/* A ring that can't be read counts as one without pictures; the cause is logged where pictures are
 * read. */
static void read_ring_stat(struct camera *camera, struct camera_stat *out)
{
    static struct ring_stat stat; /* large */
    struct error err;
    struct ring_reader *reader = ring_source_reader(&camera->source);
    *out = (struct camera_stat){.newest_ns = -1, .width = camera->width, .height = camera->height};
    if (!reader || ring_reader_stat(reader, &stat, &err) < 0 || stat.head == 0)
        return;
    out->fps = stat.fps;
    out->frame = stat.head;
    out->captured_ns = stat.newest.captured_ns;
    out->started_ns = stat.newest.started_ns;
    out->newest_ns = stat.newest.committed_ns;
    out->width = stat.newest.width;
    out->height = stat.newest.height;
}

void camera_stat(struct camera *camera, struct camera_stat *stat)
{
    int64_t now = clock_now();
    if (now - camera->looked_ns >= STAT_NS) {
        read_ring_stat(camera, &camera->stat);
        camera->looked_ns = now;
    }
    *stat = camera->stat;
}

const struct usage *camera_usage(struct camera *camera)
{
    pid_t pid = atomic_load_explicit(&camera->capture->pid, memory_order_relaxed);
    usage_update(&camera->usage, pid,
                 atomic_load_explicit(&camera->capture->start_time, memory_order_relaxed),
                 clock_now());
    return &camera->usage;
}

int64_t camera_stat_age(const struct camera_stat *stat)
{
    return stat->newest_ns < 0 ? -1 : clock_now() - stat->newest_ns;
}

/* The ring's rate is that of its last pictures, however long ago they came. */
double camera_rate(const struct camera_stat *stat)
{
    int64_t age = camera_stat_age(stat);
    bool quiet = age < 0 || (age > QUIET_NS && (double)age * stat->fps > 2.0 * (double)NS_PER_S);
    return quiet ? 0 : round(stat->fps * 100) / 100;
}

bool camera_has_packets(const struct camera *camera)
{
    int64_t packet_ns = atomic_load_explicit(&camera->board->packet_ns, memory_order_relaxed);
    return freshness_ready(camera->state, packet_ns, clock_now(), camera->stall_timeout_ns);
}

bool camera_is_fresh(struct camera *camera)
{
    struct camera_stat stat;
    if (!camera_has_packets(camera))
        return false;
    if (board_viewers(camera->board) == 0)
        return true;
    camera_stat(camera, &stat);
    return stat.newest_ns >= 0 && camera_stat_age(&stat) <= camera->picture_timeout_ns;
}
