#include "passthrough.h"

#include "common/camera_rings.h"
#include "common/jpeg.h"
#include "common/log.h"
#include "common/rate_limit.h"
#include "trim.h"

#include <libavutil/avutil.h>
#include <libavutil/mathematics.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A worker that is encoding this camera rings no bell when it releases the lease, a few ms later.
 * It is rare that a camera changes over to passing JPEGs through, so checking every 20 ms is
 * cheaper than a ring of the bell after each frame of every camera. */
#define LEASE_RECHECK_NS (20 * NS_PER_MS)

#define TABLES_MAX 1024
#define FRAME_MAX (64u << 20) /* larger JPEGs are refused */

struct passthrough {
    struct capture *capture;
    struct ring_writer *writer;
    AVRational time_base;
    struct rate_limit rate;
    size_t slot_bytes;
    uint64_t pictures;
    bool leased;
    uint8_t tables[TABLES_MAX]; /* for cameras that leave the standard ones out */
    size_t tables_size;
};

static bool take_lease(struct capture *capture)
{
    while (!capture_stopping(capture)) {
        uint32_t seen = bell_read(&capture->shared->demand);
        if (lease_acquire(&capture->shared->lease, LEASE_CAPTURE, capture->at.epoch))
            return true;
        capture_wait_bell(capture, seen, clock_now() + LEASE_RECHECK_NS);
    }
    return false;
}

struct passthrough *passthrough_open(struct capture *capture, AVRational time_base,
                                     struct error *err)
{
    struct passthrough *passthrough = calloc(1, sizeof *passthrough);
    if (!passthrough) {
        error_set(err, RING_ERROR_SYSTEM, "out of memory");
        return NULL;
    }
    passthrough->capture = capture;
    passthrough->time_base = time_base;
    passthrough->tables_size =
        jpeg_standard_tables(passthrough->tables, sizeof passthrough->tables);
    passthrough->rate = rate_limit_of(capture->conf->fps);
    char name[RING_NAME_SIZE];
    camera_ring_name(CAMERA_RING_JPEG, capture->conf->id, name);
    passthrough->writer = ring_writer_open(capture->setup->hello.instance, name, false, err);
    if (!passthrough->writer)
        goto fail;
    capture_update_wakers(capture, passthrough->writer);
    ring_writer_set_wakers(passthrough->writer, capture->wakers, RING_MAX_WAKERS);
    passthrough->leased = take_lease(capture);
    if (!passthrough->leased) {
        error_set(err, CAPTURE_STOPPED, "stopped");
        goto fail;
    }
    ring_writer_takeover(passthrough->writer);
    return passthrough;
fail:
    passthrough_close(passthrough);
    return NULL;
}

void passthrough_close(struct passthrough *passthrough)
{
    if (!passthrough)
        return;
    ring_writer_close(passthrough->writer);
    if (passthrough->leased)
        lease_release(&passthrough->capture->shared->lease, LEASE_CAPTURE);
    free(passthrough);
}

uint64_t passthrough_pictures(const struct passthrough *passthrough)
{
    return passthrough->pictures;
}

static int reserve_slots(struct passthrough *passthrough, const struct jpeg_info *info,
                         size_t bytes, struct error *err)
{
    const struct conf_camera *conf = passthrough->capture->conf;
    if (conf->max_width > 0 && conf->max_height > 0 &&
        (info->width > conf->max_width || info->height > conf->max_height)) {
        error_set(err, RING_ERROR_SPACE, "its pictures are %ux%u, larger than max_size: %ux%u",
                  info->width, info->height, conf->max_width, conf->max_height);
        return -1;
    }
    size_t need = jpeg_usual(RING_I420, info->width, info->height);
    if (need < bytes)
        need = bytes + bytes / 2;
    if (need <= passthrough->slot_bytes)
        return 0;
    if (ring_writer_reserve(passthrough->writer, need, 1, err) < 0)
        return -1;
    passthrough->slot_bytes = need;
    return 0;
}

/* Copies the JPEG as the camera sent it, with the standard Huffman tables where the camera leaves
 * them out. */
static size_t copy_jpeg(const struct passthrough *passthrough, const AVPacket *packet,
                        const struct jpeg_info *info, uint8_t *out)
{
    if (info->has_huffman_tables) {
        memcpy(out, packet->data, info->length);
        return info->length;
    }
    memcpy(out, packet->data, info->tables_at);
    memcpy(out + info->tables_at, passthrough->tables, passthrough->tables_size);
    memcpy(out + info->tables_at + passthrough->tables_size, packet->data + info->tables_at,
           info->length - info->tables_at);
    return info->length + passthrough->tables_size;
}

static struct ring_frame describe_jpeg(const struct passthrough *passthrough,
                                       const AVPacket *packet, const struct jpeg_info *info,
                                       int64_t captured_ns)
{
    struct ring_frame frame = {
        .camera_ns =
            packet->pts != AV_NOPTS_VALUE && packet->pts >= 0
                ? av_rescale_q(packet->pts, passthrough->time_base, (AVRational){1, NS_PER_S})
                : -1,
        .captured_ns = captured_ns,
        .started_ns = captured_ns,
        .format = RING_FORMAT_JPEG,
        .width = info->width,
        .height = info->height,
        .range = RING_RANGE_FULL,
        .matrix = RING_MATRIX_BT601,
    };
    return frame;
}

/* Wakes workers for what is made of JPEGs that are passed through: variants, and looks for motion,
 * which one worker does once it has begun. */
static void ring_pool(const struct capture *capture)
{
    const struct board_camera *shared = capture->shared;
    struct bell *bell = board_pool_bell(capture->board);
    uint32_t worker = atomic_load_explicit(&shared->state_worker, memory_order_relaxed);
    if (atomic_load_explicit(&shared->watched, memory_order_relaxed) && worker > 0)
        bell_ring_number(bell, worker - 1);
    else if (atomic_load_explicit(&shared->watched, memory_order_relaxed))
        bell_ring(bell, 1);
    if (variant_any_wanted(&shared->variants))
        bell_ring(bell, 1);
}

static int publish_jpeg(struct passthrough *passthrough, const AVPacket *packet,
                        const struct jpeg_info *info, int64_t captured_ns, struct error *err)
{
    struct board_camera *shared = passthrough->capture->shared;
    size_t bytes = info->length + (info->has_huffman_tables ? 0 : passthrough->tables_size);
    if (bytes > FRAME_MAX) {
        board_count(&shared->capture_oversize, 1);
        return 0;
    }
    if (reserve_slots(passthrough, info, bytes, err) < 0)
        return -1;
    struct ring_loan loan;
    if (!ring_loan(passthrough->writer, &loan)) {
        board_count(&shared->no_slot, 1);
        return 0;
    }
    struct ring_frame frame = describe_jpeg(passthrough, packet, info, captured_ns);
    frame.bytes = (uint32_t)copy_jpeg(passthrough, packet, info, loan.data);
    bool done = ring_commit(passthrough->writer, &loan, &frame);
    ring_loan_release(passthrough->writer, &loan);
    board_count(done ? &shared->captured : &shared->corrupt, 1);
    if (!done)
        return 0;
    stats_observe(&shared->took[STATS_CAPTURE], frame.committed_ns - captured_ns);
    capture_tell_source(passthrough->capture, true);
    capture_tell_picture(passthrough->capture, info->width, info->height, "mjpeg");
    ring_pool(passthrough->capture);
    return 0;
}

int passthrough_packet(struct passthrough *passthrough, const AVPacket *packet, int64_t captured_ns,
                       struct error *err)
{
    struct jpeg_info info;
    if ((packet->flags & AV_PKT_FLAG_CORRUPT) ||
        !jpeg_inspect(packet->data, trim_jpeg(packet->data, (size_t)packet->size), &info)) {
        board_count(&passthrough->capture->shared->corrupt, 1);
        return 0;
    }
    passthrough->pictures++;
    if (!rate_limit_due(&passthrough->rate, captured_ns, captured_ns))
        return 0;
    return publish_jpeg(passthrough, packet, &info, captured_ns, err);
}
