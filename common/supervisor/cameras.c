#include "cameras.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum turn { TURN_NONE, TURN_QUEUED, TURN_HELD };

struct camera {
    struct msg_camera_state state;
    char last_why[sizeof((struct msg_camera_state){0}).why];
    enum camera_state noted; /* the last state that was worth a line in the log */
    bool settled;
    enum turn turn;
};

struct cameras {
    unsigned count, max_connecting, held, settled;
    unsigned *queue; /* of those with TURN_QUEUED, in order of their requests */
    unsigned queued;
    struct camera camera[];
};

struct cameras *cameras_create(unsigned count, unsigned max_connecting, int64_t now)
{
    struct cameras *cameras = calloc(1, sizeof *cameras + count * sizeof *cameras->camera);
    unsigned *queue = calloc(count ? count : 1, sizeof *queue);
    if (!cameras || !queue) {
        free(cameras);
        free(queue);
        return NULL;
    }
    cameras->count = count;
    cameras->max_connecting = max_connecting ? max_connecting : 1;
    cameras->queue = queue;
    for (unsigned i = 0; i < count; i++)
        cameras->camera[i].state =
            (struct msg_camera_state){.index = i, .state = CAMERA_STARTING, .since_ns = now};
    return cameras;
}

void cameras_destroy(struct cameras *cameras)
{
    if (!cameras)
        return;
    free(cameras->queue);
    free(cameras);
}

const struct msg_camera_state *cameras_state(const struct cameras *cameras, unsigned index)
{
    return &cameras->camera[index].state;
}

bool cameras_settled(const struct cameras *cameras, unsigned index)
{
    return cameras->camera[index].settled;
}

bool cameras_all_settled(const struct cameras *cameras)
{
    return cameras->settled == cameras->count;
}

bool cameras_fine(const struct cameras *cameras, unsigned index)
{
    uint32_t state = cameras->camera[index].state.state;
    return state == CAMERA_LIVE || state == CAMERA_ENDED;
}

const char *cameras_last_why(const struct cameras *cameras, unsigned index)
{
    return cameras->camera[index].last_why;
}

void cameras_give_up(struct cameras *cameras, unsigned index)
{
    if (!cameras->camera[index].settled) {
        cameras->camera[index].settled = true;
        cameras->settled++;
    }
}

/* ---- states ---- */

/* Makes text that may come from a camera fit for logs and JSON: terminated, no control characters,
 * valid UTF-8. */
static void clean_text(char *text, size_t size)
{
    text[size - 1] = '\0';
    json_t *probe = json_string(text);
    bool utf8 = probe != NULL;
    json_decref(probe);
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 127 || (!utf8 && (unsigned char)*text > 127))
            *text = '?';
}

static void end_turn(struct cameras *cameras, unsigned index)
{
    struct camera *camera = &cameras->camera[index];
    if (camera->turn == TURN_HELD) {
        cameras->held--;
    } else if (camera->turn == TURN_QUEUED) {
        unsigned at = 0;
        while (cameras->queue[at] != index)
            at++;
        cameras->queued--;
        memmove(&cameras->queue[at], &cameras->queue[at + 1],
                (cameras->queued - at) * sizeof *cameras->queue);
    }
    camera->turn = TURN_NONE;
}

/* Everything but the moment: a camera that says the same again has nothing new to tell. */
static bool same_state(const struct msg_camera_state *a, const struct msg_camera_state *b)
{
    return a->state == b->state && a->width == b->width && a->height == b->height &&
           strcmp(a->codec, b->codec) == 0 && strcmp(a->why, b->why) == 0;
}

static enum cameras_change set_state(struct camera *camera, const struct msg_camera_state *state)
{
    if (same_state(&camera->state, state))
        return CAMERAS_SAME;
    bool new_size = camera->state.width != state->width || camera->state.height != state->height;
    camera->state = *state;

    bool new_why = state->why[0] && strcmp(camera->last_why, state->why) != 0;
    if (state->why[0])
        snprintf(camera->last_why, sizeof camera->last_why, "%s", state->why);
    if (state->state == CAMERA_STARTING || state->state == CAMERA_CONNECTING)
        return CAMERAS_CHANGED;
    bool notable =
        camera->noted != state->state || new_why || (state->state == CAMERA_LIVE && new_size);
    camera->noted = state->state;
    return notable ? CAMERAS_NOTABLE : CAMERAS_CHANGED;
}

enum cameras_change cameras_report(struct cameras *cameras, unsigned index, int64_t now,
                                   const struct msg_camera_state *report)
{
    if (report->state < CAMERA_STARTING || report->state >= CAMERA_STATE_END)
        return CAMERAS_SAME;
    struct msg_camera_state state = *report;
    state.index = index;
    clean_text(state.codec, sizeof state.codec);
    clean_text(state.why, sizeof state.why);
    if (state.width > RING_MAX_DIMENSION || state.height > RING_MAX_DIMENSION)
        state.width = state.height = 0;
    if (state.since_ns <= 0 || state.since_ns > now)
        state.since_ns = now;

    if (state.state == CAMERA_LIVE || state.state == CAMERA_AWAY || state.state == CAMERA_ENDED) {
        end_turn(cameras, index);
        cameras_give_up(cameras, index);
    }
    return set_state(&cameras->camera[index], &state);
}

enum cameras_change cameras_lost(struct cameras *cameras, unsigned index, int64_t now,
                                 const char *why)
{
    end_turn(cameras, index);
    struct camera *camera = &cameras->camera[index];
    if (camera->state.state == CAMERA_AWAY)
        return CAMERAS_SAME;
    struct msg_camera_state state = {.index = index, .state = CAMERA_STARTING, .since_ns = now};
    snprintf(state.why, sizeof state.why, "%s", why);
    return set_state(camera, &state);
}

/* ---- turns ---- */

void cameras_request(struct cameras *cameras, unsigned index)
{
    struct camera *camera = &cameras->camera[index];
    if (camera->turn == TURN_QUEUED)
        return;
    if (camera->turn == TURN_HELD) /* it begins anew: to the end of the queue like everybody */
        end_turn(cameras, index);
    camera->turn = TURN_QUEUED;
    cameras->queue[cameras->queued++] = index;
}

void cameras_opened(struct cameras *cameras, unsigned index)
{
    if (cameras->camera[index].turn == TURN_HELD)
        end_turn(cameras, index);
}

int cameras_grant(struct cameras *cameras)
{
    if (cameras->queued == 0 || cameras->held >= cameras->max_connecting)
        return -1;
    unsigned index = cameras->queue[0];
    cameras->queued--;
    memmove(&cameras->queue[0], &cameras->queue[1], cameras->queued * sizeof *cameras->queue);
    cameras->camera[index].turn = TURN_HELD;
    cameras->held++;
    return (int)index;
}
