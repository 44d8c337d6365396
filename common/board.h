/* board.h: the instance-wide shared-memory object "camring.INSTANCE": the pool's bell, each
 * camera's leases, bell and counters, each server's load, each child's heartbeat, failed logins.
 * The supervisor creates and unlinks it; children attach. Everything in it may be read by anyone at
 * any time; each counter has one writer at a time, named beside it.
 *
 * DESIGN
 *
 * There is a fixed number of places (max_cameras).  A camera has one of them from board_join to
 * board_leave; then the place is free, and may be given to another camera.  Each place has an
 * epoch, which rises when it is taken and when it is left: odd while a camera has it.  Everything
 * that is derived from a place says for which epoch it is meant: a lease can only be acquired with
 * the epoch it was opened for, and messages name place and epoch.  So a process that missed the end
 * of one camera can't write as if it were at the next one's.
 *
 * The object is as large as all places need, but a place has memory only once a camera has had it:
 * board_join allocates it first, so that a full /dev/shm is an error there and kills no process
 * that touches the place later.  Nobody touches a place whose epoch says that it was never taken:
 * board_camera returns NULL for every free one. */
#ifndef CAMRING_BOARD_H
#define CAMRING_BOARD_H

#include "bell.h"
#include "error.h"
#include "lease.h"
#include "msg.h"
#include "ring.h"
#include "stats.h"
#include "throttle.h"
#include "variant.h"

#include <stdint.h>

/* One child's heartbeat.  `deadline_ns`: the child promises to write again before then; past it, it
 * hangs.  CLOCK_NEVER while it waits for something that may never come. */
struct board_child {
    _Atomic int32_t pid; /* written by the supervisor */
    /* field 22 of /proc/PID/stat: pid and start time name a process for good */
    _Atomic uint64_t start_time;
    _Atomic int64_t deadline_ns;
    _Atomic uint64_t restarts; /* deaths that a successor followed; written by the supervisor */
    uint8_t pad[32];
};

/* One camera's place.  Counters only rise while the camera has it. */
struct board_camera {
    char id[RING_ID_SIZE];
    uint8_t pad0[60 - RING_ID_SIZE];
    _Atomic uint32_t rings; /* that exist: bit n for ring n of camera_rings.h; the supervisor's */

    struct board_child capture; /* its process */

    /* the line capture writes */
    /* rung by encoders after each frame of a lossless source and by capture's own channel thread
     * */
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

    /* the line the lease holder writes */
    struct lease lease;
    /* raw frame number the last holder took up; stored before it starts */
    _Atomic uint64_t taken;
    /* raw frame number up to which every frame is encoded or dropped */
    _Atomic uint64_t finished;
    _Atomic uint64_t encoded;  /* JPEG frames published */
    _Atomic uint64_t late;     /* raw frames skipped because a newer one was there */
    _Atomic uint64_t oversize; /* JPEG larger than a slot */
    /* in hand when a worker died (the supervisor writes it, with the lease free) */
    _Atomic uint64_t aborted;
    _Atomic uint64_t encode_failed; /* dropped: no JPEG slot, or the encoder refused the picture */

    /* who watch it now, at each server; written by that server */
    _Atomic uint32_t viewers[RING_MAX_WAKERS];

    /* what viewers want; servers write it (variant.h) */
    struct variant_words variants;

    /* what the holder of the variants' lease writes, under the rules of the other one */
    struct lease variant_lease;
    /* pictures taken up, each for one slot; counted before it starts */
    _Atomic uint64_t variant_taken;
    _Atomic uint64_t variant_encoded; /* published in one of the variants' rings */
    /* not; also those in hand when a worker died, which the supervisor counts */
    _Atomic uint64_t variant_failed;
    uint8_t pad2[64 - 4 * 8];
    /* which picture each slot was last taken up with (encoder/variants.c) */
    _Atomic uint64_t variant_done[VARIANT_SLOTS];

    /* by enum stats_stage: how long the camera's own pictures took.  Capture counts a frame when it
     * counts it as captured, an encoder as encoded, and any server what it sends */
    struct stats_histogram took[STATS_STAGES];
};

#define BOARD_ROUTES 8
#define BOARD_STATUSES 4 /* 2xx … 5xx */

/* One server's figures, by its number.  Only that server writes here while it lives; when it has
 * died, the supervisor clears what it served at that moment (with its viewers above), and its
 * successor counts on. */
struct board_server {
    /* of streams and events, now: what http.max_clients limits */
    _Atomic uint32_t clients;
    /* these, and the connections taken in the last second or so: who takes the next goes by it */
    _Atomic uint32_t load;
    _Atomic uint64_t accepted; /* connections */
    _Atomic uint64_t bytes;    /* that the kernel took for clients, TLS's own not counted */
    /* it takes connections: one that has just started or drains doesn't */
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

/* Supervisor: the camera has gone, and every child has let go of what it had of it. */
void board_leave(struct board *board, unsigned place);

struct board *board_open(const char *instance, struct error *err);
/* read-only: to look, not to write */
struct board *board_inspect(const char *instance, struct error *err);
void board_close(struct board *board);
void board_unlink(const char *instance);

int64_t board_started(const struct board *board); /* when the instance began, since the epoch */
struct bell *board_pool_bell(struct board *board);

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

/* Over all servers. */
unsigned board_viewers(const struct board_camera *camera);
unsigned board_clients(struct board *board);

/* Supervisor: server `index` is dead, it serves nobody any more. */
void board_clear_server(struct board *board, unsigned index);

#endif
