#include "reader.h"
#include "common/quantity.h"
#include "common/table.h"

#include "common/clock.h"
#include "common/process.h"

#include <inttypes.h>
#include <string.h>

#define HELD_TOO_LONG NS_PER_S

/* The pid in a row may be from another container and belong to a different process here. */
static bool has_mapped(int32_t pid, const struct ring_stat *stat)
{
    char path[40], name[sizeof stat->instance + sizeof stat->name + 16], line[512];
    snprintf(path, sizeof path, "/proc/%" PRId32 "/maps", pid);
    snprintf(name, sizeof name, "/camring.%s.%s", stat->instance, stat->name);
    FILE *maps = fopen(path, "re");
    bool found = false;
    while (maps && !found && fgets(line, sizeof line, maps))
        found = strstr(line, name);
    if (maps)
        fclose(maps);
    return found;
}

static bool is_stopped(const struct ring_stat *stat, int32_t pid)
{
    char state = pid > 0 ? process_state(pid) : '\0';
    return (state == 'T' || state == 't') && has_mapped(pid, stat);
}

static enum reader_state look_state(const struct ring_stat *stat, const struct ring_row_stat *row)
{
    if (row->row == 0)
        return row->alive ? READER_ALIVE : READER_IDLE;
    if (!row->alive)
        return READER_DEAD;
    return is_stopped(stat, row->pid) ? READER_STOPPED : READER_ALIVE;
}

static int64_t held_since(const struct ring_stat *stat, const struct ring_row_stat *row)
{
    if (row->frame == 0 || row->pinned_slot < 0 || row->pinned_slot >= RING_MAX_SLOTS)
        return -1;
    return clock_age(clock_now(), stat->slot[row->pinned_slot].frame.committed_ns);
}

bool reader_used(const struct ring_row_stat *row)
{
    return (row->of == 0 && (row->alive || row->pid != 0)) || (row->row == 0 && row->taken > 0);
}

struct print_text reader_name(const struct ring_row_stat *row)
{
    if (row->row == 0 && !row->who[0])
        return (struct print_text){"encoder"};
    return print_clean(row->who, sizeof row->who);
}

unsigned reader_room(const struct ring_stat *stat)
{
    return stat->rows > 0 ? stat->rows - 1 : 0;
}

uint64_t reader_lag(const struct ring_stat *stat, const struct ring_row_stat *row)
{
    uint64_t seen = row->last > row->joined ? row->last : row->joined;
    return stat->head > seen ? stat->head - seen : 0;
}

struct reader reader_look(const struct ring_stat *stat, const struct ring_row_stat *row)
{
    struct reader reader = {
        .state = look_state(stat, row), .held_ns = -1, .lag = reader_lag(stat, row)};
    const struct ring_row_stat *held[RING_MAX_PINS];
    bool old = false;
    reader.held = ring_stat_held(stat, row->row, held);
    for (unsigned i = 0; i < reader.held; i++) {
        int64_t age = held_since(stat, held[i]);
        old |= held[i]->pinned_generation < stat->generation;
        if (!reader.oldest || age > reader.held_ns)
            reader.oldest = held[i];
        reader.held_ns = age > reader.held_ns ? age : reader.held_ns;
    }
    bool overtaken = reader.held_ns > HELD_TOO_LONG && reader.lag > 0;
    reader.trouble =
        reader.state == READER_STOPPED || reader.state == READER_DEAD || old || overtaken;
    return reader;
}

const char *reader_state_name(enum reader_state state)
{
    static const char *const names[] = {[READER_IDLE] = "idle",
                                        [READER_ALIVE] = "alive",
                                        [READER_STOPPED] = "stopped",
                                        [READER_DEAD] = "dead"};
    return names[state];
}

struct print_text reader_pin(const struct ring_stat *stat, const struct reader *reader)
{
    struct print_text out = {"-"};
    const struct ring_row_stat *row = reader->oldest;
    if (reader->held > 1)
        snprintf(out.text, sizeof out.text, "%u frames", reader->held);
    else if (!row)
        return out;
    else if (row->pinned_slot >= 0)
        snprintf(out.text, sizeof out.text, "slot %" PRId32, row->pinned_slot);
    else if (row->pinned_generation > 0 && row->pinned_generation != stat->generation)
        snprintf(out.text, sizeof out.text, "generation %" PRIu32, row->pinned_generation);
    return out;
}

unsigned reader_count(const struct ring_stat *stat)
{
    unsigned n = 0;
    for (unsigned i = 0; i < stat->rows && i <= RING_MAX_ROWS; i++)
        n += reader_used(&stat->row[i]);
    return n;
}

static void print_one(const struct ring_stat *stat, const struct ring_row_stat *row,
                      const struct reader *reader, FILE *out)
{
    fprintf(out, "%s: reader %s", stat->name, reader_name(row).text);
    if (row->pid > 0)
        fprintf(out, " (process %" PRId32 ")", row->pid);
    bool acts = reader->state == READER_ALIVE;
    if (!acts)
        fprintf(out, " is %s", reader_state_name(reader->state));
    if (reader->held > 0)
        fprintf(out, "%s %s", acts ? " does not release" : " and holds",
                reader_pin(stat, reader).text);
    if (reader->held_ns >= 0)
        fprintf(out, "%s frame %" PRIu64 ", %s old", reader->held > 1 ? ", the oldest" : " with",
                reader->oldest->frame, quantity_age(reader->held_ns).text);
    fprintf(out, "; %" PRIu64 " frames behind\n", reader->lag);
}

void reader_print_trouble(const struct ring_stat *stat, FILE *out)
{
    for (unsigned i = 0; i < stat->rows && i <= RING_MAX_ROWS; i++) {
        const struct ring_row_stat *row = &stat->row[i];
        if (!reader_used(row))
            continue;
        struct reader reader = reader_look(stat, row);
        if (reader.trouble)
            print_one(stat, row, &reader, out);
    }
}

static void reader_add_line(struct table *table, const struct ring_stat *stat,
                            const struct ring_row_stat *row)
{
    struct reader reader = reader_look(stat, row);
    table_cell(table, "%u", row->row);
    if (row->pid != 0)
        table_cell(table, "%" PRId32, row->pid);
    else
        table_cell(table, "-");
    table_cell(table, "%s", reader_name(row).text);
    table_cell(table, "%s", reader_state_name(reader.state));
    table_cell(table, "%s", reader_pin(stat, &reader).text);
    table_cell(table, "%s", quantity_age(reader.held_ns).text);
    table_cell(table, "%" PRIu64, reader.lag);
    table_cell(table, "%" PRIu64, row->taken);
    table_cell(table, "%" PRIu64, row->missed);
}

void reader_print_table(const struct ring_stat *stat, FILE *out)
{
    static const char *const columns[] = {"ROW",   ">PID", "NAME",   "STATE",   "PIN",
                                          ">HELD", ">LAG", ">TAKEN", ">MISSED", NULL};
    struct table *table = table_create(columns);
    for (unsigned i = 0; i < stat->rows && i <= RING_MAX_ROWS; i++)
        if (reader_used(&stat->row[i]))
            reader_add_line(table, stat, &stat->row[i]);
    if (reader_count(stat) > 0)
        table_write(table, "  ", out);
    else
        fprintf(out, "  no readers; room for %u\n", reader_room(stat));
    table_destroy(table);
}
