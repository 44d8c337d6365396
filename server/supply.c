#include "server/supply.h"

#include "common/clock.h"
#include "common/log.h"

#include <stdio.h>
#include <string.h>

#define REOPEN_NS NS_PER_S
#define CLOCKS_DIFFER_NS (10 * NS_PER_MS) /* more is a clock that was put right */

/* Says once what is wrong, and once that it is over. */
static void note_failure(struct supply *supply, const char *text)
{
    if (strncmp(supply->failure, text, sizeof supply->failure - 1) == 0)
        return;
    if (*text)
        log_warn("%s: can't read pictures: %s", supply->camera, text);
    else
        log_info("%s: pictures can be read again", supply->camera);
    snprintf(supply->failure, sizeof supply->failure, "%s", text);
}

struct ring_reader *supply_reader(struct supply *supply)
{
    int64_t now = clock_now();
    if (supply->reader || (supply->tried_ns && now - supply->tried_ns < REOPEN_NS))
        return supply->reader;
    char name[RING_NAME_SIZE];
    struct error err;
    snprintf(name, sizeof name, "%s.%s", supply->camera, supply->variant);
    supply->tried_ns = now;
    supply->reader = ring_reader_open(supply->instance, name, RING_MEMBER, "server", &err);
    if (!supply->reader)
        note_failure(supply, err.text);
    else if (supply->wanted)
        ring_reader_want(supply->reader, supply->waker);
    return supply->reader;
}

void supply_open(struct supply *supply, const char *instance, const char *camera,
                 const char *variant, struct board_camera *board, int waker)
{
    *supply =
        (struct supply){.instance = instance, .camera = camera, .board = board, .waker = waker};
    snprintf(supply->variant, sizeof supply->variant, "%s", variant);
    supply_reader(supply);
}

void supply_close(struct supply *supply)
{
    picture_release(supply->newest);
    if (supply->reader)
        ring_reader_close(supply->reader);
}

void supply_only(struct supply *supply, uint32_t variant, int64_t not_before_ns)
{
    supply->only = variant;
    supply->not_before_ns = not_before_ns;
}

/* Looks at the clocks differ by some microseconds: of two pictures taken one right after the other,
 * the second is dated later all the same, by what a date can tell. */
static int64_t date(const struct supply *supply, const struct ring_frame *frame)
{
    const struct picture *before = supply->newest;
    int64_t wall_ns = clock_wall(frame->captured_ns);
    if (before && frame->captured_ns >= before->frame.captured_ns &&
        wall_ns - before->wall_ns < NS_PER_US && before->wall_ns - wall_ns < CLOCKS_DIFFER_NS)
        return before->wall_ns + NS_PER_US;
    return wall_ns;
}

/* Into a fresh picture, because clients may still be sending the last one. */
static enum ring_result copy_newest(struct supply *supply, struct error *err)
{
    struct picture *picture = picture_create();
    if (!picture) {
        error_set(err, RING_ERROR_SYSTEM, "out of memory");
        return RING_FAILED;
    }
    enum ring_result result =
        ring_reader_copy(supply->reader, supply->seen, &picture->buffer, &picture->frame, err);
    if (result == RING_GOT) {
        supply->seen = picture->frame.number;
        if (picture->frame.variant != supply->only ||
            picture->frame.captured_ns < supply->not_before_ns)
            result = RING_NONE;
    }
    if (result != RING_GOT) {
        picture_release(picture);
        return result;
    }
    picture->wall_ns = date(supply, &picture->frame);
    picture->place = supply->board;
    picture_release(supply->newest);
    supply->newest = picture;
    return RING_GOT;
}

bool supply_refresh(struct supply *supply)
{
    struct ring_reader *reader = supply_reader(supply);
    struct error err = {0};
    if (!reader || ring_reader_head(reader) <= supply->seen)
        return false;
    enum ring_result result = copy_newest(supply, &err);
    if (result == RING_FAILED)
        note_failure(supply, err.text);
    else if (result == RING_GOT)
        note_failure(supply, "");
    return result == RING_GOT;
}

void supply_want(struct supply *supply, bool want)
{
    supply->wanted = want;
    struct ring_reader *reader = supply_reader(supply);
    if (reader)
        ring_reader_want(reader, want ? supply->waker : -1);
}
