/* chain_watch INSTANCE RING: what comes out of a ring of JPEGs, and how old it is then.
 *
 * Says "ready" once there is a picture.  Then, for each line on standard input, one of JSON about
 * the time since the line before: published    pictures, by their numbers
 * p50_us, p90_us    from captured (the whole frame had come in) to committed in the ring */
#include "common/camring.h"
#include "common/clock.h"
#include "common/log.h"

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SAMPLES_MAX 65536
#define ATTACH_NS (20 * NS_PER_S)

static int64_t took_us[SAMPLES_MAX];
static unsigned samples;
static uint64_t first_number, last_number;

static int by_time(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void say_figures(void)
{
    qsort(took_us, samples, sizeof *took_us, by_time);
    printf("{\"published\": %llu, \"p50_us\": %lld, \"p90_us\": %lld}\n",
           (unsigned long long)(last_number - first_number),
           samples ? (long long)took_us[samples / 2] : -1,
           samples ? (long long)took_us[samples * 9 / 10] : -1);
    fflush(stdout);
    samples = 0;
    first_number = last_number;
}

/* The supervisor may still be making the ring. */
static struct camring_reader *attach(const char *instance, const char *ring)
{
    struct camring_error error;
    for (int64_t end = clock_now() + ATTACH_NS; clock_now() < end; usleep(20000)) {
        struct camring_reader *reader = camring_attach(instance, ring, 0, &error);
        if (reader)
            return reader;
    }
    fatal("%s: %s", ring, error.text);
}

/* True: `reader` has another picture.  False: a line has come, or the end of input. */
static bool next(struct camring_reader *reader, int fd, struct camring_frame *frame)
{
    struct camring_error error;
    for (;;) {
        int got = camring_next(reader, frame, 0, &error);
        if (got < 0)
            fatal("%s", error.text);
        if (got > 0)
            return true;
        struct pollfd ready[] = {{.fd = fd, .events = POLLIN}, {.events = POLLIN}};
        if (poll(ready, 2, -1) > 0 && ready[1].revents)
            return false;
    }
}

int main(int argc, char **argv)
{
    if (argc != 3)
        fatal("usage: chain_watch INSTANCE RING");
    struct camring_error error;
    struct camring_reader *reader = attach(argv[1], argv[2]);
    int fd = camring_fd(reader, &error);
    if (fd < 0)
        fatal("%s", error.text);
    for (;;) {
        struct camring_frame frame;
        char line[16];
        if (next(reader, fd, &frame)) {
            if (last_number == 0 && puts("ready") >= 0)
                fflush(stdout);
            last_number = frame.number;
            if (samples < SAMPLES_MAX)
                took_us[samples++] = (frame.committed_ns - frame.captured_ns) / NS_PER_US;
            camring_release(reader);
        } else if (read(STDIN_FILENO, line, sizeof line) > 0) {
            say_figures();
        } else {
            break;
        }
    }
    camring_detach(reader);
    return 0;
}
