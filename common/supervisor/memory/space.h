/* space.h: checks that the cameras' pictures fit into shared memory, before anything starts. */
#ifndef CAMRING_SPACE_H
#define CAMRING_SPACE_H

#include "common/conf.h"

#include <stdint.h>

/* Bytes that the cameras' rings need without any reader. */
struct space_need {
    uint64_t certain; /* of the cameras with a max_size, at least */
    uint64_t likely;  /* of all cameras, if those without a max_size send 1920x1080 */
    unsigned unknown; /* cameras without a max_size */
    uint64_t largest; /* of one camera, in `likely` */
};

/* The bytes that may be used: of /dev/shm, or shm.max_bytes if that is less. */
struct space_room {
    uint64_t available, total;
    bool is_configured; /* the limit is shm.max_bytes */
};

struct space_need space_need(const struct conf *conf);

/* `used`: bytes that this instance's rings have already; they count as available. */
struct space_room space_room(const struct conf *conf, uint64_t used);

enum space_verdict { SPACE_FITS, SPACE_DOUBTFUL, SPACE_SHORT };

/* SPACE_SHORT if the pictures can't fit, SPACE_DOUBTFUL if they won't in case cameras of unknown
 * size send 1920x1080; `text` then explains it and names the setting and value that would do. */
enum space_verdict space_judge(const struct space_need *need, const struct space_room *room,
                               unsigned cameras, char *text, size_t size);

/* Makes the check; SPACE_DOUBTFUL logs a warning. -1 with err: SPACE_SHORT. `used` as above. */
int space_check(const struct conf *conf, uint64_t used, struct error *err);

#endif
