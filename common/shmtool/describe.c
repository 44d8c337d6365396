#include "describe.h"

#include "common/clock.h"
#include "common/variant.h"
#include "reader.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *describe_state(const struct ring_stat *stat)
{
    if (stat->writer_pid != 0 && !stat->writer_alive)
        return "dead";
    if (stat->retired)
        return "retired";
    return stat->head == 0 ? "empty" : "live";
}

const char *describe_slot_state(const struct ring_stat *stat, unsigned slot)
{
    uint64_t seq = stat->slot[slot].seq;
    if (seq == 0)
        return "empty";
    if (seq & 1)
        return "writing";
    return seq / 2 == stat->head ? "newest" : "frame";
}

const char *describe_format(uint32_t format)
{
    switch (format) {
    case RING_I420:
    case RING_I422:
    case RING_I444:
    case RING_FORMAT_JPEG:
        return ring_format_name(format);
    default:
        return "?";
    }
}

const char *describe_range(uint8_t range)
{
    return range == RING_RANGE_FULL ? "full" : "limited";
}

const char *describe_matrix(uint8_t matrix)
{
    return matrix == RING_MATRIX_BT709 ? "bt709" : "bt601";
}

struct print_text describe_variant(uint32_t variant)
{
    struct print_text text = {"-"};
    if (variant != 0)
        variant_text(variant_unpack(variant), text.text);
    return text;
}

static json_t *or_null(bool known, json_int_t value)
{
    return known ? json_integer(value) : json_null();
}

static json_t *json_row(const struct ring_stat *stat, const struct ring_row_stat *row)
{
    struct reader reader = reader_look(stat, row);
    const struct ring_row_stat *pin = reader.oldest ? reader.oldest : row;
    return json_pack(
        "{s:i, s:o, s:b, s:s, s:s, s:b, s:o, s:o, s:i, s:o, s:I, s:I, s:I}", "row", (int)row->row,
        "pid", or_null(row->pid != 0, row->pid), "alive", row->alive, "state",
        reader_state_name(reader.state), "name", reader_name(row).text, "trouble", reader.trouble,
        "pin", or_null(pin->pinned_slot >= 0, pin->pinned_slot), "pin_generation",
        or_null(pin->pinned_generation > 0, pin->pinned_generation), "held", (int)reader.held,
        "held_ns", or_null(reader.held_ns >= 0, reader.held_ns), "lag", (json_int_t)reader.lag,
        "taken", (json_int_t)row->taken, "missed", (json_int_t)row->missed);
}

static json_t *json_readers(const struct ring_stat *stat)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < stat->rows && i <= RING_MAX_ROWS; i++)
        if (reader_used(&stat->row[i]))
            json_array_append_new(list, json_row(stat, &stat->row[i]));
    return list;
}

static json_t *json_frame(const struct ring_frame *frame, int64_t now)
{
    int64_t age = clock_age(now, frame->committed_ns);
    return json_pack(
        "{s:I, s:I, s:o, s:I, s:I, s:I, s:s, s:o, s:s, s:s, s:I, s:I, s:I}", "frame",
        (json_int_t)frame->number, "source", (json_int_t)frame->source, "age_ns",
        or_null(age >= 0, age), "bytes", (json_int_t)frame->bytes, "width",
        (json_int_t)frame->width, "height", (json_int_t)frame->height, "format",
        describe_format(frame->format), "variant",
        frame->variant ? json_string(describe_variant(frame->variant).text) : json_null(), "range",
        describe_range(frame->range), "matrix", describe_matrix(frame->matrix), "captured_ns",
        (json_int_t)frame->captured_ns, "started_ns", (json_int_t)frame->started_ns, "committed_ns",
        (json_int_t)frame->committed_ns);
}

static json_t *json_slots(const struct ring_stat *stat)
{
    int64_t now = clock_now();
    json_t *list = json_array();
    for (unsigned i = 0; i < stat->slots && i < RING_MAX_SLOTS; i++) {
        if (!stat->slot[i].exists)
            continue;
        uint64_t seq = stat->slot[i].seq;
        bool settled = seq != 0 && !(seq & 1);
        json_t *slot = json_pack("{s:i, s:s, s:I}", "slot", (int)i, "state",
                                 describe_slot_state(stat, i), "sequence", (json_int_t)seq);
        json_t *frame = settled ? json_frame(&stat->slot[i].frame, now) : NULL;
        json_object_update(slot, frame);
        json_decref(frame);
        json_array_append_new(list, slot);
    }
    return list;
}

static void add_newest(json_t *ring, const struct ring_stat *stat)
{
    const struct ring_frame *newest = stat->head ? &stat->newest : NULL;
    json_object_set_new(ring, "width", or_null(newest, newest ? newest->width : 0));
    json_object_set_new(ring, "height", or_null(newest, newest ? newest->height : 0));
    json_object_set_new(ring, "format",
                        newest ? json_string(describe_format(newest->format)) : json_null());
    json_object_set_new(ring, "age_ns", or_null(newest && stat->age_ns >= 0, stat->age_ns));
    json_object_set_new(ring, "fps", json_real(isfinite(stat->fps) ? stat->fps : 0));
}

json_t *describe_json(const struct ring_stat *stat, bool slots)
{
    json_t *writer = stat->writer_pid ? json_pack("{s:i, s:b}", "pid", (int)stat->writer_pid,
                                                  "alive", stat->writer_alive)
                                      : json_null();
    json_t *ring =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:o, s:I, s:I}", "name", stat->name,
                  "instance", stat->instance, "camera", stat->camera, "variant", stat->variant,
                  "kind", stat->kind == RING_JPEG ? "jpeg" : "raw", "generation",
                  (json_int_t)stat->generation, "state", describe_state(stat), "writer", writer,
                  "frame", (json_int_t)stat->head, "bytes", (json_int_t)stat->bytes);
    add_newest(ring, stat);
    json_object_set_new(ring, "slot_count", json_integer(stat->allocated));
    json_object_set_new(ring, "slots_possible", json_integer(stat->slots));
    json_object_set_new(ring, "slot_bytes", json_integer((json_int_t)stat->slot_bytes));
    json_object_set_new(ring, "reader_rows", json_integer(reader_room(stat)));
    json_object_set_new(ring, "no_slot", json_integer((json_int_t)stat->no_slot));
    json_object_set_new(ring, "aborted", json_integer((json_int_t)stat->aborted));
    json_object_set_new(ring, "readers", json_readers(stat));
    if (slots)
        json_object_set_new(ring, "slots", json_slots(stat));
    return ring;
}

json_t *describe_json_unreadable(const struct find_ring *ring, const char *why)
{
    char camera[RING_ID_SIZE], variant[RING_ID_SIZE];
    find_split(ring->name, camera, variant);
    return json_pack("{s:s, s:s, s:s, s:s, s:n, s:n, s:s, s:n, s:n, s:n, s:n, s:n, s:[], s:s}",
                     "name", ring->name, "instance", ring->instance, "camera", camera, "variant",
                     variant, "kind", "generation", "state", "unreadable", "writer", "frame",
                     "age_ns", "fps", "bytes", "readers", "error", why);
}

void describe_json_print(json_t *rings)
{
    print_json(json_pack("{s:o}", "rings", rings), JSON_INDENT(2) | JSON_REAL_PRECISION(6));
}
