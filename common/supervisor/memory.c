#include "memory.h"

#include "common/camera_rings.h"
#include "space.h"

#include <errno.h>
#include <stdlib.h>

struct board *memory_create(const struct conf *conf, const struct process_counts *counts,
                            struct error *err)
{
    if (space_check(conf, counts->servers, err) != 0)
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
