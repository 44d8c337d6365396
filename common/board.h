/* board.h: the instance-wide shared-memory object "camring.INSTANCE": the pool's bell, each
 * camera's leases, bell and counters, each server's load, each child's heartbeat, failed logins.
 * The supervisor creates and unlinks it; children attach. Every process may read all of it at any
 * time; each counter has one writer at a time, named beside it.
 *
 * DESIGN
 *
 * There is a fixed number of places (max_cameras).  A camera has one of them from board_join to
 * board_leave; then the place is free, and may be given to another camera.  Each place has an
 * epoch, which rises when it is taken and when it is left: odd while a camera has it.  Everything
 * that is derived from a place says for which epoch it is meant: a lease can only be acquired with
 * the epoch it was opened for, and messages name place and epoch.  So a process that missed the
 * removal of one camera can't write to the place when it is the next one's.
 *
 * The object is as large as all places need, but a place has memory only once a camera has had it:
 * board_join allocates it first, so that a full /dev/shm is an error there and kills no process
 * that touches the place later.  No process touches a place whose epoch says that it was never
 * taken: board_camera returns NULL for every free one. */
#ifndef CAMRING_BOARD_H
#define CAMRING_BOARD_H

#include "bell.h"
#include "board_motion.h"
#include "error.h"
#include "lease.h"
#include "msg.h"
#include "ring.h"
#include "stats.h"
#include "throttle.h"
#include "variant.h"

#include <stdint.h>

/* One child's heartbeat.  `deadline_ns`: the child must set a new one before then, else it counts
 * as hung; CLOCK_NEVER while it waits for an event. */
struct board_child {
    _Atomic int32_t pid; /* written by the supervisor */
    /* field 22 of /proc/PID/stat: pid and start time name a process for good */
    _Atomic uint64_t start_time;
    _Atomic int64_t deadline_ns;
    /* times it was started again after its death; written by the supervisor */
    _Atomic uint64_t restarts;
    uint8_t pad[32];
};

enum board_stage_state { BOARD_STAGE_ABSENT, BOARD_STAGE_ATTACHED, BOARD_STAGE_LATE };

/* An external step of a camera's chain.  `name` is the supervisor's: "": none; it is there before
 * the rings of the stage are, and goes after them.  The rest is written by the lease's holder. */
struct board_stage {
    char name[24];
    _Atomic uint32_t state; /* enum board_stage_state */
    uint32_t pad;
    _Atomic int64_t since_ns;  /* 0: as long as the stage is there */
    _Atomic uint64_t returned; /* pictures of the program that were used */
    _Atomic uint64_t late;     /* that came after a newer picture had gone on without it */
    _Atomic uint64_t refused;  /* that were made from no frame it had been given */
};

#define BOARD_STAGES 4 /* more than a chain has: a reload adds before it takes away */

/* One camera's place.  Counters only rise while the camera has it. */
struct board_camera {
    char id[RING_ID_SIZE];
    uint8_t pad0[48 - RING_ID_SIZE];

    /* the supervisor's */
    /* rises when the camera's settings change, before anyone is told: an encoder that has not been
     * told yet leaves the camera's frames to those that have, so no frame is made by old settings
     * after one by new ones */
    _Atomic uint32_t settings;
    _Atomic uint32_t
        watched; /* 1: looked at for motion, so capture tells of what it passes through */
    _Atomic uint32_t chained; /* 1: has a chain, so its capture passes nothing through */
    _Atomic uint32_t rings;   /* that exist: bit n for ring n of camera_rings.h */

    struct board_child capture; /* its process */

    /* written by capture, in cache lines of their own */
    /* rung by encoders after each frame of a lossless source, and by capture's own channel thread
     */
    struct bell demand;
    uint32_t lossless;         /* capture waits for `finished`: encoders ring `demand` */
    _Atomic uint64_t packets;  /* frames received whole, decodable or not */
    _Atomic int64_t packet_ns; /* when the newest came */
    _Atomic uint64_t captured; /* frames handed on: committed to the raw ring, or passed through */
    _Atomic uint64_t no_slot;  /* dropped: no free slot */
    _Atomic uint64_t corrupt;  /* dropped: could not be decoded */
    _Atomic uint64_t capture_oversize; /* dropped: passed-through JPEG larger than a slot */
    /* 1: the newest picture is a JPEG as the camera sent it; changed after its commit */
    _Atomic uint32_t passthrough;
    uint8_t pad1[64 - 8 - 6 * 8 - 4];

    /* written by the lease's holder, in cache lines of their own */
    struct lease lease;
    /* number of the raw frame that the last holder began with; stored before it begins */
    _Atomic uint64_t taken;
    /* raw frame number up to which every frame is encoded or dropped */
    _Atomic uint64_t finished;
    _Atomic uint64_t encoded;  /* JPEG frames published */
    _Atomic uint64_t late;     /* raw frames skipped because a newer one was there */
    _Atomic uint64_t oversize; /* JPEG larger than a slot */
    /* being encoded when a worker died (written by the supervisor, while the lease is free) */
    _Atomic uint64_t aborted;
    _Atomic uint64_t encode_failed; /* dropped: no JPEG slot, or the encoder refused the picture */

    /* number of present viewers at each server; written by that server */
    _Atomic uint32_t viewers[RING_MAX_WAKERS];

    /* the variants that viewers watch; written by servers (variant.h) */
    struct variant_words variants;

    /* written by the holder of the variants' lease, under the same rules as above */
    struct lease variant_lease;
    /* pictures begun, each for one slot; counted before the work begins */
    _Atomic uint64_t variant_taken;
    _Atomic uint64_t variant_encoded; /* published in one of the variants' rings */
    /* not published; also those being encoded when a worker died, which the supervisor counts */
    _Atomic uint64_t variant_failed;
    uint8_t pad2[64 - 4 * 8];
    /* the picture that each slot's last attempt was made from (encoder/variants.c) */
    _Atomic uint64_t variant_done[VARIANT_SLOTS];

    /* the line that the lease holder writes of a camera's chain */
    _Atomic uint64_t processed;     /* pictures of the chain published in the out ring */
    _Atomic uint64_t chain_failed;  /* dropped: the chain failed, or its picture had no room */
    _Atomic uint64_t chain_dropped; /* taken by the chain, which gave no picture for them */
    _Atomic int64_t chain_idle_ns;  /* since when no picture has come out of it; 0: one has */
    _Atomic uint32_t chain_told;    /* 1: the supervisor has been told that none comes */
    /* the worker that has what earlier pictures leave behind, plus 1: the state of a chain, the
     * detector of motion; 0: none.  Also stored and cleared without the lease: cleared by that
     * worker, when it lets go of it, and by the supervisor, when the worker has died */
    _Atomic uint32_t state_worker;
    _Atomic uint32_t chain_running; /* 1: the lease holder runs it at the moment */
    /* the supervisor's: how many workers have crashed or hung while they ran it, each within an
     * hour of the one before; from BOARD_CHAIN_CRASHES on it is not run any more.  0 again with
     * another chain */
    _Atomic uint32_t chain_crashes;
    _Atomic int64_t chain_crash_ns; /* when the last one did */
    uint8_t pad3[64 - 7 * 8];
    struct board_stage stages[BOARD_STAGES];

    struct board_motion motion;

    /* by enum stats_stage: latencies of the camera's own pictures. Capture adds each frame that it
     * counts as captured, an encoder each one encoded, servers each one sent */
    struct stats_histogram took[STATS_STAGES];
};

#define BOARD_CHAIN_CRASHES 3

#define BOARD_ROUTES 8
#define BOARD_STATUSES 4 /* 2xx … 5xx */

/* One server's figures, by its number. Only that server writes here while it lives. When it has
 * died, the supervisor sets its present clients and viewers to zero; its successor continues the
 * counters. */
struct board_server {
    /* present clients of streams and events, which http.max_clients limits */
    _Atomic uint32_t clients;
    /* these, and the connections accepted lately: decides which server accepts the next
     * (accept_share.h) */
    _Atomic uint32_t load;
    _Atomic uint64_t accepted; /* connections */
    _Atomic uint64_t bytes;    /* that the kernel took for clients, TLS's own not counted */
    /* 1: it accepts connections; 0: it has just started, or drains */
    _Atomic uint32_t accepting;
    uint8_t pad[64 - 3 * 8 - 4];
    /* by enum route_class (server/http/route.h), and 2xx first */
    _Atomic uint64_t answers[BOARD_ROUTES][BOARD_STATUSES];
};

#define BOARD_MAX_PLACES (2 * CONF_MAX_CAMERAS)

struct board;

/* Supervisor.  An older board of that name must be unlinked first.  All `places` are free. */
struct board *board_create(const char *instance, unsigned places, struct error *err);

/* Supervisor: gives a free place to camera `id`, with all counters at zero, and returns its number.
 * -1 with err: all are taken, or /dev/shm is full. */
int board_join(struct board *board, const char *id, struct error *err);

/* Supervisor: frees the place, once the camera has been removed and no child uses it any more. */
void board_leave(struct board *board, unsigned place);

struct board *board_open(const char *instance, struct error *err);
/* read-only */
struct board *board_inspect(const char *instance, struct error *err);
void board_close(struct board *board);
void board_unlink(const char *instance);

int64_t board_started(const struct board *board); /* when the instance began, since the epoch */
struct bell *board_pool_bell(struct board *board);
/* Rises when an event of motion begins or ends, at any camera, after its place says so. */
_Atomic uint32_t *board_motion_changes(struct board *board);

unsigned board_places(const struct board *board);
/* NULL: no camera has that place now. */
struct board_camera *board_camera(struct board *board, unsigned place);
/* Odd while a camera has the place; 0: none ever had it. */
uint32_t board_epoch(const struct board *board, unsigned place);

/* index < RING_MAX_WAKERS */
struct board_server *board_server(struct board *board, unsigned index);

/* The child `number` of that kind, a capture's number being its camera's place; NULL: there is no
 * camera there, or no such number. */
struct board_child *board_child(struct board *board, enum msg_child_kind kind, unsigned number);
/* All numbers of that kind are below this. */
unsigned board_child_numbers(const struct board *board, enum msg_child_kind kind);
struct throttle *board_throttle(struct board *board);

/* Adds to a counter that only this process writes. */
void board_count(_Atomic uint64_t *counter, uint64_t n);

/* Sums over all servers. */
unsigned board_viewers(const struct board_camera *camera);
unsigned board_clients(struct board *board);

/* Supervisor: server `index` is dead: clears its clients and viewers. */
void board_clear_server(struct board *board, unsigned index);

#endif
