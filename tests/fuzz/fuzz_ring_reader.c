/* Every way to read a ring, on a hostile one. */
#include "hostile.h"

#include "common/clock.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct session {
    const struct hostile_input *input;
    struct ring_reader *reader;
    struct ring_buffer buffer;
    struct ring_map *held;
    const uint8_t *held_data;
    struct ring_frame held_frame;
    const uint8_t *pinned;
    struct ring_frame frame;
    uint64_t last;
};

static void check_error(const struct error *err)
{
    if (err->code < RING_ERROR_SYSTEM || err->code > RING_ERROR_CLOSED)
        abort();
    hostile_check_text(err->text, sizeof err->text);
}

static void open_reader(struct session *s, unsigned role)
{
    struct error err = {0};
    ring_reader_close(s->reader);
    s->pinned = NULL;
    s->reader = ring_reader_open(hostile_instance(), HOSTILE_NAME, role % 3, "fuzz", &err);
    if (!s->reader)
        check_error(&err);
}

static void acquire(struct session *s, uint64_t after)
{
    struct error err = {0};
    const uint8_t *found = NULL;
    enum ring_result result = ring_reader_acquire(s->reader, after, &s->frame, &found, &err);
    if (result == RING_FAILED)
        check_error(&err);
    if (result != RING_GOT)
        return;
    s->pinned = found;
    s->last = s->frame.number;
    hostile_read_frame(&s->frame, found);
}

static void release(struct session *s)
{
    if (s->pinned)
        hostile_read_frame(&s->frame, s->pinned);
    s->pinned = NULL;
    ring_reader_release(s->reader);
}

static void copy(struct session *s, uint64_t after)
{
    struct error err = {0};
    struct ring_frame frame;
    enum ring_result result = ring_reader_copy(s->reader, after, &s->buffer, &frame, &err);
    if (result == RING_FAILED)
        check_error(&err);
    if (result == RING_GOT)
        hostile_read(s->buffer.data, frame.bytes);
}

static void stat(struct session *s)
{
    struct error err = {0};
    struct ring_stat *found = malloc(sizeof *found);
    if (ring_reader_stat(s->reader, found, &err) < 0) {
        check_error(&err);
        free(found);
        return;
    }
    if (found->slots > RING_MAX_SLOTS || found->rows > RING_MAX_ROWS + 1)
        abort();
    if (strcmp(found->instance, hostile_instance()) != 0 || strcmp(found->name, HOSTILE_NAME) != 0)
        abort(); /* another ring's */
    for (unsigned i = 0; i < found->rows; i++)
        if (!memchr(found->row[i].who, '\0', sizeof found->row[i].who))
            abort();
    free(found);
}

static void own(void)
{
    struct error err = {0};
    struct ring_ctl *ctl = ring_ctl_open(hostile_instance(), HOSTILE_NAME, &err);
    if (!ctl) {
        check_error(&err);
        return;
    }
    ring_ctl_reap(ctl);
    ring_ctl_clear_encoder_row(ctl);
    ring_ctl_ring(ctl);
    ring_ctl_close(ctl);
}

static void drop(struct session *s)
{
    if (!s->held)
        return;
    hostile_read_frame(&s->held_frame, s->held_data); /* as it is by now */
    ring_map_drop(s->held);
    s->held = NULL;
}

static void hold(struct session *s)
{
    drop(s);
    s->held = s->pinned ? ring_reader_hold(s->reader) : NULL;
    s->held_frame = s->frame;
    s->held_data = s->pinned;
}

static void step(struct session *s, unsigned op, unsigned argument)
{
    switch (op) {
    case 0:
        ring_reader_head(s->reader);
        break;
    case 1:
        acquire(s, 0);
        break;
    case 2:
        acquire(s, s->last);
        break;
    case 3:
        release(s);
        break;
    case 4:
        copy(s, 0);
        break;
    case 5:
        copy(s, s->last);
        break;
    case 6:
        stat(s);
        break;
    case 7:
        ring_reader_wait(s->reader, ring_reader_listen(s->reader), clock_now());
        break;
    case 8:
        ring_reader_want(s->reader, (int)argument - 1);
        break;
    case 9:
        ring_reader_ring(s->reader);
        break;
    case 10:
        ring_reader_closed(s->reader);
        break;
    case 11:
        hold(s);
        break;
    case 12:
        own();
        break;
    case 13:
        open_reader(s, argument);
        break;
    default:
        hostile_poke(s->input, argument);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct session s = {.input = hostile_begin(data, size)};
    if (!s.input)
        return -1;
    open_reader(&s, s.input->role);
    for (unsigned i = 0; i < HOSTILE_OPS && s.reader; i++)
        step(&s, s.input->op[i] & 15, s.input->op[i] >> 4);
    ring_reader_close(s.reader);
    drop(&s);
    free(s.buffer.data);
    hostile_end();
    return 0;
}
