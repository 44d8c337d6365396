/* output.h: encodes a picture straight into a slot of a JPEG ring, and logs failures. The caller
 * holds the ring's lease. */
#ifndef CAMRING_ENCODER_OUTPUT_H
#define CAMRING_ENCODER_OUTPUT_H

#include "common/jpeg.h"
#include "common/ring.h"

/* How far a picture came. */
enum output_stage {
    OUTPUT_READ = 1,
    OUTPUT_PROCESS,
    OUTPUT_DECODE,
    OUTPUT_SCALE,
    OUTPUT_OPEN,
    OUTPUT_RESERVE,
    OUTPUT_LOAN,
    OUTPUT_ENCODE,
    OUTPUT_GROW,
    OUTPUT_COMMIT
};

struct output_fault {
    enum output_stage stage;
    struct error err;
};

/* Encodes the raw picture into a loaned slot, or a larger one if that is too small, and publishes
 * it. `made` gives what the frame says beside size, format and bytes. True: published, and the loan
 * is the caller's to release. False with fault. */
bool output_publish(struct ring_writer *ring, struct jpeg_encoder *encoder,
                    const struct ring_frame *picture, const uint8_t *data, unsigned quality,
                    struct ring_frame *made, struct ring_loan *loan, struct output_fault *fault);

/* Publishes the same JPEG in another ring. */
bool output_repeat(struct ring_writer *ring, const struct ring_frame *made, const uint8_t *data,
                   struct output_fault *fault);

/* True if it failed for the picture's size. */
bool output_is_oversize(const struct output_fault *fault);

/* What was logged last; all zero at first. */
struct output_complaint {
    enum output_stage stage;
    int code;
    int64_t ns;
};

/* Logs a fault once until it changes; one that lasts, once a minute. `what`: "frame". */
void output_complain(struct output_complaint *last, const char *camera, const char *what,
                     const struct output_fault *fault);

#endif
