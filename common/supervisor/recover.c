#include "recover.h"

#include "common/log.h"
#include "common/ring_store.h"

#include <stdatomic.h>
#include <stdio.h>

enum duty { DUTY_REAP = 1, DUTY_ENCODER_ROW = 2, DUTY_WRITER = 4, DUTY_RING = 8 };

/* Opens one ring's control object for as long as it takes: a thousand cameras would be too many
 * descriptors to keep. */
static void attend(const struct recover *recover, unsigned camera, const char *variant,
                   unsigned duties)
{
    char name[RING_NAME_SIZE];
    struct error err;
    snprintf(name, sizeof name, "%s.%s", recover->conf->cameras[camera].id, variant);
    struct ring_ctl *ctl = ring_ctl_open(recover->conf->instance, name, &err);
    if (!ctl) {
        log_error("%s", err.text);
        return;
    }
    if (duties & DUTY_REAP)
        ring_ctl_reap(ctl);
    if (duties & DUTY_ENCODER_ROW)
        ring_ctl_clear_encoder_row(ctl);
    if (duties & DUTY_WRITER)
        ring_ctl_clear_writer(ctl);
    if (duties & DUTY_RING)
        ring_ctl_ring(ctl);
    ring_ctl_close(ctl);
}

/* Of the variants' rings only those that anybody has had to do with. */
static void attend_variants(const struct recover *recover, unsigned camera, unsigned duties)
{
    for (unsigned slot = 0; slot < VARIANT_SLOTS; slot++) {
        char name[VARIANT_NAME_SIZE];
        if (variant_was_wanted(board_camera(recover->board, camera), slot))
            attend(recover, camera, variant_name(slot, name), duties);
    }
}

static void wake_servers(const struct recover *recover)
{
    for (unsigned i = 0; i < recover->waker_count; i++)
        bell_signal(recover->wakers[i]);
}

void recover_capture(const struct recover *recover, unsigned camera)
{
    struct lease *lease = &board_camera(recover->board, camera)->lease;
    /* if not, an encoder may just be writing them */
    bool wrote_jpegs = lease_holder(lease) == LEASE_CAPTURE;
    attend(recover, camera, "raw", DUTY_REAP | DUTY_WRITER | DUTY_RING);
    attend(recover, camera, "jpeg", DUTY_REAP | (wrote_jpegs ? DUTY_WRITER : 0) | DUTY_RING);
    lease_reset(lease, LEASE_CAPTURE);
    bell_ring(board_pool_bell(recover->board), BELL_ALL);
    wake_servers(recover);
}

/* Books what the dead worker had taken up and no longer booked itself: the frames it passed over,
 * and the one in its hand.  Cut short, it can be done again from the start. */
static void book_unfinished(struct board_camera *camera)
{
    uint64_t taken = atomic_load(&camera->taken);
    uint64_t booked = atomic_load(&camera->encoded) + atomic_load(&camera->late) +
                      atomic_load(&camera->oversize) + atomic_load(&camera->aborted) +
                      atomic_load(&camera->encode_failed);
    if (atomic_load(&camera->finished) >= taken)
        return;
    if (booked < taken) {
        board_count(&camera->late, taken - booked - 1);
        board_count(&camera->aborted, 1);
    }
    ring_store_u64(&camera->finished, taken, memory_order_seq_cst);
}

/* While the lease is still the dead worker's, its row and its counters are nobody else's. */
static void recover_leased(const struct recover *recover, unsigned index, unsigned worker)
{
    struct board_camera *camera = board_camera(recover->board, index);
    if (lease_holder(&camera->lease) != (int)worker)
        return;
    attend(recover, index, "raw", DUTY_ENCODER_ROW | DUTY_RING);
    attend(recover, index, "jpeg", DUTY_WRITER | DUTY_RING);
    book_unfinished(camera);
    lease_reset(&camera->lease, worker);
}

/* The same for the variants, which have a lease of their own. */
static void recover_variants(const struct recover *recover, unsigned index, unsigned worker)
{
    struct board_camera *camera = board_camera(recover->board, index);
    if (lease_holder(&camera->variant_lease) != (int)worker)
        return;
    attend_variants(recover, index, DUTY_WRITER | DUTY_RING);
    uint64_t booked = atomic_load(&camera->variant_encoded) + atomic_load(&camera->variant_failed);
    uint64_t taken = atomic_load(&camera->variant_taken);
    if (booked < taken)
        board_count(&camera->variant_failed, taken - booked);
    lease_reset(&camera->variant_lease, worker);
}

void recover_encoder(const struct recover *recover, unsigned worker)
{
    for (unsigned i = 0; i < recover->conf->camera_count; i++) {
        recover_leased(recover, i, worker);
        recover_variants(recover, i, worker);
        /* It may have finished a frame, released the lease and died before it told capture. */
        bell_ring(&board_camera(recover->board, i)->demand, BELL_ALL);
    }
    bell_ring(board_pool_bell(recover->board), BELL_ALL);
    wake_servers(recover);
}

void recover_server(const struct recover *recover, unsigned server)
{
    board_clear_server(recover->board, server);
    for (unsigned i = 0; i < recover->conf->camera_count; i++) {
        attend(recover, i, "raw", DUTY_REAP);
        attend(recover, i, "jpeg", DUTY_REAP);
        attend_variants(recover, i, DUTY_REAP);
    }
}
