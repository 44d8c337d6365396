#include "camera_states.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum permit { PERMIT_NONE, PERMIT_QUEUED, PERMIT_HELD };

#define WHY_SIZE sizeof((struct msg_camera_state){0}).why

struct camera {
    struct msg_camera_state state;   /* as others are told */
    struct msg_camera_state capture; /* as its capture has said */
    char chain_why[WHY_SIZE];        /* why its chain gives no pictures; "": it does */
    int64_t chain_ns;                /* when that was so */
    char last_why[WHY_SIZE];
    enum camera_state noted; /* the last state that was worth a line in the log */
    bool joined, settled;
    enum permit permit;
};

struct camera_states {
    unsigned count, max_connecting, held, settled;
    unsigned *queue; /* of the places with PERMIT_QUEUED, in order of their requests */
    unsigned queued;
    struct camera camera[];
};

struct camera_states *camera_states_create(unsigned places, unsigned max_connecting)
{
    struct camera_states *cameras = calloc(1, sizeof *cameras + places * sizeof *cameras->camera);
    unsigned *queue = calloc(places ? places : 1, sizeof *queue);
    if (!cameras || !queue) {
        free(cameras);
        free(queue);
        return NULL;
    }
    cameras->queue = queue;
    camera_states_set_max_connecting(cameras, max_connecting);
    return cameras;
}

void camera_states_set_max_connecting(struct camera_states *cameras, unsigned max_connecting)
{
    cameras->max_connecting = max_connecting ? max_connecting : 1;
}

void camera_states_join(struct camera_states *cameras, struct msg_place at, int64_t now)
{
    struct camera *camera = &cameras->camera[at.place], before = *camera;
    *camera = (struct camera){.joined = true};
    if (before.state.at.epoch == at.epoch) { /* captured anew: its chain is the same */
        memcpy(camera->chain_why, before.chain_why, sizeof camera->chain_why);
        camera->chain_ns = before.chain_ns;
    }
    camera->state = camera->capture =
        (struct msg_camera_state){.at = at, .state = CAMERA_STARTING, .since_ns = now};
    cameras->count++;
}

void camera_states_destroy(struct camera_states *cameras)
{
    if (!cameras)
        return;
    free(cameras->queue);
    free(cameras);
}

const struct msg_camera_state *camera_states_state(const struct camera_states *cameras,
                                                   unsigned place)
{
    return &cameras->camera[place].state;
}

const char *camera_states_codec(const struct camera_states *cameras, unsigned place)
{
    const struct msg_camera_state *capture = &cameras->camera[place].capture;
    return capture->state == CAMERA_LIVE ? capture->codec : "";
}

bool camera_states_settled(const struct camera_states *cameras, unsigned place)
{
    return cameras->camera[place].settled;
}

bool camera_states_all_settled(const struct camera_states *cameras)
{
    return cameras->settled == cameras->count;
}

bool camera_states_fine(const struct camera_states *cameras, unsigned place)
{
    uint32_t state = cameras->camera[place].state.state;
    return state == CAMERA_LIVE || state == CAMERA_ENDED;
}

const char *camera_states_last_why(const struct camera_states *cameras, unsigned place)
{
    return cameras->camera[place].last_why;
}

void camera_states_give_up(struct camera_states *cameras, unsigned place)
{
    if (cameras->camera[place].joined && !cameras->camera[place].settled) {
        cameras->camera[place].settled = true;
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

static void end_permit(struct camera_states *cameras, unsigned place)
{
    struct camera *camera = &cameras->camera[place];
    if (camera->permit == PERMIT_HELD) {
        cameras->held--;
    } else if (camera->permit == PERMIT_QUEUED) {
        unsigned at = 0;
        while (cameras->queue[at] != place)
            at++;
        cameras->queued--;
        memmove(&cameras->queue[at], &cameras->queue[at + 1],
                (cameras->queued - at) * sizeof *cameras->queue);
    }
    camera->permit = PERMIT_NONE;
}

/* Everything but the time: a report of the same state is no change. */
static bool same_state(const struct msg_camera_state *a, const struct msg_camera_state *b)
{
    return a->state == b->state && a->width == b->width && a->height == b->height &&
           strcmp(a->codec, b->codec) == 0 && strcmp(a->why, b->why) == 0;
}

/* What others are told: what capture says, but that a chain without pictures makes a camera away.
 */
static struct msg_camera_state state_of(const struct camera *camera)
{
    struct msg_camera_state state = camera->capture;
    if (state.state != CAMERA_LIVE || !camera->chain_why[0])
        return state;
    state.state = CAMERA_AWAY;
    if (camera->chain_ns > state.since_ns)
        state.since_ns = camera->chain_ns;
    memcpy(state.why, camera->chain_why, sizeof state.why);
    return state;
}

static enum camera_change note_state(struct camera *camera, const struct msg_camera_state *state)
{
    if (same_state(&camera->state, state))
        return CAMERA_CHANGE_SAME;
    bool new_size = camera->state.width != state->width || camera->state.height != state->height;
    camera->state = *state;

    bool new_why = state->why[0] && strcmp(camera->last_why, state->why) != 0;
    if (state->why[0])
        snprintf(camera->last_why, sizeof camera->last_why, "%s", state->why);
    if (state->state == CAMERA_STARTING || state->state == CAMERA_CONNECTING)
        return CAMERA_CHANGE_CHANGED;
    bool notable =
        camera->noted != state->state || new_why || (state->state == CAMERA_LIVE && new_size);
    camera->noted = state->state;
    return notable ? CAMERA_CHANGE_NOTABLE : CAMERA_CHANGE_CHANGED;
}

static enum camera_change set_state(struct camera *camera, const struct msg_camera_state *reported)
{
    camera->capture = *reported;
    struct msg_camera_state state = state_of(camera);
    return note_state(camera, &state);
}

enum camera_change camera_states_chain(struct camera_states *cameras, unsigned place, int64_t now,
                                       int64_t at_ns, const char *why)
{
    struct camera *camera = &cameras->camera[place];
    if (!camera->joined || at_ns < camera->chain_ns)
        return CAMERA_CHANGE_SAME;
    camera->chain_ns = at_ns < now ? at_ns : now;
    snprintf(camera->chain_why, sizeof camera->chain_why, "%.*s", (int)WHY_SIZE - 1, why);
    clean_text(camera->chain_why, sizeof camera->chain_why);
    struct msg_camera_state state = state_of(camera);
    if (!why[0] && state.state == CAMERA_LIVE && camera->state.state == CAMERA_AWAY)
        camera->capture.since_ns = state.since_ns = camera->chain_ns;
    return note_state(camera, &state);
}

enum camera_change camera_states_report(struct camera_states *cameras, unsigned place, int64_t now,
                                        const struct msg_camera_state *report)
{
    if (!cameras->camera[place].joined || report->state < CAMERA_STARTING ||
        report->state >= CAMERA_STATE_END)
        return CAMERA_CHANGE_SAME;
    struct msg_camera_state state = *report;
    state.at = cameras->camera[place].state.at;
    clean_text(state.codec, sizeof state.codec);
    clean_text(state.why, sizeof state.why);
    if (state.width > RING_MAX_DIMENSION || state.height > RING_MAX_DIMENSION)
        state.width = state.height = 0;
    if (state.since_ns <= 0 || state.since_ns > now)
        state.since_ns = now;

    if (state.state == CAMERA_LIVE || state.state == CAMERA_AWAY || state.state == CAMERA_ENDED) {
        end_permit(cameras, place);
        camera_states_give_up(cameras, place);
    }
    return set_state(&cameras->camera[place], &state);
}

enum camera_change camera_states_lost(struct camera_states *cameras, unsigned place, int64_t now,
                                      const char *why)
{
    end_permit(cameras, place);
    struct camera *camera = &cameras->camera[place];
    if (!camera->joined || camera->capture.state == CAMERA_AWAY)
        return CAMERA_CHANGE_SAME;
    struct msg_camera_state state = {
        .at = camera->state.at, .state = CAMERA_STARTING, .since_ns = now};
    snprintf(state.why, sizeof state.why, "%s", why);
    return set_state(camera, &state);
}

void camera_states_leave(struct camera_states *cameras, unsigned place)
{
    struct camera *camera = &cameras->camera[place];
    if (!camera->joined)
        return;
    end_permit(cameras, place);
    cameras->count--;
    cameras->settled -= camera->settled;
    camera->joined = camera->settled = false;
}

/* ---- permits to open ---- */

void camera_states_request(struct camera_states *cameras, unsigned place)
{
    struct camera *camera = &cameras->camera[place];
    if (!camera->joined || camera->permit == PERMIT_QUEUED)
        return;
    if (camera->permit == PERMIT_HELD) /* it asks again: to the end of the queue */
        end_permit(cameras, place);
    camera->permit = PERMIT_QUEUED;
    cameras->queue[cameras->queued++] = place;
}

void camera_states_opened(struct camera_states *cameras, unsigned place)
{
    if (cameras->camera[place].permit == PERMIT_HELD)
        end_permit(cameras, place);
}

int camera_states_grant(struct camera_states *cameras)
{
    if (cameras->queued == 0 || cameras->held >= cameras->max_connecting)
        return -1;
    unsigned place = cameras->queue[0];
    cameras->queued--;
    memmove(&cameras->queue[0], &cameras->queue[1], cameras->queued * sizeof *cameras->queue);
    cameras->camera[place].permit = PERMIT_HELD;
    cameras->held++;
    return (int)place;
}
