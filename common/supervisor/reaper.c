#include "reaper.h"

#include "common/camera_rings.h"
#include "common/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct reaper {
    const struct conf *conf;
    struct board *board;
    unsigned first_server;
    struct ring_ctl *watched[]; /* CAMERA_RINGS for each camera; NULL: not looked at yet */
};

struct reaper *reaper_create(const struct conf *conf, struct board *board, unsigned first_server)
{
    struct reaper *reaper = calloc(1, sizeof *reaper + (size_t)conf->camera_count * CAMERA_RINGS *
                                                           sizeof reaper->watched[0]);
    if (reaper) {
        reaper->conf = conf;
        reaper->board = board;
        reaper->first_server = first_server;
    }
    return reaper;
}

void reaper_destroy(struct reaper *reaper)
{
    for (unsigned i = 0; reaper && i < reaper->conf->camera_count * CAMERA_RINGS; i++)
        ring_ctl_close(reaper->watched[i]);
    free(reaper);
}

/* When a server dies, recover_server sees to its rows. */
static bool is_server(int32_t pid, void *arg)
{
    const struct reaper *reaper = arg;
    for (unsigned i = reaper->first_server; i < board_children(reaper->board); i++)
        if (atomic_load_explicit(&board_child(reaper->board, i)->pid, memory_order_relaxed) == pid)
            return true;
    return false;
}

static void reap(const struct reaper *reaper, unsigned camera, unsigned ring)
{
    char name[RING_NAME_SIZE];
    struct error ignored; /* no descriptor to be had just now, or a ring that is no more */
    camera_ring_name(ring, reaper->conf->cameras[camera].id, name);
    struct ring_ctl *ctl = ring_ctl_open(reaper->conf->instance, name, &ignored);
    unsigned reaped = ctl ? ring_ctl_reap(ctl) : 0;
    if (reaped > 0)
        log_info("%s: cleared up after %u reader%s that died", name, reaped,
                 reaped == 1 ? "" : "s");
    ring_ctl_close(ctl);
}

static void look(struct reaper *reaper, unsigned camera, unsigned ring)
{
    struct ring_ctl **watched = &reaper->watched[camera * CAMERA_RINGS + ring];
    char name[RING_NAME_SIZE];
    struct error ignored;
    if (!camera_ring_in_use(ring, board_camera(reaper->board, camera)))
        return;
    if (!*watched) {
        camera_ring_name(ring, reaper->conf->cameras[camera].id, name);
        *watched = ring_ctl_watch(reaper->conf->instance, name, &ignored);
    }
    if (*watched && ring_ctl_attended(*watched, is_server, reaper))
        reap(reaper, camera, ring);
}

void reaper_look(struct reaper *reaper)
{
    for (unsigned camera = 0; camera < reaper->conf->camera_count; camera++)
        for (unsigned ring = 0; ring < CAMERA_RINGS; ring++)
            look(reaper, camera, ring);
}
