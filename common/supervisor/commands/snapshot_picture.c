#include "snapshot_picture.h"

#include "common/camera_rings.h"
#include "common/clock.h"

#include <string.h>

/* With a row, so that the reader counts as a viewer; if all rows are taken, without one. */
static struct ring_reader *picture_open_ring(const char *instance, const char *camera,
                                             struct error *err)
{
    char name[RING_NAME_SIZE];
    camera_ring_name(CAMERA_RING_JPEG, camera, name);
    struct ring_reader *reader = ring_reader_open(instance, name, RING_MEMBER, "snapshot", err);
    if (!reader && err->code == RING_ERROR_ROWS)
        reader = ring_reader_open(instance, name, RING_OBSERVER, "snapshot", err);
    return reader;
}

static bool picture_is_fresh(const struct snapshot_picture *picture,
                             const struct snapshot_camera *camera)
{
    return strcmp(camera->state, "ended") == 0 ||
           picture->taken_ns - picture->frame.captured_ns <= camera->max_age_ns;
}

static void say_why(const struct snapshot_picture *picture, const struct snapshot_camera *camera,
                    struct error *err)
{
    if (camera->why[0])
        error_set(err, 0, "%s", camera->why);
    else if (picture->taken_ns)
        error_set(err, 0, "it is %s, and its newest picture is %.1f s old", camera->state,
                  (double)(clock_now() - picture->frame.captured_ns) / NS_PER_S);
    else
        error_set(err, 0, "it is %s, and none has come yet", camera->state);
}

static int wait_for_one(struct snapshot_picture *picture, struct ring_reader *reader,
                        const struct snapshot_camera *camera, int64_t deadline, struct error *err)
{
    bool may_come = strcmp(camera->state, "away") != 0;
    for (;;) {
        uint32_t heard = ring_reader_listen(reader);
        enum ring_result result =
            ring_reader_copy(reader, picture->frame.number, &picture->buffer, &picture->frame, err);
        if (result == RING_FAILED && err->code != RING_ERROR_EMPTY)
            return -1;
        if (result == RING_GOT) {
            picture->taken_ns = clock_now();
            if (picture_is_fresh(picture, camera))
                return 0;
        }
        if (!may_come || clock_now() >= deadline) {
            say_why(picture, camera, err);
            return -1;
        }
        if (ring_reader_closed(reader)) {
            error_set(err, RING_ERROR_CLOSED, "the camera has been removed");
            return -1;
        }
        ring_reader_wait(reader, heard, deadline);
    }
}

int snapshot_picture_take(struct snapshot_picture *picture, const char *instance,
                          const struct snapshot_camera *camera, int64_t deadline, struct error *err)
{
    picture->frame = (struct ring_frame){0};
    picture->taken_ns = 0;
    struct ring_reader *reader = picture_open_ring(instance, camera->id, err);
    if (!reader)
        return -1;
    int result = wait_for_one(picture, reader, camera, deadline, err);
    ring_reader_close(reader);
    return result;
}
