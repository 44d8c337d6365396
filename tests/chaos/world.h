/* world.h: the shared memory of one instance as the supervisor makes it, the supervisor's recovery,
 * and processes that stay alive while another is killed and must go on as if nothing had happened.
 */
#ifndef CHAOS_WORLD_H
#define CHAOS_WORLD_H

#include "common/board.h"
#include "common/conf.h"
#include "common/supervisor/children/camera_places.h"
#include "common/supervisor/instance.h"
#include "common/supervisor/memory/recover.h"

#include <sys/types.h>

#define WORLD_ROWS 6 /* shm.reader_rows */
#define WORLD_RAW "cam.raw"
#define WORLD_OUT "cam.out" /* with a chain */
#define WORLD_JPEG "cam.jpeg"
#define WORLD_PROGRAM "cam.detector" /* with a program in the chain */
#define WORLD_PROGRAM_IN "cam.detector-in"

struct world {
    const char *filter; /* the camera's chain; NULL: none.  Set before world_configure */
    bool has_program;   /* which is in the chain, between two such filters if there is one */
    struct conf conf;   /* one camera, "cam" */
    struct conf_camera camera;
    struct instance *instance;
    struct board *board;
    struct camera_places *places;
    struct board_camera *place; /* the camera's, on the board */
    struct recover recover;
    int waker; /* the server's eventfd, which recovery signals, too */
};

extern struct world world;

#define WORLD_EPOCH (board_epoch(world.board, 0)) /* of the one camera's place */
#define WORLD_AT ((struct msg_place){.place = 0, .epoch = WORLD_EPOCH})

/* Fills world.conf; world_start does it, too. */
void world_configure(void);

/* What a supervisor does when it starts, after another that may have been killed half-way; may
 * itself be killed half-way, and repeated. False with err. */
bool world_start(struct error *err);

/* What a supervisor does when the camera has gone and each process has let go of it: the next
 * camera, which has the same id, gets its place under a new epoch. May be killed half-way, too.
 * False with err. */
bool world_give_place_on(struct error *err);

/* Its end.  True if nothing of it is left. */
bool world_end(void);

/* True if the objects in /dev/shm are those of this world and no others: the board, and for each
 * ring its ctl and its current data. */
bool world_is_tidy(void);

/* ---- followers ---- */

enum follower_kind {
    FOLLOWER_PINS,   /* pins each frame; waits on the ring's bell, without a limit */
    FOLLOWER_COPIES, /* copies each frame; waits on the waker, like a server */
};

struct follower;

/* A process that takes every frame it can, checks it, and sleeps.  Start it before this process
 * opens handles of its own: what a follower inherits would keep their locks. */
struct follower *follower_start(const char *ring, enum follower_kind kind);

/* True once the follower has frame `number`, or has noticed that the ring is closed; false after
 * five seconds, or if it found a fault. */
bool follower_has(struct follower *follower, uint64_t number);
bool follower_is_told(struct follower *follower);

uint64_t follower_last(const struct follower *follower);     /* frame it has had */
const char *follower_fault(const struct follower *follower); /* "": none */
void follower_end(struct follower *follower);

/* An encode worker (encoder/pool.c), number `worker`, that waits on the pool's bell.  */
pid_t survivor_start(unsigned worker);
void survivor_end(pid_t pid);

#endif
