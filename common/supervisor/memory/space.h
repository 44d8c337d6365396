/* space.h: do the cameras' pictures fit into shared memory?  Asked before anything starts. */
#ifndef CAMRING_SPACE_H
#define CAMRING_SPACE_H

#include "common/conf.h"

#include <stdint.h>

/* The bytes that the cameras' rings take without any reader: those of cameras with a max_size, at
 * the least; and of all, if the others send 1920x1080. */
struct space_need {
    uint64_t certain, likely;
    unsigned unknown; /* cameras without a max_size */
    uint64_t largest; /* of one camera, in `likely` */
};

/* What there is: of /dev/shm, or of shm.max_bytes where that allows less. */
struct space_room {
    uint64_t available, total;
    bool is_configured; /* it is shm.max_bytes that counts */
};

struct space_need space_need(const struct conf *conf);

/* `used`: bytes that this instance's rings take already, which are room, too. */
struct space_room space_room(const struct conf *conf, uint64_t used);

enum space_verdict { SPACE_FITS, SPACE_DOUBTFUL, SPACE_SHORT };

/* SPACE_SHORT if it is certain that the pictures don't fit, SPACE_DOUBTFUL if they won't should
 * cameras of unknown size send 1920x1080; then `text` says so, and what to set to which number. */
enum space_verdict space_judge(const struct space_need *need, const struct space_room *room,
                               unsigned cameras, char *text, size_t size);

/* Looks, and logs a warning if it is doubtful.  -1 with err if it is certain that they don't fit,
 * beside what is not this instance's. */
int space_check(const struct conf *conf, uint64_t used, struct error *err);

#endif
