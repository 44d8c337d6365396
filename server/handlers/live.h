/* live.h: many cameras' pictures for one client, on one connection. */
#ifndef SERVER_LIVE_H
#define SERVER_LIVE_H

#include "server/http/http.h"

/* Handler of /live. */
void live_handle(struct http_request *request);

#endif
