/* board_motion.h: what a camera's place on the board says of motion: written by the one worker that
 * has the camera's detector (board_camera.state_worker), read by anyone at any time. */
#ifndef CAMRING_BOARD_MOTION_H
#define CAMRING_BOARD_MOTION_H

#include <stdbool.h>
#include <stdint.h>

#define MOTION_BOXES 8 /* that are told: the largest */

/* In pixels of the camera's picture. */
struct motion_box {
    uint32_t x, y, width, height;
};

struct motion_state {
    bool active;      /* an event goes on */
    uint64_t event;   /* number of the newest event, 0: there was none */
    int64_t since_ns; /* when it began */
    int64_t ended_ns; /* when it ended; 0 while it goes on */
    uint32_t score;   /* how much of what is watched moves now: 0 … 100 %, rounded up */
    uint32_t peak;    /* the event's highest score */
    uint32_t box_count;
    struct motion_box boxes[MOTION_BOXES]; /* of what moves now, the largest first */
};

struct board_motion {
    _Atomic uint32_t sequence; /* odd while the rest is being written */
    _Atomic uint32_t active;
    _Atomic uint64_t event;
    _Atomic int64_t since_ns, ended_ns;
    _Atomic uint32_t score, peak, box_count;
    uint32_t pad0;
    _Atomic uint64_t boxes[MOTION_BOXES]; /* x, y, width, height, 16 bits each, x lowest */

    /* these are written by themselves */
    _Atomic uint64_t looks;  /* pictures looked at */
    _Atomic uint64_t cpu_ns; /* that took, of the worker's processor time */
};

void board_motion_write(struct board_motion *board, const struct motion_state *state);

/* False if the writer died half-way or writes all the time: then what *state says of one event may
 * be of another. */
bool board_motion_read(const struct board_motion *board, struct motion_state *state);

#endif
