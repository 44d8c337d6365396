#include "server/http/cors.h"

#include <string.h>

#define REQUEST_HEADERS "Authorization, Cache-Control, Content-Type, Last-Event-ID"
#define RESPONSE_HEADERS "Retry-After, X-Frame, X-Timestamp"
#define PREFLIGHT_S "600" /* how long a browser may cache the answer */

const char *cors_allowed(const struct conf_origins *origins, const char *origin)
{
    const char *allowed = NULL;
    for (unsigned i = 0; i < origins->count && i < CONF_MAX_ORIGINS; i++) {
        if (strcmp(origins->item[i], origin) == 0)
            return origins->item[i];
        if (strcmp(origins->item[i], "*") == 0)
            allowed = origins->item[i];
    }
    return allowed;
}

static const char *allowed_of(const struct http_request *request)
{
    const char *origin = http_header(request, "Origin");
    return origin ? cors_allowed(&request->server->setup->hello.http.cors_origins, origin) : NULL;
}

static bool names_some(const struct conf_origins *origins)
{
    return origins->count > 1 || (origins->count == 1 && strcmp(origins->item[0], "*") != 0);
}

void cors_add(struct http_request *request)
{
    const char *allowed = allowed_of(request);
    if (names_some(&request->server->setup->hello.http.cors_origins))
        http_add_header(request, "Vary", "Origin");
    if (!allowed)
        return;
    http_add_header(request, "Access-Control-Allow-Origin", allowed);
    http_add_header(request, "Access-Control-Expose-Headers", RESPONSE_HEADERS);
    if (strcmp(allowed, "*") != 0)
        http_add_header(request, "Access-Control-Allow-Credentials", "true");
}

void cors_add_preflight(struct http_request *request, const char *methods)
{
    if (!allowed_of(request) || !http_header(request, "Access-Control-Request-Method"))
        return;
    http_add_header(request, "Access-Control-Allow-Methods", methods);
    http_add_header(request, "Access-Control-Allow-Headers", REQUEST_HEADERS);
    http_add_header(request, "Access-Control-Max-Age", PREFLIGHT_S);
}
