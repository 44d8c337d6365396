/* clip.h: the pictures that every server of the HTTP bench pushes, and the stamp that says in each
 * when it was published.
 *
 * The stamp is a JPEG comment right after the picture's first two bytes, so it survives every
 * server that doesn't encode anew. Another comment pads each picture to the same size. */
#ifndef BENCH_CLIP_H
#define BENCH_CLIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIP_MAX 64
#define CLIP_STAMP_END 38 /* the stamp is in so many first bytes of the picture */

struct clip {
    unsigned count;
    size_t bytes; /* of each picture */
    uint8_t *picture[CLIP_MAX];
};

struct clip_stamp {
    uint64_t number; /* from 1 */
    int64_t published_ns;
};

/* Reads a file of JPEGs one after the other, each of which becomes `bytes` long.  Fatal if it
 * can't. */
void clip_load(struct clip *clip, const char *path, size_t bytes);

/* Picture `number`, as published now, into `out` (clip->bytes long). */
void clip_publish(const struct clip *clip, uint64_t number, uint8_t *out);

/* False: `picture` (of CLIP_STAMP_END bytes or more) has no stamp. */
bool clip_read(const uint8_t *picture, struct clip_stamp *stamp);

#endif
