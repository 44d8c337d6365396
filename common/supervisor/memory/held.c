#include "held.h"

#include <stdlib.h>
#include <string.h>

struct list {
    struct held_frame *item;
    size_t count, room;
};

struct held {
    int64_t limit_ns;
    struct list before, now; /* what the look before found, and this one until now */
};

struct held *held_create(int64_t limit_ns)
{
    struct held *held = calloc(1, sizeof *held);
    if (held)
        held->limit_ns = limit_ns;
    return held;
}

void held_destroy(struct held *held)
{
    if (!held)
        return;
    free(held->before.item);
    free(held->now.item);
    free(held);
}

static int compare_frames(const void *a, const void *b)
{
    const struct held_frame *one = a, *other = b;
    int order = strcmp(one->ring, other->ring);
    if (order == 0)
        order = one->loan - other->loan;
    return order ? order : (one->number > other->number) - (one->number < other->number);
}

/* Without memory the frame is left out, and counts as new in the next check. */
static void append_frame(struct list *list, const struct held_frame *frame)
{
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 64;
        struct held_frame *item = realloc(list->item, room * sizeof *item);
        if (!item)
            return;
        list->item = item;
        list->room = room;
    }
    list->item[list->count++] = *frame;
}

static struct held_frame *find_frame(const struct list *list, const struct held_frame *frame)
{
    return list->count ? bsearch(frame, list->item, list->count, sizeof *frame, compare_frames)
                       : NULL;
}

static bool is_same(const struct held_frame *a, const struct held_frame *b)
{
    return a && b && a->pid == b->pid && memcmp(a->mark, b->mark, sizeof a->mark) == 0;
}

bool held_note(struct held *held, struct held_frame *frame, int64_t now_ns)
{
    const struct held_frame *before = find_frame(&held->before, frame);
    bool same = is_same(before, frame), told = same && before->told;
    frame->since_ns = same ? before->since_ns : now_ns;
    frame->told = now_ns - frame->since_ns >= held->limit_ns;
    append_frame(&held->now, frame);
    return frame->told && !told;
}

void held_end_look(struct held *held, void (*given_back)(const struct held_frame *frame, void *arg),
                   void *arg)
{
    if (held->now.count > 0)
        qsort(held->now.item, held->now.count, sizeof *held->now.item, compare_frames);
    for (size_t i = 0; i < held->before.count; i++) {
        const struct held_frame *frame = &held->before.item[i];
        if (frame->told && !is_same(find_frame(&held->now, frame), frame))
            given_back(frame, arg);
    }
    struct list old = held->before;
    held->before = held->now;
    held->now = old;
    held->now.count = 0;
}
