#include "describe.h"
#include "find.h"
#include "print.h"
#include "shmtool.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const columns[] = {"RING", "STATE",  "PICTURE", ">FRAME",   ">FPS",    ">AGE",
                                      ">GEN", ">SLOTS", ">BYTES",  ">READERS", ">WRITER", NULL};
static const char *const columns_all[] = {"INSTANCE", "RING",   "STATE",  "PICTURE",  ">FRAME",  ">FPS", ">AGE",
                                          ">GEN",     ">SLOTS", ">BYTES", ">READERS", ">WRITER", NULL};

static unsigned count_readers(const struct ring_stat *stat)
{
    unsigned n = 0;
    for (unsigned i = 0; i < stat->rows && i <= RING_MAX_ROWS; i++)
        n += describe_row_used(&stat->row[i]);
    return n;
}

static void add_line(struct print_table *table, const struct ring_stat *stat)
{
    const struct ring_frame *newest = &stat->newest;
    print_table_cell(table, "%s", stat->name);
    print_table_cell(table, "%s", describe_state(stat));
    if (stat->head)
        print_table_cell(table, "%s %" PRIu32 "x%" PRIu32, describe_format(newest->format), newest->width, newest->height);
    else
        print_table_cell(table, "-");
    print_table_cell(table, "%" PRIu64, stat->head);
    print_table_cell(table, "%.1f", stat->fps);
    print_table_cell(table, "%s", print_age(stat->head ? stat->age_ns : -1).text);
    print_table_cell(table, "%" PRIu32, stat->generation);
    print_table_cell(table, "%u", stat->slots);
    print_table_cell(table, "%s", print_bytes(stat->bytes).text);
    print_table_cell(table, "%u", count_readers(stat));
    if (stat->writer_pid)
        print_table_cell(table, "%" PRId32, stat->writer_pid);
    else
        print_table_cell(table, "-");
}

static void add_unreadable(struct print_table *table, const struct find_ring *ring)
{
    print_table_cell(table, "%s", ring->name);
    print_table_cell(table, "unreadable");
    for (size_t i = 2; columns[i]; i++)
        print_table_cell(table, "-");
}

enum shm_exit cmd_list(const struct shm_options *options)
{
    enum shm_exit code = SHM_DONE;
    struct find_set set = find_all(options->all ? NULL : options->instance);
    struct print_table *table = print_table_create(options->all ? columns_all : columns);
    json_t *list = json_array();
    size_t lines = 0;

    for (size_t i = 0; i < set.count; i++) {
        struct error err = {0};
        struct ring_stat *stat = find_stat(&set.ring[i], &err);
        if (!stat && err.code == RING_ERROR_ABSENT)
            continue; /* gone since it was found */
        lines++;
        if (!stat) {
            print_fault("%s: %s", set.ring[i].name, err.text);
            code = SHM_FAILED;
        }
        if (options->json) {
            json_array_append_new(list, stat ? describe_json(stat, false) : describe_json_unreadable(&set.ring[i], err.text));
        } else {
            if (options->all)
                print_table_cell(table, "%s", set.ring[i].instance);
            stat ? add_line(table, stat) : add_unreadable(table, &set.ring[i]);
        }
        free(stat);
    }

    if (options->json)
        describe_json_print(json_incref(list));
    else if (lines == 0)
        puts("no rings");
    else
        print_table_write(table, "", stdout);
    json_decref(list);
    print_table_destroy(table);
    find_free(&set);
    return code;
}
