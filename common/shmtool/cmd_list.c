#include "common/quantity.h"
#include "common/table.h"
#include "describe.h"
#include "find.h"
#include "print.h"
#include "reader.h"
#include "shmtool.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const columns[] = {"RING", "STATE",  "PICTURE", ">FRAME",   ">FPS",    ">AGE",
                                      ">GEN", ">SLOTS", ">BYTES",  ">READERS", ">WRITER", NULL};
static const char *const columns_all[] = {"INSTANCE", "RING",    "STATE", "PICTURE", ">FRAME",
                                          ">FPS",     ">AGE",    ">GEN",  ">SLOTS",  ">BYTES",
                                          ">READERS", ">WRITER", NULL};

static void list_add_line(struct table *table, const struct ring_stat *stat)
{
    const struct ring_frame *newest = &stat->newest;
    table_cell(table, "%s", stat->name);
    table_cell(table, "%s", describe_state(stat));
    if (stat->head)
        table_cell(table, "%s %" PRIu32 "x%" PRIu32, describe_format(newest->format), newest->width,
                   newest->height);
    else
        table_cell(table, "-");
    table_cell(table, "%" PRIu64, stat->head);
    table_cell(table, "%.1f", stat->fps);
    table_cell(table, "%s", quantity_age(stat->head ? stat->age_ns : -1).text);
    table_cell(table, "%" PRIu32, stat->generation);
    table_cell(table, "%u/%u", stat->allocated, stat->slots);
    table_cell(table, "%s", quantity_bytes(stat->bytes).text);
    table_cell(table, "%u", reader_count(stat));
    if (stat->writer_pid)
        table_cell(table, "%" PRId32, stat->writer_pid);
    else
        table_cell(table, "-");
}

static void add_unreadable(struct table *table, const struct find_ring *ring)
{
    table_cell(table, "%s", ring->name);
    table_cell(table, "unreadable");
    for (size_t i = 2; columns[i]; i++)
        table_cell(table, "-");
}

/* Collects what is to be said while rings are looked at one by one. */
struct listing {
    const struct shm_options *options;
    struct table *table;
    json_t *list;
    FILE *troubles; /* lines about readers, which go below the table */
    char *trouble_text;
    size_t trouble_size, rings;
    enum shm_exit code;
};

static void list_add_ring(struct listing *listing, const struct find_ring *ring)
{
    struct error err = {0};
    struct ring_stat *stat = find_stat(ring, &err);
    if (!stat && err.code == RING_ERROR_ABSENT)
        return; /* gone since it was found */
    listing->rings++;
    if (!stat) {
        print_fault("%s: %s", ring->name, err.text);
        listing->code = SHM_FAILED;
    }
    if (listing->options->json) {
        json_array_append_new(listing->list, stat ? describe_json(stat, false)
                                                  : describe_json_unreadable(ring, err.text));
    } else {
        if (listing->options->all)
            table_cell(listing->table, "%s", ring->instance);
        stat ? list_add_line(listing->table, stat) : add_unreadable(listing->table, ring);
        if (stat && listing->troubles)
            reader_print_trouble(stat, listing->troubles);
    }
    free(stat);
}

static void print_listing(struct listing *listing)
{
    if (listing->troubles)
        fclose(listing->troubles); /* completes the text */
    if (listing->options->json)
        describe_json_print(json_incref(listing->list));
    else if (listing->rings == 0)
        puts("no rings");
    else
        table_write(listing->table, "", stdout);
    if (listing->trouble_size > 0)
        printf("\n%s", listing->trouble_text);
}

enum shm_exit cmd_list(const struct shm_options *options)
{
    struct listing listing = {.options = options,
                              .table = table_create(options->all ? columns_all : columns),
                              .list = json_array(),
                              .code = SHM_DONE};
    listing.troubles = open_memstream(&listing.trouble_text, &listing.trouble_size);
    struct find_set set = find_all(options->all ? NULL : options->instance);
    for (size_t i = 0; i < set.count; i++)
        list_add_ring(&listing, &set.ring[i]);
    print_listing(&listing);
    find_free(&set);
    free(listing.trouble_text);
    json_decref(listing.list);
    table_destroy(listing.table);
    return listing.code;
}
