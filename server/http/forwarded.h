/* forwarded.h: client addresses, also those that trusted proxies name in X-Forwarded-For.  Pure.
 *
 * An address is 16 bytes: IPv6 as it is, IPv4 as ::ffff:a.b.c.d, all zero for a unix socket. */
#ifndef SERVER_FORWARDED_H
#define SERVER_FORWARDED_H

#include "common/conf.h"

#include <stdbool.h>
#include <sys/socket.h>

void forwarded_address(const struct sockaddr *peer, uint8_t out[16]);

bool forwarded_is_v4(const uint8_t address[16]);

/* "203.0.113.7", "2001:db8::1", "a unix socket" */
void forwarded_describe(const uint8_t address[16], char *out, size_t size);

/* Replaces the peer's address by the client's.  `forwarded` is what all X-Forwarded-For headers
 * say, with commas between them; NULL: there is none.  Only what trusted proxies added is believed.
 */
void forwarded_client(const struct conf_proxies *trusted, const char *forwarded,
                      uint8_t address[16]);

#endif
