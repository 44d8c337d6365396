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
    struct msg_place at; /* on the board; no two present cameras have the same place */
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
    /* unless live: when it last was live, or when this server first heard of it */
    int64_t away_ns;
    uint32_t width, height;
    char codec[16];
    char why[CAMERA_WHY_SIZE]; /* why it is or was away: kept until it is live again */

    struct ring_source source; /* of its own pictures, as it is configured */

    struct conf_camera settings; /* private: conf */
    struct camera_stat stat;     /* private */
    int64_t looked_ns;           /* private: when it was taken */
    struct usage usage;          /* private: camera_usage */
};

struct cameras;

/* Begins with the cameras of `setup`.  `waker` is this process's number among those that rings can
 * wake.  Fatal when out of memory. */
struct cameras *cameras_create(const struct channel_setup *setup, struct board *board, int waker);
void cameras_destroy(struct cameras *cameras);

/* Adds a camera, or updates the settings and order of one that is known. Attaches to its rings as
 * far as they exist; the others are retried when the camera is next looked at. Fatal when out of
 * memory. */
struct camera *cameras_take(struct cameras *cameras, const struct msg_camera *told);

/* Removes and frees the camera; the caller has removed every reference to it. */
void cameras_drop(struct cameras *cameras, struct camera *camera);

unsigned cameras_count(const struct cameras *cameras);
/* The camera at that position of the list; NULL: no such. */
struct camera *cameras_nth(const struct cameras *cameras, unsigned position);
struct camera *cameras_find(const struct cameras *cameras, const char *id);
/* The camera that the supervisor means; NULL: it isn't known here. */
struct camera *cameras_of(const struct cameras *cameras, const struct msg_place *at);
/* Every place is below this number, which never changes. */
unsigned cameras_places(const struct cameras *cameras);

/* A message of the supervisor's; one that makes no sense is ignored. */
void cameras_on_state(struct cameras *cameras, const struct msg_camera_state *state);

/* Reads the newest picture of the camera's own ring; true if it is a new one. */
bool camera_refresh(struct camera *camera);

/* Counts the viewers that this server has for the camera. */
void camera_add_viewer(struct camera *camera);
void camera_drop_viewer(struct camera *camera);

/* CPU and memory of its capture process. */
const struct usage *camera_usage(struct camera *camera);

/* Fills *stat, reading the ring again if what is known is older than 50 ms. */
void camera_stat(struct camera *camera, struct camera_stat *stat);

/* Age of the newest picture since it was published, in ns; -1: there is none. */
int64_t camera_stat_age(const struct camera_stat *stat);

/* Pictures a second, 0 once they have stopped. */
double camera_rate(const struct camera_stat *stat);

/* True if the camera's packets arrive; they do so without any viewer, too. */
bool camera_has_packets(const struct camera *camera);

/* True if packets arrive, and while the camera has viewers pictures, too. */
bool camera_is_fresh(struct camera *camera);

#endif
