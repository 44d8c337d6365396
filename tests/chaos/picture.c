#include "picture.h"

#include "common/jpeg.h"
#include "common/ring_store.h"
#include "jpeg_gray.h"

#include <stdlib.h>
#include <sys/mman.h>

#define STEPS 16
#define QUALITY 90
#define RAW_MAX (PICTURE_LARGE * PICTURE_LARGE * 3 / 2)

static _Atomic int64_t *labels;

void picture_share_labels(void)
{
    labels = mmap(NULL, sizeof *labels, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (labels == MAP_FAILED)
        abort();
}

/* Differs for any 211 labels in a row. */
static uint8_t level(const struct ring_frame *frame)
{
    return (uint8_t)(20 + frame->captured_ns * 37 % 211);
}

struct ring_frame picture_raw(unsigned side)
{
    struct ring_frame frame = {.format = RING_I420,
                               .width = side,
                               .height = side,
                               .range = RING_RANGE_FULL,
                               .camera_ns = -1,
                               .captured_ns = atomic_fetch_add(labels, 1) + 1};
    for (unsigned i = 0; i < RING_PLANES; i++) {
        frame.offset[i] = frame.bytes;
        frame.stride[i] = ring_plane_width(RING_I420, i, side);
        frame.bytes += frame.stride[i] * ring_plane_height(RING_I420, i, side);
    }
    return frame;
}

static void write_in_steps(uint8_t *to, const uint8_t *from, size_t size)
{
    for (size_t i = 0; i < STEPS; i++) {
        size_t begin = size * i / STEPS, end = size * (i + 1) / STEPS;
        memcpy(to + begin, from + begin, end - begin);
        ring_store_point();
    }
}

void picture_write(const struct ring_frame *frame, uint8_t *data)
{
    uint8_t picture[RAW_MAX];
    memset(picture, level(frame), frame->bytes);
    write_in_steps(data, picture, frame->bytes);
}

static bool put(struct ring_writer *writer, size_t room, struct ring_frame *frame,
                const uint8_t *data)
{
    struct error err;
    struct ring_loan loan;
    if (ring_writer_reserve(writer, room, 1, &err) < 0 || !ring_loan(writer, &loan))
        return false;
    write_in_steps(loan.data, data, frame->bytes);
    bool done = ring_commit(writer, &loan, frame);
    ring_loan_release(writer, &loan);
    return done;
}

bool picture_publish(struct ring_writer *writer, unsigned side)
{
    struct ring_frame frame = picture_raw(side);
    uint8_t picture[RAW_MAX];
    memset(picture, level(&frame), frame.bytes);
    return put(writer, frame.bytes, &frame, picture);
}

bool picture_publish_jpeg(struct ring_writer *writer, unsigned side)
{
    uint8_t raw[RAW_MAX], jpeg[2 * RAW_MAX];
    struct ring_frame from = picture_raw(side);
    struct error err;
    struct jpeg_encoder *encoder = jpeg_encoder_create();
    memset(raw, level(&from), from.bytes);
    size_t bytes = encoder ? jpeg_encode(encoder, &from, raw, QUALITY, jpeg, sizeof jpeg, &err) : 0;
    jpeg_encoder_destroy(encoder);
    struct ring_frame frame = {.format = RING_FORMAT_JPEG,
                               .width = side,
                               .height = side,
                               .bytes = (uint32_t)bytes,
                               .captured_ns = from.captured_ns};
    return bytes > 0 && put(writer, from.bytes, &frame, jpeg);
}

static bool all_near(const uint8_t *data, size_t size, int wanted, int tolerance)
{
    for (size_t i = 0; i < size; i++)
        if (abs(data[i] - wanted) > tolerance)
            return false;
    return true;
}

static bool planes_are_near(const struct ring_frame *frame, const uint8_t *data, int wanted)
{
    for (unsigned i = 0; i < RING_PLANES; i++)
        for (uint32_t y = 0; y < ring_plane_height(frame->format, i, frame->height); y++)
            if (!all_near(data + frame->offset[i] + (size_t)y * frame->stride[i],
                          ring_plane_width(frame->format, i, frame->width), wanted, 0))
                return false;
    return true;
}

bool picture_check(const struct ring_frame *frame, const uint8_t *data)
{
    static struct jpeg_gray gray;
    if (frame->format != RING_FORMAT_JPEG)
        return planes_are_near(frame, data, level(frame));
    return jpeg_gray_decode(data, frame->bytes, &gray) && gray.width == frame->width &&
           gray.height == frame->height &&
           all_near(gray.pixels, (size_t)gray.width * gray.height, level(frame), 2);
}
