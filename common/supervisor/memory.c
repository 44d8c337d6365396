#include "memory.h"

#include "common/camera_rings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#define SHM_DIRECTORY "/dev/shm"
static int check_space(const struct conf *conf, const struct process_counts *counts,
                       struct error *err)
{
    uint64_t needed = 0, available = UINT64_MAX;
    for (unsigned i = 0; i < conf->camera_count; i++) {
        if (conf->cameras[i].max_width == 0 || conf->cameras[i].max_height == 0)
            return 0; /* not known before the first picture */
        needed += camera_rings_bytes(conf, counts->servers, &conf->cameras[i]);
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
        if (camera_rings_fit(conf, counts->servers, board_camera(board, i), err) != 0) {
            board_close(board);
            board = NULL;
        }
    free(ids);
    return board;
}
