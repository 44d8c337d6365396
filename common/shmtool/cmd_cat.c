/* camring-shm cat: a ring's frames as a stream, for programs that read one from a pipe.  Each frame
 * is copied out of the ring before it is written, and the newest is taken next: a pipe that is
 * slow, or stands, costs whole frames of this stream and nothing else. */
#include "common/camring.h"
#include "common/number.h"
#include "describe.h"
#include "find.h"
#include "print.h"
#include "shmtool.h"
#include "y4m.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct cat {
    struct camring_reader *reader;
    const char *name;
    int64_t left;               /* frames yet to write, -1: without end */
    struct camring_frame first; /* what the header says; width 0: it isn't written yet */
    bool waited;                /* for a second frame, which tells the rate */
    uint8_t *data;
    size_t room, size; /* of `data`; of the frame in it */
};

enum cat_result { CAT_GOES_ON, CAT_DONE, CAT_FAILED };

/* A write to the pipe has failed; that its reader has gone is no error. */
static enum cat_result cat_pipe_fault(void)
{
    if (errno == EPIPE)
        return CAT_DONE;
    print_fault("can't write to standard output: %m");
    return CAT_FAILED;
}

static enum cat_result cat_write(const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(STDOUT_FILENO, data, size);
        if (written < 0 && errno == EAGAIN) { /* made non-blocking by a process that shares it */
            poll(&(struct pollfd){.fd = STDOUT_FILENO, .events = POLLOUT}, 1, -1);
            continue;
        }
        if (written < 0 && errno != EINTR)
            return cat_pipe_fault();
        data += written > 0 ? written : 0;
        size -= written > 0 ? (size_t)written : 0;
    }
    return CAT_GOES_ON;
}

static enum cat_result cat_fail(const struct camring_error *error)
{
    print_fault("%s", error->text);
    return CAT_FAILED;
}

/* Waits until there may be a frame, or the pipe's reader has gone. */
static enum cat_result cat_wait(struct cat *cat)
{
    struct camring_error error;
    struct pollfd wanted[] = {{.fd = camring_fd(cat->reader, &error), .events = POLLIN},
                              {.fd = STDOUT_FILENO}};
    if (wanted[0].fd < 0)
        return cat_fail(&error);
    poll(wanted, 2, -1);
    return wanted[1].revents & (POLLERR | POLLHUP) ? CAT_DONE : CAT_GOES_ON;
}

static bool cat_reserve(struct cat *cat, size_t size)
{
    if (size > cat->room) {
        free(cat->data);
        cat->data = malloc(size);
        cat->room = cat->data ? size : 0;
    }
    cat->size = size;
    if (!cat->data)
        print_fault("out of memory");
    return cat->data;
}

/* The rate is known from the second frame on.  *known: false, the stream begins with the next one;
 * a ring without a writer has no next one. */
static enum cat_result cat_begin(struct cat *cat, const struct camring_frame *frame, bool *known)
{
    struct camring_stat stat;
    struct camring_error error;
    char header[Y4M_HEADER_SIZE];
    if (camring_reader_stat(cat->reader, &stat, &error) < 0)
        return cat_fail(&error);
    *known = stat.fps > 0 || cat->waited || !stat.writer_alive;
    cat->waited = true;
    if (!*known)
        return CAT_GOES_ON;
    cat->first = *frame;
    y4m_header(frame, stat.fps, header);
    return cat_write((const uint8_t *)header, strlen(header));
}

static void cat_describe(const struct camring_frame *frame, char out[64])
{
    snprintf(out, 64, "%ux%u %s %s", (unsigned)frame->width, (unsigned)frame->height,
             describe_format(frame->format), describe_range((uint8_t)frame->range));
}

static void cat_refuse(const struct cat *cat, const struct camring_frame *frame)
{
    char before[64], now[64];
    cat_describe(&cat->first, before);
    cat_describe(frame, now);
    print_fault("%s: from frame %" PRIu64 " on the pictures are %s, before %s; y4m can't change on "
                "the way, so this stream ends",
                cat->name, frame->number, now, before);
}

static enum cat_result cat_copy_raw(struct cat *cat, const struct camring_frame *frame)
{
    bool known = true;
    cat->size = 0;
    enum cat_result result = cat->first.width == 0 ? cat_begin(cat, frame, &known) : CAT_GOES_ON;
    if (result != CAT_GOES_ON || !known)
        return result;
    if (!y4m_alike(&cat->first, frame)) {
        cat_refuse(cat, frame);
        return CAT_FAILED;
    }
    if (!cat_reserve(cat, y4m_frame_size(frame)))
        return CAT_FAILED;
    y4m_pack(frame, cat->data);
    return CAT_GOES_ON;
}

static enum cat_result cat_copy(struct cat *cat, const struct camring_frame *frame)
{
    if (frame->format != CAMRING_JPEG)
        return cat_copy_raw(cat, frame);
    if (!cat_reserve(cat, frame->bytes))
        return CAT_FAILED;
    memcpy(cat->data, frame->plane[0], frame->bytes);
    return CAT_GOES_ON;
}

static enum cat_result cat_step(struct cat *cat)
{
    struct camring_frame frame;
    struct camring_error error;
    int got = camring_next(cat->reader, &frame, 0, &error);
    if (got < 0)
        return cat_fail(&error);
    if (got == 0)
        return cat_wait(cat);
    enum cat_result result = cat_copy(cat, &frame);
    camring_release(cat->reader);
    if (result != CAT_GOES_ON || cat->size == 0)
        return result;
    result = cat_write(cat->data, cat->size);
    if (result == CAT_GOES_ON && cat->left > 0 && --cat->left == 0)
        return CAT_DONE;
    return result;
}

static bool cat_usage(const struct shm_options *options, int64_t *frames)
{
    const char *text = options->frames;
    *frames = -1;
    if (text && (!number_whole(&text, frames) || *text || *frames < 1))
        print_fault("cat: \"%s\" is no number of frames", options->frames);
    else if (options->json)
        print_fault("cat: what it writes is video, so it does not take --json");
    else if (isatty(STDOUT_FILENO))
        print_fault("video is no text: send standard output to a program, as in "
                    "camring shm cat %s | ffmpeg -i - ...",
                    options->ring);
    else
        return true;
    return false;
}

/* Of a camera its raw frames, where it has them. */
static const struct find_ring *cat_choose(const struct find_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        char camera[RING_ID_SIZE], variant[RING_ID_SIZE];
        find_split(set->ring[i].name, camera, variant);
        if (strcmp(variant, ring_kind_name(RING_RAW)) == 0)
            return &set->ring[i];
    }
    return set->count > 0 ? &set->ring[0] : NULL;
}

enum shm_exit cmd_cat(const struct shm_options *options)
{
    struct cat cat = {0};
    if (!cat_usage(options, &cat.left))
        return SHM_USAGE;
    enum cat_result result = CAT_FAILED;
    struct find_set set = find_wanted(options->instance, options->ring);
    const struct find_ring *ring = cat_choose(&set);
    struct camring_error error;
    signal(SIGPIPE, SIG_IGN);
    if (!ring)
        goto out;
    cat.name = ring->name;
    cat.reader = camring_attach(ring->instance, ring->name, 0, &error);
    result = cat.reader ? CAT_GOES_ON : cat_fail(&error);
    while (result == CAT_GOES_ON)
        result = cat_step(&cat);
out:
    camring_detach(cat.reader);
    free(cat.data);
    find_free(&set);
    return result == CAT_DONE ? SHM_DONE : SHM_FAILED;
}
