/* Through the public library: raw pictures, pinned or copied. */
#include "watch.h"

#include "common/camring.h"
#include "common/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_NS (20 * NS_PER_MS)
#define LOOK_NS (200 * NS_PER_MS)

struct ring {
    struct watch *watch;
    const char *instance;
    bool observe;
    int64_t hold_ns;
    unsigned seed;
    const char *step;              /* that this is the program of; NULL: none */
    struct camring_writer *writer; /* of its ring */
    struct camring_reader *reader;
    uint64_t taken, last; /* by this reader: pictures, and the number of the newest */
    uint8_t *before;      /* the luma as it was when it was pinned */
};

/* The ring is between two supervisors, or not made yet. */
static bool passes(int code)
{
    return code == CAMRING_ABSENT || code == CAMRING_EMPTY || code == CAMRING_CLOSED;
}

static void attach(struct ring *ring)
{
    struct camring_error error;
    while (!(ring->reader = camring_attach(ring->instance, ring->watch->camera,
                                           ring->observe ? CAMRING_OBSERVE : 0, &error))) {
        if (!passes(error.code))
            watch_fault(ring->watch, "attach: %s", error.text);
        watch_pause(ring->watch, RETRY_NS);
    }
    ring->taken = ring->last = 0;
}

/* The picture's number is in its time stamp as well as in its pixels. */
static int64_t check(struct ring *ring, const struct camring_frame *frame, const char *when)
{
    struct watch *watch = ring->watch;
    uint16_t code;
    if (frame->format != CAMRING_I420 || frame->width != watch->width ||
        frame->height != watch->height)
        watch_fault(watch, "frame %llu is %ux%u, format %u", (unsigned long long)frame->number,
                    frame->width, frame->height, frame->format);
    int64_t number = testcam_number(watch->cam, frame->camera_ns);
    if (!testcam_read_code(watch->cam, frame->plane[0], frame->stride[0], &code) ||
        code != (uint16_t)number || !testcam_check(watch->cam, number, frame->plane, frame->stride))
        watch_fault(watch, "torn: frame %llu is not picture %lld %s",
                    (unsigned long long)frame->number, (long long)number, when);
    return number;
}

static void keep(const struct ring *ring, const struct camring_frame *frame)
{
    for (unsigned row = 0; row < frame->height; row++)
        memcpy(ring->before + (size_t)row * frame->width,
               frame->plane[0] + (size_t)row * frame->stride[0], frame->width);
}

static void compare(const struct ring *ring, const struct camring_frame *frame)
{
    for (unsigned row = 0; row < frame->height; row++)
        if (memcmp(ring->before + (size_t)row * frame->width,
                   frame->plane[0] + (size_t)row * frame->stride[0], frame->width) != 0)
            watch_fault(ring->watch, "torn: frame %llu changed while it was pinned",
                        (unsigned long long)frame->number);
}

/* What the ring has counted for this reader is what it has had. */
static void check_account(struct ring *ring)
{
    struct camring_stat stat;
    struct camring_error error;
    if (ring->observe || camring_reader_stat(ring->reader, &stat, &error) < 0)
        return;
    if (stat.taken != ring->taken || stat.joined + stat.taken + stat.missed != ring->last)
        watch_fault(
            ring->watch,
            "account: joined at %llu, %llu taken, %llu missed; but %llu were taken up to %llu",
            (unsigned long long)stat.joined, (unsigned long long)stat.taken,
            (unsigned long long)stat.missed, (unsigned long long)ring->taken,
            (unsigned long long)ring->last);
}

/* ---- the program of an external step ---- */

/* The ring is camring's, and is not there while camring is not; camring_writer_open would make it.
 */
static bool open_output(struct ring *ring, struct camring_error *error)
{
    char name[100];
    snprintf(name, sizeof name, "%s.%s", ring->watch->camera, ring->step);
    struct camring_reader *there = camring_attach(ring->instance, name, CAMRING_OBSERVE, error);
    if (!there)
        return false;
    camring_detach(there);
    ring->writer = camring_writer_open(ring->instance, name, CAMRING_KIND_RAW, 1, error);
    return ring->writer;
}

static bool publish(struct ring *ring, const struct camring_frame *from,
                    struct camring_error *error)
{
    struct camring_frame frame = *from;
    size_t bytes = 0;
    for (unsigned i = 0; i < 3; i++)
        bytes += (size_t)from->stride[i] * (i > 0 ? (from->height + 1) / 2 : from->height);
    uint8_t *data = camring_loan(ring->writer, bytes, error);
    if (!data)
        return false;
    for (unsigned i = 0; i < 3; i++) {
        size_t size = (size_t)from->stride[i] * (i > 0 ? (from->height + 1) / 2 : from->height);
        memcpy(data, from->plane[i], size);
        frame.plane[i] = data;
        data += size;
    }
    frame.source = from->number;
    return camring_commit(ring->writer, &frame, error) == 0;
}

static void give_back(struct ring *ring, const struct camring_frame *frame)
{
    struct camring_error error;
    if ((ring->writer || open_output(ring, &error)) && publish(ring, frame, &error))
        return;
    camring_writer_close(ring->writer, 0);
    ring->writer = NULL;
    /* busy: camring looks after the ring of the program before this one, which was killed */
    if (!passes(error.code) && error.code != CAMRING_BUSY)
        watch_fault(ring->watch, "giving back: %s", error.text);
}

/* ---- every ring ---- */

static void take(struct ring *ring, const struct camring_frame *frame)
{
    struct watch *watch = ring->watch;
    if (frame->number <= ring->last)
        watch_fault(watch, "frame %llu comes after frame %llu", (unsigned long long)frame->number,
                    (unsigned long long)ring->last);
    ring->last = frame->number;
    ring->taken++;
    int64_t number = check(ring, frame, "at first");
    if (ring->hold_ns > 0 && rand_r(&ring->seed) % 4 == 0) { /* a slow program */
        keep(ring, frame);
        watch_pause(watch, rand_r(&ring->seed) % ring->hold_ns);
        check(ring, frame, "any more");
        compare(ring, frame);
    }
    if (ring->taken % 16 == 0)
        check_account(ring);
    if (ring->step)
        give_back(ring, frame);
    camring_release(ring->reader);
    watch_picture(watch, number, watch->frames > 0 && ring->taken == 1);
}

void watch_ring(struct watch *watch, const char *instance, bool observe, int64_t hold_ns,
                const char *step)
{
    struct ring ring = {.watch = watch,
                        .instance = instance,
                        .observe = observe,
                        .hold_ns = hold_ns,
                        .seed = 1,
                        .step = step};
    ring.before = malloc((size_t)watch->width * watch->height);
    if (!ring.before)
        watch_fault(watch, "out of memory");
    attach(&ring);
    for (;;) {
        struct camring_frame frame;
        struct camring_error error;
        int got = camring_next(ring.reader, &frame, LOOK_NS, &error);
        if (got > 0) {
            take(&ring, &frame);
        } else if (got == 0 || error.code == CAMRING_EMPTY) {
            watch_pause(watch, got == 0 ? 0 : RETRY_NS);
        } else if (passes(error.code)) {
            camring_detach(ring.reader);
            watch->restarts++;
            watch_pause(watch, RETRY_NS);
            attach(&ring);
        } else {
            watch_fault(watch, "next: %s", error.text);
        }
    }
}
