/* peer.h: who sent a request. */
#ifndef SERVER_PEER_H
#define SERVER_PEER_H

#include "server/http/http.h"

#include <stdbool.h>
#include <stdint.h>

/* The client's address, as forwarded_address has it: the other end of the connection, or whom a
 * trusted proxy there speaks for. */
void peer_client(const struct http_request *request, uint8_t address[16]);

/* True if it came by a unix socket from this process's user or from root, and no proxy's headers
 * show that it is somebody else's. */
bool peer_is_local(const struct http_request *request);

#endif
