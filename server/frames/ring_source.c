#include "server/frames/ring_source.h"

#include "common/clock.h"
#include "common/log.h"

#include <stdio.h>
#include <string.h>

#define REOPEN_NS NS_PER_S
/* a larger difference means that the wall clock was set */
#define CLOCKS_DIFFER_NS (10 * NS_PER_MS)

/* Logs a failure once, and once that it is over. */
static void note_failure(struct ring_source *source, const char *text)
{
    if (strncmp(source->failure, text, sizeof source->failure - 1) == 0)
        return;
    if (*text)
        log_warn("%s: can't read pictures: %s", source->camera, text);
    else
        log_info("%s: pictures can be read again", source->camera);
    snprintf(source->failure, sizeof source->failure, "%s", text);
}

struct ring_reader *ring_source_reader(struct ring_source *source)
{
    int64_t now = clock_now();
    if (source->reader || (source->tried_ns && now - source->tried_ns < REOPEN_NS))
        return source->reader;
    char name[RING_NAME_SIZE];
    struct error err;
    snprintf(name, sizeof name, "%s.%s", source->camera, source->variant);
    source->tried_ns = now;
    source->reader = ring_reader_open(source->instance, name, RING_MEMBER, "server", &err);
    if (!source->reader)
        note_failure(source, err.text);
    else if (source->wanted)
        ring_reader_want(source->reader, source->waker);
    return source->reader;
}

void ring_source_open(struct ring_source *source, const char *instance, const char *camera,
                      const char *variant, struct board_camera *board, int waker)
{
    *source = (struct ring_source){
        .instance = instance, .camera = camera, .board = board, .waker = waker};
    snprintf(source->variant, sizeof source->variant, "%s", variant);
    ring_source_reader(source);
}

void ring_source_close(struct ring_source *source)
{
    picture_release(source->newest);
    if (source->reader)
        ring_reader_close(source->reader);
}

void ring_source_only(struct ring_source *source, uint32_t variant, int64_t not_before_ns)
{
    source->only = variant;
    source->not_before_ns = not_before_ns;
}

/* The offset between the clocks is measured with an error of some microseconds: a picture still
 * gets a later date than the one before it, by at least the resolution of a date. */
static int64_t picture_time(const struct ring_source *source, const struct ring_frame *frame)
{
    const struct picture *before = source->newest;
    int64_t wall_ns = clock_wall(frame->captured_ns);
    if (before && frame->captured_ns >= before->frame.captured_ns &&
        wall_ns - before->wall_ns < NS_PER_US && before->wall_ns - wall_ns < CLOCKS_DIFFER_NS)
        return before->wall_ns + NS_PER_US;
    return wall_ns;
}

/* Into a fresh picture, because clients may still be sending the last one. */
static enum ring_result copy_newest_picture(struct ring_source *source, struct error *err)
{
    struct picture *picture = picture_create();
    if (!picture) {
        error_set(err, RING_ERROR_SYSTEM, "out of memory");
        return RING_FAILED;
    }
    enum ring_result result =
        ring_reader_copy(source->reader, source->seen, &picture->buffer, &picture->frame, err);
    if (result == RING_GOT) {
        source->seen = picture->frame.number;
        if (picture->frame.variant != source->only ||
            picture->frame.captured_ns < source->not_before_ns)
            result = RING_NONE;
    }
    if (result != RING_GOT) {
        picture_release(picture);
        return result;
    }
    picture->wall_ns = picture_time(source, &picture->frame);
    picture->place = source->board;
    picture_release(source->newest);
    source->newest = picture;
    return RING_GOT;
}

bool ring_source_refresh(struct ring_source *source)
{
    struct ring_reader *reader = ring_source_reader(source);
    struct error err = {0};
    if (!reader || ring_reader_head(reader) <= source->seen)
        return false;
    enum ring_result result = copy_newest_picture(source, &err);
    if (result == RING_FAILED)
        note_failure(source, err.text);
    else if (result == RING_GOT)
        note_failure(source, "");
    return result == RING_GOT;
}

void ring_source_want(struct ring_source *source, bool want)
{
    source->wanted = want;
    struct ring_reader *reader = ring_source_reader(source);
    if (reader)
        ring_reader_want(reader, want ? source->waker : -1);
}
