/* multipart.h: the bytes around each JPEG of a multipart/x-mixed-replace stream.  Pure: writes into
 * the caller's memory.
 *
 * MULTIPART_LENGTH: each JPEG is preceded by its header (type, length, time stamp), the boundary
 * comes right after it. MULTIPART_ADVANCE: the header of the *next* part comes right after each
 * JPEG.  Chromium shows a part only then; such a header can neither know the next picture's length
 * nor its time. */
#ifndef SERVER_MULTIPART_H
#define SERVER_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MULTIPART_CONTENT_TYPE "multipart/x-mixed-replace;boundary=camringframe"
#define MULTIPART_HEAD_SIZE 512 /* what multipart_head needs at most */

enum multipart_form { MULTIPART_LENGTH, MULTIPART_ADVANCE };

/* What one part's header says. */
struct multipart_part {
    const char *camera; /* X-Camera, NULL: left out */
    size_t length;      /* of the JPEG */
    /* X-Timestamp: when it was captured, since the epoch */
    int64_t wall_ns;
    bool info;      /* the fields below are sent, too */
    uint64_t frame; /* X-Frame */
    /* X-Age-…: how long ago, as this header is written */
    int64_t captured_age_ns, started_age_ns, committed_age_ns;
};

/* Picks the form: `wanted` is ?headers= (NULL: not given), `user_agent` the client's (NULL: none).
 * False if `wanted` is neither "advance" nor "length". */
bool multipart_choose(const char *wanted, const char *user_agent, enum multipart_form *form);

/* Static strings: what opens the body, and what follows each JPEG. */
const char *multipart_opening(enum multipart_form form);
const char *multipart_after(enum multipart_form form);

/* Writes what precedes a JPEG, and a NUL; returns its length (0 in advance form). */
size_t multipart_head(enum multipart_form form, const struct multipart_part *part,
                      char out[MULTIPART_HEAD_SIZE]);

#endif
