/* stage.h: what the kill tests have in common. An actor is run again and again in a process of its
 * own and killed after its 1st, 2nd, 3rd … store to shared memory, until it comes through alive.
 * After each death the supervisor's recovery runs, and the surviving processes must be able to go
 * on: every reader gets the newest frame without another ring of the bell, no picture is torn,
 * numbers rise, every slot and row can be used again, and /dev/shm holds exactly the expected
 * objects. */
#ifndef CHAOS_STAGE_H
#define CHAOS_STAGE_H

#include "picture.h"
#include "world.h"

#define DEAD_WORKER 0
#define LIVING_WORKER 1
#define MANY 12 /* frames: more than there are slots */

struct stage {
    struct follower *followers[2]; /* of one ring */
    unsigned rows_taken;           /* of the raw ring's, by them */
    pid_t survivor;                /* the living worker, 0: none */
    struct ring_writer *raw;       /* this process's, where the actor is not the writer */
};

extern struct stage stage;

/* ---- an actor ---- */

/* Runs `act` in a process of its own and kills it after its store number `at` (0: never).  True if
 * it came so far.  `serve` does what it asks for. */
bool stage_dies(void (*act)(void), unsigned at, void (*serve)(char what));
void stage_serve_nothing(char what);
void stage_serve_frames(char what); /* 's', 'l': a small, a large picture; 'm': many */

/* In the actor: fails the test unless `holds`. */
void stage_must(bool holds, const char *what);

/* In the actor: has the test's own process do `what`, and waits until it is done. */
void stage_ask(char what);

/* ---- scenery ---- */

void stage_begin(void);
void stage_end(void);              /* nothing may be left */
int stage_tear_down(void **state); /* after a test that failed on its way */
void stage_follow(const char *ring);
void stage_unfollow(void);
void stage_open_raw(void);
void stage_close_raw(void);
void stage_publish(unsigned side, unsigned count);

/* Publishes one, and tells the encoders. */
void stage_offer(unsigned side);

/* Pins the newest raw frame while an actor dies; stage_check_held then finds it unchanged. */
void stage_hold(void);
void stage_check_held(void);

struct ring_reader *stage_attach(const char *ring, enum ring_role role);
struct ring_writer *stage_open_writer(const char *ring, bool exclusive);

/* ---- what must hold afterwards ---- */

/* Number of the newest frame, 0 if the newest generation has none yet. */
uint64_t stage_head(const char *ring);
const struct ring_stat *stage_stat(const char *ring); /* valid until the next call */

/* Every follower gets the newest frame although the bell is not rung any more. */
void stage_check_nobody_waits(const char *ring);

/* Every slot can be loaned but the newest frame's and `pinned` others. */
void stage_check_slots(struct ring_writer *writer, unsigned pinned);
void stage_check_slots_of(const char *ring, struct ring_writer *writer, unsigned pinned);

/* After some frames of stage.raw's: beside the writer's slots there are those of living readers,
 * and no memory beside what is said to exist. */
void stage_check_memory(void);
void stage_check_memory_of(const char *ring); /* of a raw ring, at once */

/* A writer that has just taken over has cleared what the dead one left half-done. */
void stage_check_no_half_slots(const char *ring);

/* The camera's rings pass ring_verify.h; those of variants are looked at elsewhere. */
void stage_check_sound(void);

/* Every row of the raw ring that no living process holds can be claimed. */
void stage_check_rows(void);

/* Frames go on: each has the next number and reaches every follower. */
void stage_check_new_frames(struct ring_writer *writer, const char *ring,
                            bool (*put)(struct ring_writer *writer, unsigned side));

#endif
