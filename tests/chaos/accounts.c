/* accounts INSTANCE: what the board and the rings of a running instance have counted, and what is
 * broken in them, as JSON. accounts INSTANCE hands: how many frames somebody has in hand. */
#include "common/board.h"
#include "common/camera_rings.h"
#include "common/ring_verify.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

static void print_counter(const char *name, const _Atomic uint64_t *counter)
{
    printf("\"%s\": %" PRIu64 ", ", name, atomic_load(counter));
}

static struct ring_stat stat; /* large; of the ring last read */

static void print_rows(void)
{
    printf("\"rows\": [");
    for (unsigned i = 0, n = 0; i < stat.rows; i++) {
        const struct ring_row_stat *row = &stat.row[i];
        if (i > 0 && row->pid == 0)
            continue;
        printf("%s{\"row\": %u, \"alive\": %s, \"pinned\": %d, \"joined\": %" PRIu64
               ", \"last\": %" PRIu64 ", \"taken\": %" PRIu64 ", \"missed\": %" PRIu64 "}",
               n++ ? ", " : "", i, row->alive ? "true" : "false", row->pinned_slot, row->joined,
               row->last, row->taken, row->missed);
    }
    printf("]");
}

static int read_ring(const char *instance, const char *camera, const char *variant)
{
    char name[RING_NAME_SIZE];
    struct error err;
    snprintf(name, sizeof name, "%s.%s", camera, variant);
    struct ring_reader *reader = ring_reader_open(instance, name, RING_OBSERVER, "", &err);
    int r = reader ? ring_reader_stat(reader, &stat, &err) : -1;
    if (r != 0)
        fprintf(stderr, "%s\n", err.text);
    ring_reader_close(reader);
    return r;
}

/* Slots being written, or left so. */
static unsigned half_written(void)
{
    unsigned half = 0;
    for (unsigned i = 0; i < stat.slots; i++)
        half += (stat.slot[i].seq & 1) || stat.slot[i].seq > 2 * stat.head;
    return half;
}

static int print_ring(const char *instance, const char *camera, const char *variant)
{
    if (read_ring(instance, camera, variant) != 0)
        return -1;
    printf(", \"%s\": {\"head\": %" PRIu64 ", \"no_slot\": %" PRIu64
           ", \"slots\": %u, \"half\": %u, ",
           variant, stat.head, stat.no_slot, stat.slots, half_written());
    print_rows();
    printf("}");
    return 0;
}

/* What the dead have left, and nobody has cleared yet, is not broken. */
static int print_broken(const char *instance, const char *camera, const char *variant, bool *first)
{
    static struct ring_findings findings; /* large */
    char name[RING_NAME_SIZE];
    struct error err;
    snprintf(name, sizeof name, "%s.%s", camera, variant);
    if (ring_verify(instance, name, &findings, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    for (unsigned i = 0; i < findings.count; i++) {
        const struct ring_finding *finding = &findings.list[i];
        if (finding->left)
            continue;
        printf("%s\"%s %s: %s\"", *first ? "" : ", ", variant, finding->where, finding->text);
        *first = false;
    }
    return 0;
}

/* Leases that workers hold, and slots that are being written. */
static unsigned count_hands(const char *instance, struct board *board)
{
    unsigned hands = 0;
    for (unsigned i = 0; i < board_places(board); i++) {
        struct board_camera *camera = board_camera(board, i);
        if (!camera)
            continue;
        int holder = lease_holder(&camera->lease);
        hands += holder >= 0 && holder != LEASE_CAPTURE;
        hands += lease_holder(&camera->variant_lease) >= 0;
        hands += read_ring(instance, camera->id, "raw") == 0 && half_written() > 0;
    }
    return hands;
}

/* The variants' own account, and the rings of those that anybody has wanted. */
static int print_variants(const char *instance, struct board_camera *camera, bool *first)
{
    uint64_t published = 0;
    unsigned half = 0;
    for (unsigned number = CAMERA_RING_VARIANT; number < CAMERA_RING_STAGE_IN; number++) {
        struct camera_ring ring = camera_ring(number);
        if (!camera_ring_in_use(number, camera))
            continue;
        if (print_broken(instance, camera->id, ring.variant, first) != 0 ||
            read_ring(instance, camera->id, ring.variant) != 0)
            return -1;
        published += stat.head;
        half += half_written();
    }
    printf("], \"variants\": {");
    print_counter("taken", &camera->variant_taken);
    print_counter("encoded", &camera->variant_encoded);
    print_counter("failed", &camera->variant_failed);
    printf("\"published\": %" PRIu64 ", \"half\": %u, \"lease\": %d}}", published, half,
           lease_holder(&camera->variant_lease));
    return 0;
}

/* The first external step of the camera, and the ring that its program writes. */
static int print_step(const char *instance, const struct board_camera *camera)
{
    const struct board_stage *stage = &camera->stages[0];
    printf(", \"step\": {");
    print_counter("returned", &stage->returned);
    print_counter("late", &stage->late);
    print_counter("refused", &stage->refused);
    printf("\"state\": %u}", atomic_load(&stage->state));
    return print_ring(instance, camera->id, stage->name);
}

static int print_camera(const char *instance, struct board_camera *camera)
{
    printf("{\"id\": \"%s\", ", camera->id);
    print_counter("captured", &camera->captured);
    print_counter("no_slot", &camera->no_slot);
    print_counter("corrupt", &camera->corrupt);
    print_counter("encoded", &camera->encoded);
    print_counter("late", &camera->late);
    print_counter("oversize", &camera->oversize);
    print_counter("aborted", &camera->aborted);
    print_counter("encode_failed", &camera->encode_failed);
    print_counter("processed", &camera->processed);
    print_counter("chain_failed", &camera->chain_failed);
    print_counter("chain_dropped", &camera->chain_dropped);
    print_counter("taken", &camera->taken);
    print_counter("finished", &camera->finished);
    printf("\"lease\": %d", lease_holder(&camera->lease));
    bool chained = camera_ring_exists(CAMERA_RING_OUT, camera);
    bool has_step = camera_ring_exists(CAMERA_RING_STAGE, camera);
    if (print_ring(instance, camera->id, "raw") != 0 ||
        print_ring(instance, camera->id, "jpeg") != 0 ||
        (chained && print_ring(instance, camera->id, "out") != 0) ||
        (has_step && print_step(instance, camera) != 0))
        return -1;
    bool first = true;
    printf(", \"broken\": [");
    if (print_broken(instance, camera->id, "raw", &first) != 0 ||
        print_broken(instance, camera->id, "jpeg", &first) != 0 ||
        (chained && print_broken(instance, camera->id, "out", &first) != 0) ||
        (has_step && print_broken(instance, camera->id, camera->stages[0].name, &first) != 0))
        return -1;
    return print_variants(instance, camera, &first);
}

int main(int argc, char **argv)
{
    struct error err;
    struct board *board = argc >= 2 ? board_open(argv[1], &err) : NULL;
    if (!board)
        return 2;
    if (argc > 2) {
        printf("%u\n", count_hands(argv[1], board));
        return 0;
    }
    printf("[");
    for (unsigned i = 0, printed = 0; i < board_places(board); i++) {
        if (!board_camera(board, i))
            continue;
        printf("%s", printed++ ? ", " : "");
        if (print_camera(argv[1], board_camera(board, i)) != 0)
            return 1;
    }
    printf("]\n");
    board_close(board);
    return 0;
}
