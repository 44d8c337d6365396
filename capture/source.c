#include "source.h"

#include "common/url.h"

#include <string.h>
#include <strings.h>

static const struct source_ops *const sources[] = {&source_rtsp, &source_http, &source_https,
                                                   &source_file, &source_test};

const struct source_ops *source_find(const char *url, struct error *err)
{
    size_t length = url_scheme_length(url);
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        if (strlen(sources[i]->scheme) == length &&
            strncasecmp(sources[i]->scheme, url, length) == 0)
            return sources[i];
    if (length > 0)
        error_set(err, 0, "unknown kind of source \"%.*s:\" (known: rtsp, http, https, file, test)",
                  length < 32 ? (int)length : 32, url);
    else
        error_set(err, 0, "the source has no scheme (rtsp:, http:, https:, file: or test:)");
    return NULL;
}
