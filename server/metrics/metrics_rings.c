/* The rings' memory and readers. What counts as a reader here is a program from outside the
 * instance: the encoder's row and the servers' own are only among the rows taken. */
#include "common/board.h"
#include "common/camera_rings.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/process.h"
#include "server/frames/camera.h"
#include "server/metrics/metrics_private.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#define SHM_DIRECTORY "/dev/shm"

enum state { ALIVE, STOPPED, DEAD, STATES };

static const char *const state_names[STATES] = {
    [ALIVE] = "alive", [STOPPED] = "stopped", [DEAD] = "dead"};

struct ring {
    /* an observer, NULL: could not be opened, or the ring is not in use */
    struct ring_reader *reader;
    char labels[METRICS_LABELS_SIZE];

    /* as of the last reading */
    bool seen;
    uint64_t bytes, reaped, missed;
    unsigned rows, taken, readers[STATES], pinned[STATES];
    int64_t oldest_pin_ns; /* age, -1: nothing is pinned */
};

struct metrics_rings {
    unsigned places;
    struct ring ring[][CAMERA_RINGS]; /* by the camera's place */
};

struct metrics_rings *metrics_rings_create(const struct server *server)
{
    unsigned places = cameras_places(server->cameras);
    struct metrics_rings *rings = calloc(1, sizeof *rings + places * sizeof rings->ring[0]);
    if (!rings)
        fatal("out of memory");
    rings->places = places;
    return rings;
}

void metrics_rings_forget(struct metrics_rings *rings, unsigned place)
{
    for (unsigned number = 0; number < CAMERA_RINGS; number++)
        ring_reader_close(rings->ring[place][number].reader);
    memset(rings->ring[place], 0, sizeof rings->ring[place]);
}

void metrics_rings_destroy(struct metrics_rings *rings)
{
    for (unsigned place = 0; place < rings->places; place++)
        metrics_rings_forget(rings, place);
    free(rings);
}

/* Iterates over the rings that were read: the first for NULL, else the next one. NULL: no more. */
static const struct ring *next_seen(const struct metrics_rings *rings, const struct ring *ring)
{
    const struct ring *end = rings->ring[rings->places];
    ring = ring ? ring + 1 : rings->ring[0];
    while (ring < end && !ring->seen)
        ring++;
    return ring < end ? ring : NULL;
}

/* ---- looking ---- */

static bool is_ours(struct board *board, const struct ring_row_stat *row)
{
    if (row->row == 0)
        return true;
    for (unsigned i = 0; i < board_child_numbers(board, MSG_SERVER); i++)
        if (row->pid > 0 && atomic_load_explicit(&board_child(board, MSG_SERVER, i)->pid,
                                                 memory_order_relaxed) == row->pid)
            return true;
    return false;
}

static enum state row_state(const struct ring_row_stat *row)
{
    if (!row->alive)
        return DEAD;
    char state = row->pid > 0 ? process_state(row->pid) : '\0';
    return state == 'T' || state == 't' ? STOPPED : ALIVE;
}

/* How long the row's frame is pinned, at most: since it was published.  One of an older generation
 * is pinned at least since before the oldest frame of the current one. */
static int64_t pin_age(const struct ring_stat *stat, const struct ring_row_stat *row, int64_t now)
{
    int64_t since = now;
    if (row->pinned_slot >= 0 && (unsigned)row->pinned_slot < stat->slots)
        since = stat->slot[row->pinned_slot].frame.committed_ns;
    else
        for (unsigned i = 0; i < stat->slots; i++) {
            int64_t committed = stat->slot[i].frame.committed_ns;
            since = committed > 0 && committed < since ? committed : since;
        }
    return since > 0 && since < now ? now - since : 0;
}

static void sum_row(struct ring *ring, const struct ring_stat *stat,
                    const struct ring_row_stat *row, int64_t now)
{
    enum state state = row_state(row);
    ring->readers[state]++;
    ring->missed += row->missed;
    const struct ring_row_stat *held[RING_MAX_PINS];
    unsigned count = ring_stat_held(stat, row->row, held);
    for (unsigned i = 0; i < count; i++) {
        int64_t age = pin_age(stat, held[i], now);
        ring->oldest_pin_ns = age > ring->oldest_pin_ns ? age : ring->oldest_pin_ns;
    }
    ring->pinned[state] += count > 0;
}

static void sum_ring(struct ring *ring, struct board *board, const struct ring_stat *stat)
{
    int64_t now = clock_now();
    ring->bytes = stat->bytes;
    ring->reaped = stat->reaped;
    ring->rows = stat->rows ? stat->rows - 1 : 0;
    ring->taken = 0;
    ring->missed = 0;
    ring->oldest_pin_ns = -1;
    memset(ring->readers, 0, sizeof ring->readers);
    memset(ring->pinned, 0, sizeof ring->pinned);
    for (unsigned i = 1; i < stat->rows; i++) {
        const struct ring_row_stat *row = &stat->row[i];
        if (row->pid == 0)
            continue;
        ring->taken++;
        if (row->of == 0 && !is_ours(board, row))
            sum_row(ring, stat, row, now);
    }
}

/* The ring may not exist yet, and one that was created again must be opened again. */
static struct ring_reader *attach_ring(const struct server *server, struct ring *ring,
                                       const struct board_camera *camera, unsigned number,
                                       char name[static RING_NAME_SIZE])
{
    struct error ignored;
    camera_ring_name_at(number, camera, name);
    return ring_reader_reopen(&ring->reader, server->setup->hello.instance, name, RING_OBSERVER, "",
                              &ignored);
}

static void read_ring(const struct server *server, struct ring *ring, const struct camera *camera,
                      unsigned number)
{
    static struct ring_stat stat; /* large */
    struct error ignored;
    ring->seen = false;
    if (!camera_ring_in_use(number, camera->board))
        return;
    char name[RING_NAME_SIZE];
    struct ring_reader *reader = attach_ring(server, ring, camera->board, number, name);
    if (!reader || ring_reader_stat(reader, &stat, &ignored) < 0)
        return;
    ring->seen = true;
    snprintf(ring->labels, sizeof ring->labels, "camera=\"%s\",ring=\"%s\"", camera->id,
             strchr(name, '.') + 1);
    sum_ring(ring, server->board, &stat);
}

/* ---- telling ---- */

static void by_state(const struct metrics_rings *rings, const char *name, const char *help,
                     bool pinned, struct exposition *out)
{
    char labels[METRICS_LABELS_SIZE + 24];
    exposition_family(out, name, "gauge", help);
    for (const struct ring *ring = NULL; (ring = next_seen(rings, ring));)
        for (unsigned state = 0; state < STATES; state++) {
            snprintf(labels, sizeof labels, "%s,state=\"%s\"", ring->labels, state_names[state]);
            exposition_count(out, labels, pinned ? ring->pinned[state] : ring->readers[state]);
        }
}

static void oldest_pins(const struct metrics_rings *rings, struct exposition *out)
{
    exposition_family(out, "camring_ring_oldest_pin_age_seconds", "gauge",
                      "Age of the oldest frame that a program holds; none while nothing is held.");
    for (const struct ring *ring = NULL; (ring = next_seen(rings, ring));)
        if (ring->oldest_pin_ns >= 0)
            exposition_seconds(out, ring->labels, ring->oldest_pin_ns);
}

enum number { BYTES, ROWS, TAKEN, MISSED, REAPED };

static uint64_t ring_number(const struct ring *ring, enum number number)
{
    switch (number) {
    case BYTES:
        return ring->bytes;
    case ROWS:
        return ring->rows;
    case TAKEN:
        return ring->taken;
    case MISSED:
        return ring->missed;
    default:
        return ring->reaped;
    }
}

static void write_numbers(const struct metrics_rings *rings, struct exposition *out)
{
    static const struct {
        const char *name, *type, *help;
    } families[] = {
        [BYTES] = {"camring_shm_ring_bytes", "gauge", "Shared memory of the ring."},
        [ROWS] = {"camring_ring_rows", "gauge", "How many readers the ring has room for."},
        [TAKEN] = {"camring_ring_rows_taken", "gauge",
                   "Rows with a reader, camring's own servers included."},
        [MISSED] = {"camring_ring_missed_frames", "gauge",
                    "Frames that the programs now attached have missed."},
        [REAPED] = {"camring_ring_readers_reaped_total", "counter",
                    "Readers that died without detaching, cleared away."},
    };
    for (unsigned n = 0; n < sizeof families / sizeof families[0]; n++) {
        exposition_family(out, families[n].name, families[n].type, families[n].help);
        for (const struct ring *ring = NULL; (ring = next_seen(rings, ring));)
            exposition_count(out, ring->labels, ring_number(ring, n));
    }
}

static void write_memory(const struct metrics_rings *rings, struct exposition *out)
{
    struct statvfs fs;
    uint64_t bytes = 0;
    for (const struct ring *ring = NULL; (ring = next_seen(rings, ring));)
        bytes += ring->bytes;
    exposition_family(out, "camring_shm_bytes", "gauge", "Shared memory of all rings.");
    exposition_count(out, "", bytes);
    if (statvfs(SHM_DIRECTORY, &fs) < 0)
        return;
    exposition_family(out, "camring_shm_available_bytes", "gauge",
                      "What " SHM_DIRECTORY " has left.");
    exposition_count(out, "", (uint64_t)fs.f_bavail * fs.f_frsize);
}

void metrics_rings(const struct metrics *metrics, struct exposition *out)
{
    struct metrics_rings *rings = metrics->rings;
    const struct server *server = metrics->server;
    for (unsigned i = 0; i < cameras_count(server->cameras); i++) {
        const struct camera *camera = cameras_nth(server->cameras, i);
        for (unsigned number = 0; number < CAMERA_RINGS; number++)
            read_ring(server, &rings->ring[camera->at.place][number], camera, number);
    }
    write_memory(rings, out);
    write_numbers(rings, out);
    by_state(rings, "camring_ring_readers", "Programs attached to the ring.", false, out);
    by_state(rings, "camring_ring_pinned_readers", "Of these, those that hold a frame.", true, out);
    oldest_pins(rings, out);
}
