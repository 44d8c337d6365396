#include "server/frames/camera_motion.h"

#include <stdatomic.h>

/* The event goes on in the detector, which gets no pictures; it is told as ended when the last
 * packet came, and the detector ends it with the next picture. */
static void end_event(const struct camera *camera, struct motion_state *state)
{
    int64_t packet_ns = atomic_load_explicit(&camera->board->packet_ns, memory_order_relaxed);
    state->active = false;
    state->ended_ns = packet_ns > state->since_ns ? packet_ns : state->since_ns;
    state->score = state->box_count = 0;
}

bool camera_motion(const struct camera *camera, struct motion_state *state)
{
    *state = (struct motion_state){0};
    if (!camera->conf->motion.enabled)
        return false;
    board_motion_read(&camera->board->motion, state); /* torn at worst: the next look is not */
    if (state->active && !camera_has_packets(camera))
        end_event(camera, state);
    return true;
}
