#include "source.h"

#include "common/scheme.h"

static const struct source_ops *const sources[SCHEMES] = {
    [SCHEME_RTSP] = &source_rtsp,  [SCHEME_RTSPS] = &source_rtsps, [SCHEME_HTTP] = &source_http,
    [SCHEME_HTTPS] = &source_http, [SCHEME_FILE] = &source_file,   [SCHEME_TEST] = &source_test,
};

const struct source_ops *source_find(const char *url, struct error *err)
{
    const struct scheme *scheme = scheme_find(url);
    if (scheme)
        return sources[scheme - scheme_table];
    char names[128];
    scheme_names(names, sizeof names);
    error_set(err, 0, "the source is none of a known kind: %s", names);
    return NULL;
}
