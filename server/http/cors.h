/* cors.h: lets pages of other origins (http.cors_origins) read the answers. */
#ifndef SERVER_CORS_H
#define SERVER_CORS_H

#include "server/http/http.h"

/* The origin to allow: `origin` itself if the configuration names it, "*" if it allows all; NULL:
 * none. Pure. */
const char *cors_allowed(const struct conf_origins *origins, const char *origin);

/* Adds what every answer to this request needs, before it is sent. */
void cors_add(struct http_request *request);

/* Adds what a browser asks for by OPTIONS before the request itself; `methods` as in an Allow
 * header. */
void cors_add_preflight(struct http_request *request, const char *methods);

#endif
