#include "output.h"

#include "common/clock.h"
#include "common/log.h"

#include <errno.h>
#include <string.h>

#define COMPLAIN_EVERY (60 * NS_PER_S)

static bool borrow_slot(struct ring_writer *ring, size_t size, struct ring_loan *loan,
                        struct output_fault *fault)
{
    if (ring_writer_reserve(ring, size, 0, &fault->err) < 0) {
        fault->stage = fault->stage == OUTPUT_ENCODE ? OUTPUT_GROW : OUTPUT_RESERVE;
        return false;
    }
    if (!ring_loan(ring, loan)) {
        fault->stage = OUTPUT_LOAN;
        error_set(&fault->err, 0, "no free slot in the JPEG ring");
        return false;
    }
    return true;
}

/* Returns the JPEG's length, with the loan; or 0, without. */
static size_t output_encode(struct ring_writer *ring, struct jpeg_encoder *encoder,
                            const struct ring_frame *picture, const uint8_t *data, unsigned quality,
                            struct ring_loan *loan, struct output_fault *fault)
{
    size_t bound = jpeg_bound(picture->format, picture->width, picture->height);
    size_t size = jpeg_usual(picture->format, picture->width, picture->height);
    fault->stage = OUTPUT_RESERVE;
    for (;;) {
        if (!borrow_slot(ring, size, loan, fault))
            return 0;
        fault->stage = OUTPUT_ENCODE;
        size_t length =
            jpeg_encode(encoder, picture, data, quality, loan->data, loan->capacity, &fault->err);
        if (length > 0)
            return length;
        size_t capacity = loan->capacity;
        ring_loan_release(ring, loan);
        if (fault->err.code != ENOSPC || capacity >= bound)
            return 0;
        size = 2 * capacity < bound ? 2 * capacity : bound;
    }
}

static bool output_commit(struct ring_writer *ring, struct ring_loan *loan, struct ring_frame *made,
                          struct output_fault *fault)
{
    if (ring_commit(ring, loan, made))
        return true;
    ring_loan_release(ring, loan);
    fault->stage = OUTPUT_COMMIT;
    error_set(&fault->err, 0, "the JPEG ring was replaced meanwhile");
    return false;
}

bool output_publish(struct ring_writer *ring, struct jpeg_encoder *encoder,
                    const struct ring_frame *picture, const uint8_t *data, unsigned quality,
                    struct ring_frame *made, struct ring_loan *loan, struct output_fault *fault)
{
    ring_writer_takeover(ring);
    made->format = RING_FORMAT_JPEG;
    made->width = picture->width;
    made->height = picture->height;
    made->range = RING_RANGE_FULL;
    made->matrix = RING_MATRIX_BT601;
    made->bytes = (uint32_t)output_encode(ring, encoder, picture, data, quality, loan, fault);
    return made->bytes > 0 && output_commit(ring, loan, made, fault);
}

bool output_repeat(struct ring_writer *ring, const struct ring_frame *made, const uint8_t *data,
                   struct output_fault *fault)
{
    struct ring_frame again = *made;
    struct ring_loan loan;
    ring_writer_takeover(ring);
    fault->stage = OUTPUT_RESERVE;
    if (!borrow_slot(ring, made->bytes, &loan, fault))
        return false;
    memcpy(loan.data, data, made->bytes);
    if (!output_commit(ring, &loan, &again, fault))
        return false;
    ring_loan_release(ring, &loan);
    return true;
}

bool output_is_oversize(const struct output_fault *fault)
{
    return fault->stage == OUTPUT_GROW ||
           (fault->stage == OUTPUT_ENCODE && fault->err.code == ENOSPC);
}

void output_complain(struct output_complaint *last, const char *camera, const char *what,
                     const struct output_fault *fault)
{
    int64_t now = clock_now();
    if (fault->stage == last->stage && fault->err.code == last->code &&
        now - last->ns < COMPLAIN_EVERY)
        return;
    *last = (struct output_complaint){.stage = fault->stage, .code = fault->err.code, .ns = now};
    log_warn("camera %s: %s not encoded: %s", camera, what, fault->err.text);
}
