/* camera_places.h: the supervisor's list of cameras: each one's place on the board, settings and
 * rings. Looked up by place, by id, or in the order of the configuration. */
#ifndef CAMRING_CAMERA_PLACES_H
#define CAMRING_CAMERA_PLACES_H

#include "common/board.h"
#include "common/conf.h"

struct camera_places;

/* Read-only for other files. */
struct camera_place {
    struct msg_place at;
    bool taken; /* a camera has this place */
    /* it has been removed from the configuration, but processes may still use it */
    bool is_leaving;
    unsigned order;    /* in the configuration */
    uint32_t settings; /* how often `conf` has changed: board_camera.settings */
    /* rings are left that `conf` doesn't ask for; encoders may still write them */
    bool has_spare_rings;
    struct conf_camera conf;
};

/* Borrows the board.  NULL: out of memory. */
struct camera_places *camera_places_create(struct board *board);
void camera_places_destroy(struct camera_places *places);

/* NULL: no camera has that place. */
struct camera_place *camera_places_at(struct camera_places *places, unsigned place);
/* The camera of that id that isn't leaving; NULL: none. */
struct camera_place *camera_places_find(struct camera_places *places, const char *id);
/* The camera at that position of the configuration; NULL: none. */
struct camera_place *camera_places_nth(struct camera_places *places, unsigned order);

/* Gives a camera a place and creates its rings. NULL with err: no place or no memory; nothing is
 * left behind. */
struct camera_place *camera_places_join(struct camera_places *places, const struct conf *conf,
                                        unsigned order, struct error *err);

/* The camera gets new settings, which the board announces. The rings that they need must exist. */
void camera_places_change(struct camera_places *places, struct camera_place *camera,
                          const struct conf_camera *conf);

/* Unlinks its rings and frees the place. No process may use the camera any more. */
void camera_places_leave(struct camera_places *places, const char *instance,
                         struct camera_place *camera);

#endif
