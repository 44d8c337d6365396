/* chain.h: what a camera's configuration does to its pictures before they are encoded: one chain of
 * steps, in one worker.  libavfilter does most of them; it is loaded with the first chain.
 *
 * For one thread.  An error names the step; its code says where in the chain that is
 * (chain_place.h). */
#ifndef CAMRING_ENCODER_CHAIN_H
#define CAMRING_ENCODER_CHAIN_H

#include "common/conf.h"
#include "common/error.h"
#include "common/ring.h"

#include <stdbool.h>
#include <stdint.h>

struct chain;

enum chain_result {
    CHAIN_PICTURE,
    CHAIN_NONE, /* the steps have taken the picture and give none for it, or none yet */
    CHAIN_FAILED
};

/* Of a camera whose chain has steps; copies what it needs.  NULL with err.  What depends on the
 * pictures' size is prepared by chain_run, and anew whenever that changes. */
struct chain *chain_create(const struct conf_camera *camera, struct error *err);
/* The same with the steps from number `first` up to `end`, without that: what lies between external
 * steps, which a chain passes over. */
struct chain *chain_create_part(const struct conf_camera *camera, unsigned first, unsigned end,
                                struct error *err);
void chain_destroy(struct chain *chain);

/* Looks at step number `step`, from 0, by itself.  False, with err, if it can't be right, whatever
 * pictures come. */
bool chain_check_step(const struct conf_chain *chain, unsigned step, struct error *err);

/* True if a result depends on pictures before it: such a chain must stay with one worker.  Known
 * without running it, and the same in every process. */
bool chain_keeps_state(const struct conf_chain *chain);

/* Puts a valid raw picture through; `data` is its payload.  On CHAIN_PICTURE `out` describes the
 * result, planes one behind the other from offset 0, and has source, camera_ns and captured_ns of
 * the raw picture that it was made from; and `data` is borrowed until chain_copy has returned, or
 * the chain is run again or destroyed.  Otherwise it is borrowed only until return.  CHAIN_FAILED,
 * with err: the next picture is as if it were the first; where the steps can't be prepared for a
 * size, that is not tried again until the size changes. */
enum chain_result chain_run(struct chain *chain, const struct ring_frame *in, const uint8_t *data,
                            struct ring_frame *out, struct error *err);

/* Writes the result of the last chain_run, which was CHAIN_PICTURE, to `to`, which has room for
 * out->bytes.  Once per result. */
void chain_copy(struct chain *chain, uint8_t *to);

#endif
