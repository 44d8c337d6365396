#include "scheme.h"

#include "url.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define HOST "//[USER:PASSWORD@]HOST[:PORT]/PATH"

const struct scheme scheme_table[SCHEMES] = {
    [SCHEME_RTSP] = {"rtsp", "rtsp:" HOST, "An RTSP camera.", SCHEME_NEEDS_HOST},
    [SCHEME_RTSPS] = {"rtsps", "rtsps:" HOST, "The same over TLS; pictures come over it, too.",
                      SCHEME_NEEDS_HOST},
    [SCHEME_HTTP] = {"http", "http:" HOST,
                     "MJPEG as cameras push it, or any container that FFmpeg reads.",
                     SCHEME_NEEDS_HOST},
    [SCHEME_HTTPS] = {"https", "https:" HOST, "The same over TLS.", SCHEME_NEEDS_HOST},
    [SCHEME_FILE] =
        {"file", "file:PATH[?loop=1&realtime=1]",
         "A file, once, as fast as its pictures can be encoded; loop=1: again and again, "
         "realtime=1: at its own speed.",
         SCHEME_NEEDS_PATH},
    [SCHEME_TEST] = {"test", "test:[?size=1280x720&fps=30&static=1]",
                     "A test camera: a moving clock, its name and a frame number for machines.",
                     SCHEME_NEEDS_NOTHING},
};

const struct scheme *scheme_find(const char *url)
{
    size_t length = url_scheme_length(url);
    for (unsigned i = 0; i < SCHEMES; i++)
        if (strlen(scheme_table[i].name) == length &&
            strncasecmp(scheme_table[i].name, url, length) == 0)
            return &scheme_table[i];
    return NULL;
}

void scheme_names(char *out, size_t size)
{
    size_t used = 0;
    for (unsigned i = 0; i < SCHEMES && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", scheme_table[i].name,
                                 i + 2 < SCHEMES    ? ", "
                                 : i + 2 == SCHEMES ? " and "
                                                    : "");
}
