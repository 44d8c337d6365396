/* ring_source.h: the newest picture of one JPEG ring, copied out of it once and shared by all
 * clients. */
#ifndef SERVER_RING_SOURCE_H
#define SERVER_RING_SOURCE_H

#include "common/board.h"
#include "server/frames/picture.h"

#include <stdbool.h>
#include <stdint.h>

struct ring_source {
    struct picture *newest; /* read-only for other files; NULL: none yet */

    /* private */
    const char *instance, *camera;
    char variant[RING_ID_SIZE];
    struct board_camera *board;
    int waker;
    bool wanted;
    struct ring_reader *reader; /* NULL: could not be opened */
    int64_t tried_ns;
    char failure[256];     /* what was logged last, "" once it works */
    uint64_t seen;         /* number of the frame looked at last */
    uint32_t only;         /* pictures of any other variant are passed over */
    int64_t not_before_ns; /* and so are pictures captured earlier */
};

/* Reads the ring CAMERA.`variant`, which is opened as soon as it exists.  `waker` is this process's
 * number among those that rings can wake. The strings instance and camera stay the caller's. */
void ring_source_open(struct ring_source *source, const char *instance, const char *camera,
                      const char *variant, struct board_camera *board, int waker);
void ring_source_close(struct ring_source *source);

/* Pictures of another variant (ring_frame.variant), or captured before not_before_ns, are passed
 * over. */
void ring_source_only(struct ring_source *source, uint32_t variant, int64_t not_before_ns);

/* Reads the newest picture of the ring; true if it is a new one. */
bool ring_source_refresh(struct ring_source *source);

/* Sets whether each new picture wakes this process. Call ring_source_refresh afterwards: a picture
 * may have come before. */
void ring_source_want(struct ring_source *source, bool want);

/* The ring's reader, for its figures (borrowed); NULL: the ring can't be read. */
struct ring_reader *ring_source_reader(struct ring_source *source);

#endif
