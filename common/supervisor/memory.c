#include "memory.h"

#include "common/jpeg.h"
#include "common/ring.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#define SHM_DIRECTORY "/dev/shm"
#define SERVER_ROWS_SPARE                                                                          \
    2 /* rows in a JPEG ring beside reader_rows and one a server: for a server's successor */

static unsigned jpeg_rows(const struct conf *conf, const struct process_counts *counts)
{
    unsigned rows = conf->shm_reader_rows + counts->servers + SERVER_ROWS_SPARE;
    return rows < RING_MAX_ROWS ? rows : RING_MAX_ROWS;
}

/* The least that a camera of that size takes: frames without the margins a decoder may add or the
 * slots it may hold, and JPEGs of usual size. */
static uint64_t camera_bytes(const struct conf *conf, const struct process_counts *counts,
                             const struct conf_camera *camera)
{
    uint64_t pixels = (uint64_t)camera->max_width * camera->max_height;
    return ring_bytes_needed(RING_RAW, conf->shm_reader_rows, pixels + pixels / 2, 0) +
           ring_bytes_needed(RING_JPEG, jpeg_rows(conf, counts),
                             jpeg_usual(RING_I420, camera->max_width, camera->max_height), 0);
}

static int check_space(const struct conf *conf, const struct process_counts *counts,
                       struct error *err)
{
    uint64_t needed = 0, available = UINT64_MAX;
    for (unsigned i = 0; i < conf->camera_count; i++) {
        if (conf->cameras[i].max_width == 0 || conf->cameras[i].max_height == 0)
            return 0; /* not known before the first picture */
        needed += camera_bytes(conf, counts, &conf->cameras[i]);
    }
    struct statvfs fs;
    if (statvfs(SHM_DIRECTORY, &fs) == 0 && fs.f_blocks > 0)
        available = (uint64_t)fs.f_bavail * fs.f_frsize;
    const char *where = SHM_DIRECTORY " has";
    if (conf->shm_max_bytes && conf->shm_max_bytes < available) {
        available = conf->shm_max_bytes;
        where = "shm.max_bytes allows";
    }
    if (needed <= available)
        return 0;
    error_set(err, ENOSPC,
              "the pictures of %u camera%s need %" PRIu64 " bytes of shared memory, %s %" PRIu64,
              conf->camera_count, conf->camera_count == 1 ? "" : "s", needed, where, available);
    return -1;
}

static int create_rings(const struct conf *conf, const struct process_counts *counts,
                        const char *camera, struct error *err)
{
    struct ring_create raw = {.instance = conf->instance,
                              .camera = camera,
                              .variant = "raw",
                              .kind = RING_RAW,
                              .rows = conf->shm_reader_rows,
                              .max_bytes = conf->shm_max_bytes};
    struct ring_create jpeg = raw;
    jpeg.variant = "jpeg";
    jpeg.kind = RING_JPEG;
    jpeg.rows = jpeg_rows(conf, counts);
    if (ring_create(&raw, err) != 0 || ring_create(&jpeg, err) != 0)
        return -1;
    for (unsigned slot = 0; slot < VARIANT_SLOTS; slot++) {
        char name[VARIANT_NAME_SIZE];
        struct ring_create variant = jpeg;
        variant.variant = variant_name(slot, name);
        if (ring_create(&variant, err) != 0)
            return -1;
    }
    return 0;
}

struct board *memory_create(const struct conf *conf, const struct process_counts *counts,
                            struct error *err)
{
    if (check_space(conf, counts, err) != 0)
        return NULL;
    const char **ids = calloc(conf->camera_count ? conf->camera_count : 1, sizeof *ids);
    if (!ids) {
        error_set(err, ENOMEM, "out of memory");
        return NULL;
    }
    for (unsigned i = 0; i < conf->camera_count; i++)
        ids[i] = conf->cameras[i].id;
    struct board *board = board_create(conf->instance, ids, conf->camera_count,
                                       counts->captures + counts->encoders + counts->servers, err);
    for (unsigned i = 0; board && i < conf->camera_count; i++)
        if (create_rings(conf, counts, ids[i], err) != 0) {
            board_close(board);
            board = NULL;
        }
    free(ids);
    return board;
}
