/* openapi.h: the description of all paths for programs, embedded from web/openapi.json when this is
 * built. */
#ifndef SERVER_OPENAPI_H
#define SERVER_OPENAPI_H

#include "server/http/http.h"

void openapi_handle(struct http_request *request); /* GET /api/v1/openapi.json */

#endif
