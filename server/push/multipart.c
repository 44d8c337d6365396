#include "server/push/multipart.h"

#include "common/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DELIMITER "--camringframe\r\n"
#define CAMERA_MAX 63
#define NEXT_HEAD "Content-Type: image/jpeg\r\n\r\n"

bool multipart_choose(const char *wanted, const char *user_agent, enum multipart_form *form)
{
    if (!wanted)
        *form = user_agent && strstr(user_agent, "Chrome/") ? MULTIPART_ADVANCE : MULTIPART_LENGTH;
    else if (strcmp(wanted, "advance") == 0)
        *form = MULTIPART_ADVANCE;
    else if (strcmp(wanted, "length") == 0)
        *form = MULTIPART_LENGTH;
    else
        return false;
    return true;
}

const char *multipart_opening(enum multipart_form form)
{
    return form == MULTIPART_ADVANCE ? DELIMITER NEXT_HEAD : DELIMITER;
}

const char *multipart_after(enum multipart_form form)
{
    return form == MULTIPART_ADVANCE ? "\r\n" DELIMITER NEXT_HEAD : "\r\n" DELIMITER;
}

/* Seconds with a µs fraction.  A negative time, which only a broken clock gives, is 0. */
static void format_seconds(int64_t ns, char out[32])
{
    if (ns < 0)
        ns = 0;
    snprintf(out, 32, "%" PRId64 ".%06d", ns / NS_PER_S, (int)(ns % NS_PER_S / NS_PER_US));
}

static int info_lines(const struct multipart_part *part, char *out, size_t size)
{
    char captured[32], started[32], committed[32];
    format_seconds(part->captured_age_ns, captured);
    format_seconds(part->started_age_ns, started);
    format_seconds(part->committed_age_ns, committed);
    return snprintf(out, size,
                    "X-Frame: %" PRIu64
                    "\r\nX-Age-Captured: %s\r\nX-Age-Encode-Start: %s\r\nX-Age-Committed: %s\r\n",
                    part->frame, captured, started, committed);
}

size_t multipart_head(enum multipart_form form, const struct multipart_part *part,
                      char out[MULTIPART_HEAD_SIZE])
{
    out[0] = '\0';
    if (form == MULTIPART_ADVANCE)
        return 0;
    char stamp[32];
    format_seconds(part->wall_ns, stamp);
    int n = snprintf(out, MULTIPART_HEAD_SIZE,
                     "Content-Type: image/jpeg\r\nContent-Length: %zu\r\nX-Timestamp: %s\r\n",
                     part->length, stamp);
    if (part->camera)
        n += snprintf(out + n, MULTIPART_HEAD_SIZE - (size_t)n, "X-Camera: %.*s\r\n", CAMERA_MAX,
                      part->camera);
    if (part->info)
        n += info_lines(part, out + n, MULTIPART_HEAD_SIZE - (size_t)n);
    memcpy(out + n, "\r\n", 3); /* the longest head takes 370 bytes */
    return (size_t)n + 2;
}
