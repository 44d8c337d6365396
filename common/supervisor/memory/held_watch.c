#include "held_watch.h"

#include "held.h"

#include "common/clock.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_NS (2 * NS_PER_S)

struct held_watch {
    const char *instance;
    struct held *held;
    struct ring_stat stat;
    int64_t now;
};

struct held_watch *held_watch_create(const char *instance)
{
    struct held_watch *watch = calloc(1, sizeof *watch);
    struct held *held = held_create(LIMIT_NS);
    if (!watch || !held) {
        free(watch);
        held_destroy(held);
        return NULL;
    }
    watch->instance = instance;
    watch->held = held;
    return watch;
}

void held_watch_destroy(struct held_watch *watch)
{
    if (!watch)
        return;
    held_destroy(watch->held);
    free(watch);
}

/* "cam.raw: process 812 (detector) holds frame 17", or has slot 3 on loan. */
static void describe_frame(const struct held_frame *frame, char *out, size_t size)
{
    char holder[48] = "an encoder"; /* row 0 names no process */
    if (frame->pid > 0)
        snprintf(holder, sizeof holder, "process %d (%s)", (int)frame->pid, frame->who);
    if (frame->loan)
        snprintf(out, size, "%s: %s has slot %u on loan", frame->ring, holder, frame->number);
    else
        snprintf(out, size, "%s: %s holds frame %llu", frame->ring, holder,
                 (unsigned long long)frame->mark[0]);
}

static void note_frame(struct held_watch *watch, struct held_frame *frame)
{
    char text[160];
    memcpy(frame->ring, watch->stat.name, sizeof frame->ring);
    if (!held_note(watch->held, frame, watch->now))
        return;
    describe_frame(frame, text, sizeof text);
    log_warn("%s, for %.1f s until now", text, (double)(watch->now - frame->since_ns) / NS_PER_S);
}

static void note_pin(struct held_watch *watch, const struct ring_row_stat *row)
{
    if (!row->alive || row->pinned_generation == 0)
        return;
    struct held_frame frame = {.number = row->row, .pid = row->pid};
    snprintf(frame.who, sizeof frame.who, "%s", row->who);
    frame.mark[0] = row->frame;
    frame.mark[1] = row->pinned_generation;
    note_frame(watch, &frame);
}

/* A slot that is on loan again looks like one that is still on loan, except for the frame that it
 * held before and the ring's count of aborted loans. */
static void note_loan(struct held_watch *watch, unsigned slot)
{
    const struct ring_stat *stat = &watch->stat;
    if (!(stat->slot[slot].seq & 1) || !stat->writer_alive)
        return;
    struct held_frame frame = {
        .loan = true, .number = slot, .pid = stat->writer_pid, .who = "its writer"};
    frame.mark[0] = stat->slot[slot].before;
    frame.mark[1] = stat->generation;
    frame.mark[2] = stat->aborted;
    note_frame(watch, &frame);
}

static void held_watch_ring(const char *instance, const char *name, void *arg)
{
    struct held_watch *watch = arg;
    struct error ignored; /* a ring that is being made or removed */
    struct ring_reader *reader =
        ring_reader_open(instance, name, RING_OBSERVER, "supervisor", &ignored);
    if (reader && ring_reader_stat(reader, &watch->stat, &ignored) == 0) {
        for (unsigned i = 0; i < watch->stat.rows; i++)
            note_pin(watch, &watch->stat.row[i]);
        for (unsigned i = 0; i < watch->stat.slots; i++)
            note_loan(watch, i);
    }
    ring_reader_close(reader);
}

static void on_given_back(const struct held_frame *frame, void *arg)
{
    const struct held_watch *watch = arg;
    char text[160];
    describe_frame(frame, text, sizeof text);
    log_info("%s no more, after %.1f s", text, (double)(watch->now - frame->since_ns) / NS_PER_S);
}

void held_watch_check(struct held_watch *watch)
{
    watch->now = clock_now();
    ring_list(watch->instance, held_watch_ring, watch);
    held_end_look(watch->held, on_given_back, watch);
}
