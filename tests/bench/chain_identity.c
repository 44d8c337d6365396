/* chain_identity INSTANCE CAMERA NAME: the external step NAME of a camera's chain, which gives each
 * picture back as it is.
 *
 * Reads CAMERA, says "ready" once it has given back its first picture, and ends with its input,
 * saying a line of JSON: pictures, and copy_p50_us, the median of what copying one took. */
#include "common/camring.h"
#include "common/clock.h"
#include "common/log.h"

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SAMPLES_MAX 65536
#define LOOK_NS (200 * NS_PER_MS) /* at the input, when no picture comes */
#define ATTACH_NS (20 * NS_PER_S)

static double copy_us[SAMPLES_MAX];
static unsigned samples;
static struct camring_reader *reader;
static struct camring_writer *writer;

static int by_time(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The supervisor may still be making the rings. */
static bool attach(const char *instance, const char *camera, const char *name,
                   struct camring_error *error)
{
    char ring[96];
    snprintf(ring, sizeof ring, "%s.%s", camera, name);
    reader = camring_attach(instance, camera, 0, error);
    if (reader)
        writer = camring_writer_open(instance, ring, CAMRING_KIND_RAW, 0, error);
    if (!writer) {
        camring_detach(reader);
        reader = NULL;
    }
    return writer;
}

static void give_back(const struct camring_frame *in)
{
    struct camring_error error;
    struct camring_frame out = *in;
    uint8_t *data = camring_loan(writer, in->bytes, &error);
    if (!data)
        fatal("%s", error.text);
    int64_t begin = clock_now();
    memcpy(data, in->plane[0], in->bytes);
    int64_t end = clock_now();
    for (unsigned i = 0; i < 3; i++)
        out.plane[i] = data + (in->plane[i] - in->plane[0]);
    out.source = in->number;
    if (camring_commit(writer, &out, &error) != 0)
        fatal("%s", error.text);
    if (samples < SAMPLES_MAX)
        copy_us[samples++] = (double)(end - begin) / (double)NS_PER_US;
}

static bool input_ended(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&input, 1, 0) > 0;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        fatal("usage: chain_identity INSTANCE CAMERA NAME");
    struct camring_error error;
    for (int64_t end = clock_now() + ATTACH_NS; !attach(argv[1], argv[2], argv[3], &error);
         usleep(20000))
        if (clock_now() > end)
            fatal("%s", error.text);
    while (!input_ended()) {
        struct camring_frame frame;
        int got = camring_next(reader, &frame, LOOK_NS, &error);
        if (got < 0)
            fatal("%s", error.text);
        if (got == 0)
            continue;
        give_back(&frame);
        camring_release(reader);
        if (samples == 1 && puts("ready") >= 0)
            fflush(stdout);
    }
    qsort(copy_us, samples, sizeof *copy_us, by_time);
    printf("{\"pictures\": %u, \"copy_p50_us\": %.1f}\n", samples,
           samples ? copy_us[samples / 2] : -1.0);
    camring_writer_close(writer, 0);
    camring_detach(reader);
    return 0;
}
