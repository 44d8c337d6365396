/* camera.h: the cameras this server knows: their state as the supervisor tells it, and the newest
 * picture of each. */
#ifndef SERVER_CAMERA_H
#define SERVER_CAMERA_H

#include "common/board.h"
#include "common/channel.h"
#include "common/usage.h"
#include "server/frames/ring_source.h"

#include <stdbool.h>
#include <stdint.h>

#define CAMERA_WHY_SIZE 256

/* What the JPEG ring holds, without copying a picture; looked up at most every 50 ms. */
struct camera_stat {
    double fps;
    uint64_t frame;                  /* number of the newest picture, 0: none */
    int64_t captured_ns, started_ns; /* when that was captured, and encoding began */
    int64_t newest_ns;               /* when it was published, -1: none */
    uint32_t width, height;          /* its size; without one what the camera says, 0: unknown */
};

/* For others to read; only camera.c writes. */
struct camera {
    struct msg_place at; /* on the board; the place tells those that there are now apart */
    unsigned order;      /* in the configuration; they are in that order in the list */
    char id[RING_ID_SIZE];
    const struct conf_camera *conf; /* its own copy, which changes with the configuration */
    enum conf_offline offline;
    int64_t stall_timeout_ns;
    /* the same for pictures: a cap of the rate (fps) makes them rarer than packets */
    int64_t picture_timeout_ns;
    struct board_camera *board;
    struct board_child *capture; /* its process */

    enum camera_state state;
    int64_t since_ns; /* of the state */
    int64_t away_ns;  /* unless live: when it last was, or since when it is known */
    uint32_t width, height;
    char codec[16];
    char why[CAMERA_WHY_SIZE]; /* why it is away, or was: kept until it is live again */

    struct ring_source source; /* of its own pictures, as it is configured */

    struct conf_camera settings; /* private: conf */
    struct camera_stat stat;     /* private */
    int64_t looked_ns;           /* private: when it was taken */
    struct usage usage;          /* private: camera_usage */
};

struct cameras;

/* With those of `setup`.  `waker` is this process's number among those that rings can wake.  Fatal
 * when out of memory. */
struct cameras *cameras_create(const struct channel_setup *setup, struct board *board, int waker);
void cameras_destroy(struct cameras *cameras);

/* Takes up a camera, or what has changed with one: its settings and its order.  Attaches to its
 * rings as far as that goes; the rest follows when it is looked at.  Fatal when out of memory. */
struct camera *cameras_take(struct cameras *cameras, const struct msg_camera *told);

/* The camera has gone, and nothing here watches or names it any more. */
void cameras_drop(struct cameras *cameras, struct camera *camera);

unsigned cameras_count(const struct cameras *cameras);
/* The camera at that position of the list; NULL: no such. */
struct camera *cameras_nth(const struct cameras *cameras, unsigned position);
struct camera *cameras_find(const struct cameras *cameras, const char *id);
/* The camera that the supervisor means; NULL: it isn't known here. */
struct camera *cameras_of(const struct cameras *cameras, const struct msg_place *at);
/* All their places are below this, for ever. */
unsigned cameras_places(const struct cameras *cameras);

/* A message of the supervisor's; one that makes no sense is ignored. */
void cameras_on_state(struct cameras *cameras, const struct msg_camera_state *state);

/* Looks for a new newest picture of its own: true if there is one. */
bool camera_refresh(struct camera *camera);

/* Somebody watches the camera here, or does no more. */
void camera_add_viewer(struct camera *camera);
void camera_drop_viewer(struct camera *camera);

/* What its capture process uses. */
const struct usage *camera_usage(struct camera *camera);

/* What is known of its own pictures, taken anew if it is old. */
void camera_stat(struct camera *camera, struct camera_stat *stat);

/* How long ago its newest picture was published, in ns; -1: it has none. */
int64_t camera_stat_age(const struct camera_stat *stat);

/* Pictures a second, 0 once they have stopped. */
double camera_rate(const struct camera_stat *stat);

/* True if packets of it come, which they do even while nobody watches. */
bool camera_has_packets(const struct camera *camera);

/* True if packets come, and pictures too where somebody watches. */
bool camera_is_fresh(struct camera *camera);

#endif
