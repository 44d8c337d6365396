/* openapi.h: the OpenAPI description of all paths, embedded from web/openapi.json at build time. */
#ifndef SERVER_OPENAPI_H
#define SERVER_OPENAPI_H

#include "server/http/http.h"

void openapi_handle(struct http_request *request); /* GET /api/v1/openapi.json */

#endif
