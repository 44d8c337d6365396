#include "recover.h"

#include "common/camera_rings.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/ring_store.h"

#include <stdatomic.h>
#include <stdio.h>

#define CRASH_MEMORY_NS (3600 * NS_PER_S)

enum duty {
    DUTY_REAP = 1,
    DUTY_LEASE_ROW = 2,
    DUTY_WRITER = 4,
    DUTY_RING = 8,
    DUTY_GONE_WRITER = 16
};

/* Opens one ring's control object only for this: kept open, those of a thousand cameras would need
 * too many descriptors. */
static void repair_ring(const struct recover *recover, const struct board_camera *camera,
                        unsigned ring, unsigned duties)
{
    char name[RING_NAME_SIZE];
    struct error err;
    camera_ring_name_at(ring, camera, name);
    struct ring_ctl *ctl = ring_ctl_open(recover->instance, name, &err);
    if (!ctl) {
        log_error("%s", err.text);
        return;
    }
    if (duties & DUTY_REAP)
        ring_ctl_reap(ctl);
    if (duties & DUTY_LEASE_ROW)
        ring_ctl_clear_encoder_row(ctl);
    if (duties & DUTY_WRITER)
        ring_ctl_clear_writer(ctl);
    if (duties & DUTY_GONE_WRITER)
        ring_ctl_clear_gone_writer(ctl);
    if (duties & DUTY_RING)
        ring_ctl_ring(ctl);
    ring_ctl_close(ctl);
}

/* Repairs each ring of the camera, as `duties_for` says (0: nothing). */
static void repair_rings(const struct recover *recover, const struct board_camera *camera,
                         unsigned (*duties_for)(const struct camera_ring *ring))
{
    for (unsigned number = 0; number < CAMERA_RINGS; number++) {
        struct camera_ring ring = camera_ring(number);
        unsigned duties = camera_ring_in_use(number, camera) ? duties_for(&ring) : 0;
        if (duties)
            repair_ring(recover, camera, number, duties);
    }
}

static void wake_servers(const struct recover *recover)
{
    for (unsigned i = 0; i < RING_MAX_WAKERS; i++)
        if (recover->wakers[i] >= 0)
            bell_signal(recover->wakers[i]);
}

static unsigned duties_for_capture(const struct camera_ring *ring)
{
    return ring->writer == CAMERA_RING_BY_CAPTURE ? DUTY_REAP | DUTY_WRITER | DUTY_RING
           : ring->writer == CAMERA_RING_BY_LEASE ? DUTY_REAP | DUTY_RING
                                                  : 0;
}

static unsigned duties_for_lease(const struct camera_ring *ring)
{
    return (ring->has_lease_row ? DUTY_LEASE_ROW | DUTY_RING : 0) |
           (ring->writer == CAMERA_RING_BY_LEASE ? DUTY_WRITER | DUTY_RING : 0);
}

static unsigned duties_for_variant_lease(const struct camera_ring *ring)
{
    return ring->writer == CAMERA_RING_BY_VARIANT_LEASE ? DUTY_WRITER | DUTY_RING : 0;
}

/* In every ring: other readers may have died as well as the server. */
static unsigned duties_for_reader(const struct camera_ring *ring)
{
    (void)ring;
    return DUTY_REAP;
}

void recover_capture(const struct recover *recover, unsigned place)
{
    struct board_camera *camera = board_camera(recover->board, place);
    if (!camera)
        return;
    struct lease *lease = &camera->lease;
    repair_rings(recover, camera, duties_for_capture);
    if (lease_holder(lease) == LEASE_CAPTURE) { /* else an encoder may be writing those rings now */
        repair_rings(recover, camera, duties_for_lease);
        lease_reset(lease, LEASE_CAPTURE);
    }
    bell_ring(board_pool_bell(recover->board), BELL_ALL);
    wake_servers(recover);
}

/* Counts the frames that the dead worker had taken but not counted: those it skipped, and the one
 * that it was encoding. If the supervisor is killed in between, doing it again gives the right
 * result. */
static void count_unfinished(struct board_camera *camera)
{
    uint64_t taken = atomic_load(&camera->taken);
    uint64_t counted = atomic_load(&camera->encoded) + atomic_load(&camera->late) +
                       atomic_load(&camera->oversize) + atomic_load(&camera->aborted) +
                       atomic_load(&camera->encode_failed) + atomic_load(&camera->chain_failed) +
                       atomic_load(&camera->chain_dropped);
    if (atomic_load(&camera->finished) >= taken)
        return;
    if (counted < taken) {
        board_count(&camera->late, taken - counted - 1);
        board_count(&camera->aborted, 1);
    }
    ring_store_u64(&camera->finished, taken, memory_order_seq_cst);
}

/* While the lease is still the dead worker's, no other process writes its row and counters. */
static void recover_leased(const struct recover *recover, struct board_camera *camera,
                           unsigned worker)
{
    if (lease_holder(&camera->lease) != (int)worker)
        return;
    repair_rings(recover, camera, duties_for_lease);
    ring_store_u32(&camera->chain_running, 0, memory_order_seq_cst);
    count_unfinished(camera);
    lease_reset(&camera->lease, worker);
}

/* The same for the variants, which have a lease of their own. */
static void recover_variants(const struct recover *recover, struct board_camera *camera,
                             unsigned worker)
{
    if (lease_holder(&camera->variant_lease) != (int)worker)
        return;
    repair_rings(recover, camera, duties_for_variant_lease);
    uint64_t counted = atomic_load(&camera->variant_encoded) + atomic_load(&camera->variant_failed);
    uint64_t taken = atomic_load(&camera->variant_taken);
    if (counted < taken)
        board_count(&camera->variant_failed, taken - counted);
    lease_reset(&camera->variant_lease, worker);
}

static void note_chain_crash(struct board_camera *camera)
{
    int64_t now = clock_now();
    uint32_t before = atomic_load(&camera->chain_crashes);
    bool is_recent = now - atomic_load(&camera->chain_crash_ns) < CRASH_MEMORY_NS;
    uint32_t crashes = is_recent ? before + 1 : 1;
    ring_store_i64(&camera->chain_crash_ns, now, memory_order_seq_cst);
    ring_store_u32(&camera->chain_crashes, crashes, memory_order_seq_cst);
    log_error("camera %s: its chain made an encoder crash or hang%s", camera->id,
              crashes < BOARD_CHAIN_CRASHES ? "" : "; it is not run any more until it is changed");
}

void recover_note_crash(const struct recover *recover, unsigned worker)
{
    for (unsigned i = 0; i < board_places(recover->board); i++) {
        struct board_camera *camera = board_camera(recover->board, i);
        if (camera && lease_holder(&camera->lease) == (int)worker &&
            atomic_load(&camera->chain_running))
            note_chain_crash(camera);
    }
}

void recover_encoder(const struct recover *recover, unsigned worker)
{
    for (unsigned i = 0; i < board_places(recover->board); i++) {
        struct board_camera *camera = board_camera(recover->board, i);
        if (!camera)
            continue;
        recover_leased(recover, camera, worker);
        recover_variants(recover, camera, worker);
        if (atomic_load(&camera->state_worker) == worker + 1) { /* its state is gone */
            if (lease_holder(&camera->lease) < 0) /* so are frames that programs had */
                count_unfinished(camera);
            ring_store_u32(&camera->state_worker, 0, memory_order_seq_cst);
        }
        /* It may have finished a frame, released the lease and died before it told capture. */
        bell_ring(&camera->demand, BELL_ALL);
    }
    bell_ring(board_pool_bell(recover->board), BELL_ALL);
    wake_servers(recover);
}

static unsigned duties_for_program(const struct camera_ring *ring)
{
    return ring->writer == CAMERA_RING_BY_PROGRAM ? DUTY_GONE_WRITER : 0;
}

void recover_programs(const struct recover *recover, unsigned place)
{
    if (board_camera(recover->board, place))
        repair_rings(recover, board_camera(recover->board, place), duties_for_program);
}

void recover_server(const struct recover *recover, unsigned server)
{
    board_clear_server(recover->board, server);
    for (unsigned i = 0; i < board_places(recover->board); i++)
        if (board_camera(recover->board, i))
            repair_rings(recover, board_camera(recover->board, i), duties_for_reader);
}
