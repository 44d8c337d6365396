/* forwarded.h: whose request is it, if proxies may stand in between?  Pure. */
#ifndef SERVER_FORWARDED_H
#define SERVER_FORWARDED_H

#include "common/conf.h"

#include <stdbool.h>
#include <sys/socket.h>

/* The address in one form: IPv6, IPv4 as ::ffff:a.b.c.d, all zero for unix sockets. */
void forwarded_address(const struct sockaddr *peer, uint8_t out[16]);

/* "203.0.113.7", "2001:db8::1", "a unix socket" */
void forwarded_describe(const uint8_t address[16], char *out, size_t size);

/* From the peer's address to the client's: `forwarded` is what X-Forwarded-For says altogether
 * (NULL: nothing), of which only what trusted proxies added is believed. */
void forwarded_client(const struct conf_proxies *trusted, const char *forwarded,
                      uint8_t address[16]);

#endif
