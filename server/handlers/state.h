/* state.h: /state in ustreamer's format, for programs made for that. */
#ifndef SERVER_STATE_H
#define SERVER_STATE_H

#include "server/http/http.h"

void state_handle(struct http_request *request); /* GET /state: the first camera */

#endif
