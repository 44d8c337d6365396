/* camera_rings.h: the table of the rings that a camera has.
 *
 * A camera's rings have numbers from 0 to CAMERA_RINGS - 1, which mean the same for every camera
 * and in every process.  Everything done for each ring of a camera (creating and removing, sizes,
 * recovery, reaping, metrics, checks, listing) loops over the numbers and asks the table.  A new
 * kind of ring is one row in camera_rings.c and its numbers here.
 *
 * Which of them exist for one camera is on the board (board_camera.rings). */
#ifndef CAMRING_CAMERA_RINGS_H
#define CAMRING_CAMERA_RINGS_H

#include "board.h"
#include "conf.h"
#include "ring.h"
#include "variant.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    CAMERA_RING_RAW,     /* "door.raw": pictures as decoded */
    CAMERA_RING_OUT,     /* "door.out": pictures as its chain has made them */
    CAMERA_RING_JPEG,    /* "door.jpeg": the camera's own pictures, encoded */
    CAMERA_RING_VARIANT, /* "door.v0" and so on, one for each variant slot */
    /* of the board's stages, in order: "door.detector-in", what its program reads if that isn't the
     * raw ring; "door.detector", what it writes */
    CAMERA_RING_STAGE_IN = CAMERA_RING_VARIANT + VARIANT_SLOTS,
    CAMERA_RING_STAGE = CAMERA_RING_STAGE_IN + BOARD_STAGES,
    CAMERA_RINGS = CAMERA_RING_STAGE + BOARD_STAGES
};

/* Which process writes a ring. */
enum camera_ring_writer {
    CAMERA_RING_BY_CAPTURE,       /* the camera's capture, for as long as it lives */
    CAMERA_RING_BY_LEASE,         /* the holder of the camera's lease */
    CAMERA_RING_BY_VARIANT_LEASE, /* the holder of the lease of its variants */
    CAMERA_RING_BY_PROGRAM,       /* a program of the user's, for as long as it is attached */
};

#define CAMERA_RING_WORD_SIZE 8

struct camera_ring {
    /* the part of the name behind the dot: "raw", "v3"; "": differs from camera to camera */
    char variant[CAMERA_RING_WORD_SIZE];
    enum ring_kind kind;
    enum camera_ring_writer writer;
    bool has_lease_row; /* row 0 is the lease holder's, who reads the ring */
    bool has_servers;   /* servers read it: each needs a row */
    bool is_on_demand;  /* made with the camera, but without pictures until a viewer asks */
    bool needs_chain;   /* exists only while the camera has a chain */
    bool needs_stage;   /* exists only while the camera has such an external step */
};

/* What the table says of ring `number`, which is below CAMERA_RINGS. */
struct camera_ring camera_ring(unsigned number);

/* The number of the ring CAMERA.`variant`; -1 if a camera has no such ring, or only some have. */
int camera_ring_number(const char *variant);

/* "door.raw".  Not for rings of stages. */
const char *camera_ring_name(unsigned number, const char *camera, char out[static RING_NAME_SIZE]);

/* The name of any ring that exists for a camera. */
const char *camera_ring_name_at(unsigned number, const struct board_camera *camera,
                                char out[static RING_NAME_SIZE]);

/* The number of the board's stage that has that name; -1 if none has. */
int camera_stage(const struct board_camera *camera, const char *name);

/* True if the ring exists, as the board says. */
bool camera_ring_exists(unsigned number, const struct board_camera *camera);

/* True if it exists and may have pictures, readers or a writer: false for the ring of a variant
 * slot that no viewer has asked for yet. */
bool camera_ring_in_use(unsigned number, const struct board_camera *camera);

/* ---- owner (supervisor) ---- */

/* The bytes of shared memory that the pictures of `camera` take, if they are `width` x `height` and
 * its decoder holds `held` slots: without the margins that a decoder may add, JPEGs of usual size,
 * no variants, no programs attached, and its chain leaving the size as it is. */
uint64_t camera_rings_bytes(const struct conf *conf, const struct conf_camera *camera,
                            uint32_t width, uint32_t height, unsigned held);

/* Makes the rings that `camera` should have and doesn't have yet; `place` is its place.  -1 with
 * err: what was made stays, and the board says which that is. */
int camera_rings_fit(const struct conf *conf, const struct conf_camera *camera,
                     struct board_camera *place, struct error *err);

/* Unlinks the rings that `camera` should not have any more.  No process may write them by then. */
void camera_rings_trim(const struct conf_camera *camera, const char *instance,
                       struct board_camera *place);

/* Unlinks all rings that the camera has, with their data. */
void camera_rings_unlink(const char *instance, struct board_camera *place);

#endif
