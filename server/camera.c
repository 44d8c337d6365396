#include "server/camera.h"

#include "common/clock.h"
#include "common/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REOPEN_NS NS_PER_S
#define STAT_NS (50 * NS_PER_MS)

struct camera_ring {
    const char *instance;
    int waker;
    bool wanted;
    struct ring_reader *reader; /* NULL: could not be opened */
    int64_t tried_ns;
    char failure[256]; /* what was logged last, "" once it works */
    struct camera_stat stat;
    int64_t looked_ns; /* when it was taken */
};

struct cameras {
    char instance[RING_ID_SIZE];
    unsigned count;
    struct camera *camera;
    struct camera_ring *ring;
};

/* Says once what is wrong, and once that it is over. */
static void note_failure(struct camera *camera, const char *text)
{
    char *last = camera->ring->failure;
    if (strncmp(last, text, sizeof camera->ring->failure - 1) == 0)
        return;
    if (*text)
        log_warn("%s: can't read pictures: %s", camera->id, text);
    else
        log_info("%s: pictures can be read again", camera->id);
    snprintf(last, sizeof camera->ring->failure, "%s", text);
}

static struct ring_reader *open_reader(struct camera *camera)
{
    struct camera_ring *ring = camera->ring;
    int64_t now = clock_now();
    if (ring->reader || (ring->tried_ns && now - ring->tried_ns < REOPEN_NS))
        return ring->reader;
    char name[RING_NAME_SIZE];
    struct error err;
    snprintf(name, sizeof name, "%s.jpeg", camera->id);
    ring->tried_ns = now;
    ring->reader = ring_reader_open(ring->instance, name, RING_MEMBER, "server", &err);
    if (!ring->reader)
        note_failure(camera, err.text);
    else if (ring->wanted)
        ring_reader_want(ring->reader, ring->waker);
    return ring->reader;
}

static void init_camera(struct camera *camera, unsigned index, const struct conf_camera *conf, struct board *board)
{
    camera->index = index;
    camera->conf = conf;
    snprintf(camera->id, sizeof camera->id, "%s", conf->id);
    camera->offline = conf->offline;
    camera->stall_timeout_ns = conf->stall_timeout_ns;
    camera->board = board_camera(board, index);
    camera->state = CAMERA_STARTING;
    camera->since_ns = camera->away_ns = clock_now();
}

struct cameras *cameras_create(const struct channel_setup *setup, struct board *board, int waker)
{
    unsigned count = setup->hello.cameras;
    struct cameras *cameras = calloc(1, sizeof *cameras);
    if (cameras) {
        cameras->camera = calloc(count + 1, sizeof *cameras->camera);
        cameras->ring = calloc(count + 1, sizeof *cameras->ring);
    }
    if (!cameras || !cameras->camera || !cameras->ring)
        fatal("out of memory");
    if (count != board_cameras(board))
        fatal("told of %u cameras, but the board has %u", count, board_cameras(board));
    snprintf(cameras->instance, sizeof cameras->instance, "%s", setup->hello.instance);
    cameras->count = count;
    for (unsigned i = 0; i < count; i++) {
        cameras->ring[i] = (struct camera_ring){.instance = cameras->instance, .waker = waker};
        cameras->camera[i].ring = &cameras->ring[i];
        init_camera(&cameras->camera[i], i, &setup->cameras[i], board);
        open_reader(&cameras->camera[i]);
    }
    return cameras;
}

void cameras_destroy(struct cameras *cameras)
{
    for (unsigned i = 0; i < cameras->count; i++) {
        picture_release(cameras->camera[i].newest);
        if (cameras->ring[i].reader)
            ring_reader_close(cameras->ring[i].reader);
    }
    free(cameras->camera);
    free(cameras->ring);
    free(cameras);
}

unsigned cameras_count(const struct cameras *cameras)
{
    return cameras->count;
}

struct camera *cameras_at(const struct cameras *cameras, unsigned index)
{
    return index < cameras->count ? &cameras->camera[index] : NULL;
}

struct camera *cameras_find(const struct cameras *cameras, const char *id)
{
    for (unsigned i = 0; i < cameras->count; i++)
        if (strcmp(cameras->camera[i].id, id) == 0)
            return &cameras->camera[i];
    return NULL;
}

void cameras_on_state(struct cameras *cameras, const struct msg_camera_state *state)
{
    struct camera *camera = cameras_at(cameras, state->index);
    if (!camera || state->state < CAMERA_STARTING || state->state >= CAMERA_STATE_END)
        return;
    if (camera->state == CAMERA_LIVE || state->since_ns < camera->away_ns)
        camera->away_ns = state->since_ns;
    camera->state = (enum camera_state)state->state;
    camera->since_ns = state->since_ns;
    if (state->width && state->height) {
        camera->width = state->width;
        camera->height = state->height;
    }
    if (state->codec[0])
        snprintf(camera->codec, sizeof camera->codec, "%.*s", (int)sizeof state->codec, state->codec);
    if (camera->state == CAMERA_LIVE || camera->state == CAMERA_ENDED || state->why[0])
        snprintf(camera->why, sizeof camera->why, "%.*s", (int)sizeof state->why, state->why);
}

/* Into a fresh picture, because clients may still be sending the last one. */
static enum ring_result copy_newest(struct camera *camera, uint64_t after, struct error *err)
{
    struct picture *picture = picture_create();
    if (!picture) {
        error_set(err, RING_ERROR_SYSTEM, "out of memory");
        return RING_FAILED;
    }
    enum ring_result result = ring_reader_copy(camera->ring->reader, after, &picture->buffer, &picture->frame, err);
    if (result != RING_GOT) {
        picture_release(picture);
        return result;
    }
    picture->wall_ns = clock_wall(picture->frame.captured_ns);
    picture->place = camera->board;
    picture_release(camera->newest);
    camera->newest = picture;
    camera->width = picture->frame.width;
    camera->height = picture->frame.height;
    return RING_GOT;
}

bool camera_refresh(struct camera *camera)
{
    struct ring_reader *reader = open_reader(camera);
    if (!reader)
        return false;
    uint64_t after = camera->newest ? camera->newest->frame.number : 0;
    if (ring_reader_head(reader) <= after)
        return false;
    struct error err = {0};
    enum ring_result result = copy_newest(camera, after, &err);
    if (result == RING_FAILED)
        note_failure(camera, err.text);
    else if (result == RING_GOT)
        note_failure(camera, "");
    return result == RING_GOT;
}

void camera_want(struct camera *camera, bool want)
{
    camera->ring->wanted = want;
    struct ring_reader *reader = open_reader(camera);
    if (reader)
        ring_reader_want(reader, want ? camera->ring->waker : -1);
}

/* Nobody else writes this server's number. */
static void count_viewers(struct camera *camera, uint32_t change)
{
    _Atomic uint32_t *viewers = &camera->board->viewers[camera->ring->waker];
    atomic_store_explicit(viewers, atomic_load_explicit(viewers, memory_order_relaxed) + change, memory_order_relaxed);
}

void camera_add_viewer(struct camera *camera)
{
    count_viewers(camera, 1);
}

void camera_drop_viewer(struct camera *camera)
{
    count_viewers(camera, UINT32_MAX); /* less one */
}

int64_t camera_newest_ns(const struct camera *camera)
{
    return camera->newest ? camera->newest->frame.committed_ns : -1;
}

/* One that can't be read shows no picture; why is logged where pictures are wanted. */
static void look(struct camera *camera, struct camera_stat *out)
{
    static struct ring_stat stat; /* large */
    struct error err;
    struct ring_reader *reader = open_reader(camera);
    *out = (struct camera_stat){.newest_ns = -1, .width = camera->width, .height = camera->height};
    if (!reader || ring_reader_stat(reader, &stat, &err) < 0 || stat.head == 0)
        return;
    out->fps = stat.fps;
    out->frame = stat.head;
    out->newest_ns = stat.newest.committed_ns;
    out->width = stat.newest.width;
    out->height = stat.newest.height;
}

void camera_stat(struct camera *camera, struct camera_stat *stat)
{
    struct camera_ring *ring = camera->ring;
    int64_t now = clock_now();
    if (now - ring->looked_ns >= STAT_NS) {
        look(camera, &ring->stat);
        ring->looked_ns = now;
    }
    *stat = ring->stat;
}
