/* consumer.c INSTANCE [take]: reads ring "mine" to its end, by waiting and by its descriptor in
 * turn, looks at every pixel, and prints "taken T missed M joined J newest N"; with `take` it keeps
 * the last three frames, and looks at each once more before it gives that back.  C and C++. */
#include <camring.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

static int all_are(const struct camring_frame *frame, uint8_t value)
{
    for (uint32_t plane = 0; plane < 3; plane++) {
        uint32_t width = plane ? frame->width / 2 : frame->width,
                 height = plane ? frame->height / 2 : frame->height;
        for (uint32_t y = 0; y < height; y++)
            for (uint32_t x = 0; x < width; x++)
                if (frame->plane[plane][y * frame->stride[plane] + x] != value)
                    return 0;
    }
    return 1;
}

#define KEPT 3
static struct camring_frame kept[KEPT]; /* the number of one that is not there is 0 */

static int get(struct camring_reader *ring, int keeps, struct camring_frame *frame,
               int64_t timeout_ns, struct camring_error *error)
{
    return keeps ? camring_take(ring, frame, timeout_ns, error)
                 : camring_next(ring, frame, timeout_ns, error);
}

/* 0: it is not what it was any more. */
static int keep(struct camring_reader *ring, const struct camring_frame *frame)
{
    int good = kept[0].number == 0 || all_are(&kept[0], (uint8_t)kept[0].number);
    camring_give(ring, &kept[0]);
    for (int i = 0; i + 1 < KEPT; i++)
        kept[i] = kept[i + 1];
    kept[KEPT - 1] = *frame;
    return good;
}

int main(int argc, char **argv)
{
    struct camring_error error;
    struct camring_frame frame;
    int keeps = argc > 2;
    struct camring_stat stat;
    struct camring_reader *ring = argc > 1 ? camring_attach(argv[1], "mine", 0, &error) : NULL;
    struct pollfd ready = {camring_fd(ring, &error), POLLIN, 0};
    uint64_t taken = 0, missed = 0, joined = 0, newest = 0;
    int got;
    while (ready.fd >= 0 &&
           (got = get(ring, keeps, &frame, taken % 2 ? 1000000 : 0, &error)) >= 0) {
        if (got == 0) {
            poll(&ready, 1, 10000);
            continue;
        }
        if (frame.number <= newest || frame.committed_ns < frame.captured_ns ||
            !all_are(&frame, (uint8_t)frame.number) || (keeps && !keep(ring, &frame))) {
            fprintf(stderr, "frame %" PRIu64 " is wrong\n", frame.number);
            return 1;
        }
        if (camring_reader_stat(ring, &stat, &error) < 0)
            break; /* closed meanwhile: the figures are those of the frame before */
        newest = frame.number;
        taken = stat.taken;
        missed = stat.missed;
        joined = stat.joined;
        camring_release(ring);
    }
    camring_detach(ring);
    printf("taken %" PRIu64 " missed %" PRIu64 " joined %" PRIu64 " newest %" PRIu64 "\n", taken,
           missed, joined, newest);
    if (error.code == CAMRING_CLOSED)
        return 0;
    fprintf(stderr, "%s\n", error.text);
    return 1;
}
