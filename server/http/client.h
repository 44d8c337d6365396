/* client.h: the sender of a request: its address, and whether it is local. */
#ifndef SERVER_CLIENT_H
#define SERVER_CLIENT_H

#include "server/http/http.h"

#include <stdbool.h>
#include <stdint.h>

/* The client's address, in the form of forwarded_address: the other end of the connection, or, if
 * that is a trusted proxy, the address that it names in X-Forwarded-For. */
void client_address(const struct http_request *request, uint8_t address[16]);

/* True if it came by a unix socket from this process's user or from root, and no header shows that
 * a proxy passed it on. */
bool client_is_local(const struct http_request *request);

#endif
