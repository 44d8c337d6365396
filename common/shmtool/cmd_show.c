#include "common/clock.h"
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

static void show_header(const struct ring_stat *stat)
{
    printf("%s\n", stat->name);
    printf("  instance    %s\n", stat->instance);
    printf("  kind        %s\n", stat->kind == RING_JPEG ? "jpeg" : "raw");
    printf("  state       %s\n", describe_state(stat));
    printf("  generation  %" PRIu32 "%s\n", stat->generation,
           stat->generation ? "" : " (no picture size known yet)");
    if (stat->writer_pid)
        printf("  writer      pid %" PRId32 ", %s\n", stat->writer_pid,
               stat->writer_alive ? "alive" : "dead");
    else
        printf("  writer      nobody yet\n");
    if (stat->head)
        printf("  newest      frame %" PRIu64 ", %s ago, %.1f fps\n", stat->head,
               quantity_age(stat->age_ns).text, stat->fps);
    else
        printf("  newest      none\n");
    printf("  memory      %s, %u slots of %s allocated, %u possible\n",
           quantity_bytes(stat->bytes).text, stat->allocated, quantity_bytes(stat->slot_bytes).text,
           stat->slots);
    printf("  lost        %" PRIu64 " without a free slot, %" PRIu64 " aborted\n", stat->no_slot,
           stat->aborted);
}

/* Milliseconds of a stage, if both its ends are known and in order. */
static struct quantity_text stage_duration(int64_t from, int64_t to)
{
    return quantity_age(from > 0 ? clock_age(to, from) : -1);
}

static void show_slots(const struct ring_stat *stat)
{
    static const char *const columns[] = {"SLOT",    "STATE",  ">SEQUENCE", ">FRAME",  ">SOURCE",
                                          ">AGE",    ">BYTES", "PICTURE",   "VARIANT", "COLOURS",
                                          ">QUEUED", ">WORK",  NULL};
    int64_t now = clock_now();
    struct table *table = table_create(columns);
    for (unsigned i = 0; i < stat->slots && i < RING_MAX_SLOTS; i++) {
        uint64_t seq = stat->slot[i].seq;
        const struct ring_frame *frame = &stat->slot[i].frame;
        if (!stat->slot[i].exists)
            continue;
        table_cell(table, "%u", i);
        table_cell(table, "%s", describe_slot_state(stat, i));
        table_cell(table, "%" PRIu64, seq);
        if (seq == 0 || seq & 1) { /* the descriptor means nothing now */
            for (size_t column = 3; columns[column]; column++)
                table_cell(table, "-");
            continue;
        }
        table_cell(table, "%" PRIu64, frame->number);
        table_cell(table, "%" PRIu64, frame->source);
        table_cell(table, "%s", quantity_age(clock_age(now, frame->committed_ns)).text);
        table_cell(table, "%" PRIu32, frame->bytes);
        table_cell(table, "%s %" PRIu32 "x%" PRIu32, describe_format(frame->format), frame->width,
                   frame->height);
        table_cell(table, "%s", describe_variant(frame->variant).text);
        table_cell(table, "%s %s", describe_range(frame->range), describe_matrix(frame->matrix));
        table_cell(table, "%s", stage_duration(frame->captured_ns, frame->started_ns).text);
        table_cell(table, "%s", stage_duration(frame->started_ns, frame->committed_ns).text);
    }
    if (stat->slots > 0) {
        printf("\n");
        table_write(table, "  ", stdout);
    }
    table_destroy(table);
}

static void show_ring(const struct ring_stat *stat, bool first)
{
    if (!first)
        printf("\n");
    show_header(stat);
    show_slots(stat);
    printf("\n");
    reader_print_table(stat, stdout);
}

enum shm_exit cmd_show(const struct shm_options *options)
{
    struct find_set set = find_wanted(options->instance, options->ring);
    enum shm_exit code = set.count > 0 ? SHM_DONE : SHM_FAILED;
    json_t *list = json_array();
    size_t shown = 0;
    for (size_t i = 0; i < set.count; i++) {
        struct error err = {0};
        struct ring_stat *stat = find_stat(&set.ring[i], &err);
        if (!stat) {
            print_fault("%s: %s", set.ring[i].name, err.text);
            json_array_append_new(list, describe_json_unreadable(&set.ring[i], err.text));
            code = SHM_FAILED;
            continue;
        }
        if (options->json)
            json_array_append_new(list, describe_json(stat, true));
        else
            show_ring(stat, shown++ == 0);
        free(stat);
    }
    if (options->json && set.count > 0)
        describe_json_print(json_incref(list));
    json_decref(list);
    find_free(&set);
    return code;
}
