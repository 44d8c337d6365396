#include "reaper.h"

#include "common/camera_rings.h"
#include "common/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct reaper {
    const char *instance;
    struct board *board;
    /* by place and ring; NULL: not checked yet */
    struct ring_ctl *(*watched)[CAMERA_RINGS];
};

struct reaper *reaper_create(const char *instance, struct board *board)
{
    struct reaper *reaper = calloc(1, sizeof *reaper);
    if (!reaper)
        return NULL;
    reaper->instance = instance;
    reaper->board = board;
    reaper->watched = calloc(board_places(board), sizeof *reaper->watched);
    if (reaper->watched)
        return reaper;
    free(reaper);
    return NULL;
}

void reaper_destroy(struct reaper *reaper)
{
    if (!reaper)
        return;
    for (unsigned place = 0; place < board_places(reaper->board); place++)
        reaper_forget(reaper, place);
    free(reaper->watched);
    free(reaper);
}

void reaper_forget(struct reaper *reaper, unsigned place)
{
    for (unsigned ring = 0; ring < CAMERA_RINGS; ring++) {
        ring_ctl_close(reaper->watched[place][ring]);
        reaper->watched[place][ring] = NULL;
    }
}

/* The rows of dead servers are freed by recover_server. */
static bool is_server(int32_t pid, void *arg)
{
    const struct reaper *reaper = arg;
    for (unsigned i = 0; i < board_child_numbers(reaper->board, MSG_SERVER); i++)
        if (atomic_load_explicit(&board_child(reaper->board, MSG_SERVER, i)->pid,
                                 memory_order_relaxed) == pid)
            return true;
    return false;
}

static void reap_rows(const struct reaper *reaper, const char *name)
{
    struct error ignored; /* no free descriptor now, or a ring that has been removed */
    struct ring_ctl *ctl = ring_ctl_open(reaper->instance, name, &ignored);
    unsigned reaped = ctl ? ring_ctl_reap(ctl) : 0;
    if (reaped > 0)
        log_info("%s: cleared up after %u reader%s that died", name, reaped,
                 reaped == 1 ? "" : "s");
    ring_ctl_close(ctl);
}

static void reaper_check_ring(struct reaper *reaper, unsigned place, unsigned ring)
{
    const struct board_camera *camera = board_camera(reaper->board, place);
    struct ring_ctl **watched = &reaper->watched[place][ring];
    char name[RING_NAME_SIZE];
    struct error ignored;
    if (!camera_ring_in_use(ring, camera))
        return;
    camera_ring_name_at(ring, camera, name);
    if (!*watched)
        *watched = ring_ctl_watch(reaper->instance, name, &ignored);
    if (*watched && ring_ctl_attended(*watched, is_server, reaper))
        reap_rows(reaper, name);
}

void reaper_check(struct reaper *reaper)
{
    for (unsigned place = 0; place < board_places(reaper->board); place++)
        for (unsigned ring = 0; board_camera(reaper->board, place) && ring < CAMERA_RINGS; ring++)
            reaper_check_ring(reaper, place, ring);
}
