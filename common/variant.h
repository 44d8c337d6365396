/* variant.h: variants: smaller or coarser copies of a camera's pictures, encoded while a server has
 * viewers for them. The board records which servers use which.
 *
 * DESIGN
 *
 * Each camera has VARIANT_SLOTS words {width, quality, users}: users has a bit for each server
 * process.  Slot n's pictures are in the ring "CAMERA.vn".  A word is only ever changed as a whole,
 * by one compare-and-swap; if that finds another value than the change was computed for, the change
 * is computed again. So
 *   - nothing tears: width, quality and users that are read together belong together;
 *   - nothing leaks: joining twice is joining once, and a server killed before or after any
 *     instruction leaves at most its own bits, which mean nothing to others and which the
 *     supervisor clears when the server is dead (variant_clear_server);
 *   - it is lock-free: a swap fails only because another one succeeded;
 *   - a value that comes back (A, B, A) is as good as one that never went: a word has no history.
 *
 * A slot's variant changes only while it has no users, so a server keeps the variant it joined.
 * Pictures of the slot's last variant may still lie in its ring: each says its own
 * (ring_frame.variant), and the reader passes over others. Two servers that join a new variant at
 * the same moment may come to have a slot each, when a lower one falls free between their looks:
 * the encoder then encodes once and writes it twice. */
#ifndef CAMRING_VARIANT_H
#define CAMRING_VARIANT_H

#include "ring.h"

#include <stdbool.h>
#include <stdint.h>

#define VARIANT_SLOTS 8
#define VARIANT_MIN_WIDTH 16
#define VARIANT_MAX_WIDTH 8192

struct variant {
    uint16_t width;  /* 0: the camera's */
    uint8_t quality; /* 0: the camera's */
};

/* Part of struct board_camera (board.h), all zero at first. */
struct variant_words {
    _Atomic uint64_t slot[VARIANT_SLOTS];
};

/* ---- which variants there can be ---- */

/* The variant that is encoded for a client asking for `width` and `quality` (0: the camera's): the
 * next width of a ladder from 160 to 3840, always smaller than `source_width` (0: not known), and a
 * multiple of 5 from 10 to 95; each 0 where that is the camera's own. `source_quality` is the
 * camera's, 0: not known, as when its JPEGs are passed through.  Both 0: the camera's picture as it
 * is. */
struct variant variant_round(unsigned width, unsigned quality, unsigned source_width,
                             unsigned source_quality);

/* Size of a picture of the variant made from a width x height one: proportions kept, height even.
 */
void variant_size(struct variant variant, uint32_t width, uint32_t height, uint32_t *out_width,
                  uint32_t *out_height);

/* As ring_frame.variant has it; 0: the camera's picture as it is. */
uint32_t variant_pack(struct variant variant);
struct variant variant_unpack(uint32_t packed);

/* "640w q60", "640w", "q60", or "" for the camera's own. */
#define VARIANT_TEXT_SIZE 16
const char *variant_text(struct variant variant, char out[static VARIANT_TEXT_SIZE]);

/* ---- which servers use one ---- */

/* Records that server number `server` (below RING_MAX_WAKERS) uses the variant from now on. Returns
 * its slot, the same if it has joined already; -1 if all slots are taken by other variants, or if
 * this is no variant but the camera's own picture.  The caller then rings the pool's bell, as there
 * may be a picture to encode already. A server joins and leaves a variant once, however many
 * viewers it has. */
int variant_join(struct variant_words *words, unsigned server, struct variant wanted);
void variant_leave(struct variant_words *words, unsigned server, unsigned slot);

/* For the supervisor, when the server is known to be dead: leaves all its variants. */
void variant_clear_server(struct variant_words *words, unsigned server);

/* True if any server uses slot number `slot`; *out is the slot's variant, in either case. */
bool variant_wanted(const struct variant_words *words, unsigned slot, struct variant *out);

/* True if any server uses any slot. A server that joins too late to be seen here will see all that
 * the caller stored before this call. */
bool variant_any_wanted(const struct variant_words *words);

/* False if no server has used the slot yet: then its ring has no readers and no pictures. */
bool variant_was_wanted(const struct variant_words *words, unsigned slot);

#endif
