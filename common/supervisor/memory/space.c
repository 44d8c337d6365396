#include "space.h"

#include "common/camera_rings.h"
#include "common/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/statvfs.h>

#define SHM_DIRECTORY "/dev/shm"
#define USUAL_WIDTH 1920
#define USUAL_HEIGHT 1080
#define USUAL_HELD 4 /* slots that an H.264 decoder holds */
#define MIB (UINT64_C(1) << 20)
#define STEP (64 * MIB) /* what is recommended is a multiple of it: Docker gives so much */

struct space_need space_need(const struct conf *conf)
{
    struct space_need need = {0};
    for (unsigned i = 0; i < conf->camera_count; i++) {
        const struct conf_camera *camera = &conf->cameras[i];
        bool is_known = camera->max_width > 0 && camera->max_height > 0;
        uint64_t bytes =
            is_known ? camera_rings_bytes(conf, camera, camera->max_width, camera->max_height, 0)
                     : camera_rings_bytes(conf, camera, USUAL_WIDTH, USUAL_HEIGHT, USUAL_HELD);
        need.certain += is_known ? bytes : 0;
        need.likely += bytes;
        need.unknown += !is_known;
        need.largest = bytes > need.largest ? bytes : need.largest;
    }
    return need;
}

struct space_room space_room(const struct conf *conf, uint64_t used)
{
    struct space_room room = {.available = UINT64_MAX, .total = UINT64_MAX};
    struct statvfs fs;
    if (statvfs(SHM_DIRECTORY, &fs) == 0 && fs.f_blocks > 0) {
        room.available = (uint64_t)fs.f_bavail * fs.f_frsize + used;
        room.total = (uint64_t)fs.f_blocks * fs.f_frsize;
    }
    if (conf->shm_max_bytes && conf->shm_max_bytes < room.available) {
        room.available = room.total = conf->shm_max_bytes;
        room.is_configured = true;
    }
    return room;
}

/* Includes what other programs use, and room for one camera whose pictures change in size, as both
 * generations exist for a moment. */
static uint64_t recommended_bytes(const struct space_need *need, const struct space_room *room)
{
    uint64_t bytes = room->total - room->available + need->likely + need->largest;
    return (bytes + STEP - 1) / STEP * STEP;
}

static void describe_remedy(char *text, size_t size, const struct space_need *need,
                            const struct space_room *room)
{
    uint64_t bytes = recommended_bytes(need, room);
    if (room->is_configured)
        snprintf(text, size, "set it to %" PRIu64 " or more", bytes);
    else
        snprintf(text, size,
                 "make it %" PRIu64 " MiB or more (docker run --shm-size=%" PRIu64
                 "m, or mount -o remount,size=%" PRIu64 "m " SHM_DIRECTORY ")",
                 bytes / MIB, bytes / MIB, bytes / MIB);
}

enum space_verdict space_judge(const struct space_need *need, const struct space_room *room,
                               unsigned cameras, char *text, size_t size)
{
    const char *place = room->is_configured ? "shm.max_bytes allows" : SHM_DIRECTORY " has";
    const char *plural = cameras == 1 ? "" : "s";
    char remedy[160];
    describe_remedy(remedy, sizeof remedy, need, room);
    if (need->certain > room->available) {
        snprintf(text, size,
                 "the pictures of %u camera%s need %" PRIu64 " bytes of shared memory, %s %" PRIu64
                 ": %s",
                 cameras, plural, need->likely, place, room->available, remedy);
        return SPACE_SHORT;
    }
    if (need->likely > room->available) {
        snprintf(text, size,
                 "the pictures of %u camera%s need %" PRIu64
                 " bytes of shared memory if those without max_size are %dx%d, %s %" PRIu64 ": %s",
                 cameras, plural, need->likely, USUAL_WIDTH, USUAL_HEIGHT, place, room->available,
                 remedy);
        return SPACE_DOUBTFUL;
    }
    return SPACE_FITS;
}

int space_check(const struct conf *conf, uint64_t used, struct error *err)
{
    struct space_need need = space_need(conf);
    struct space_room room = space_room(conf, used);
    char text[400];
    enum space_verdict verdict = space_judge(&need, &room, conf->camera_count, text, sizeof text);
    if (verdict == SPACE_DOUBTFUL)
        log_warn("%s", text);
    if (verdict != SPACE_SHORT)
        return 0;
    error_set(err, ENOSPC, "%s", text);
    return -1;
}
