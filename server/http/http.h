/* http.h: a request as its handler sees it, and how it is answered.
 *
 * A handler answers each request exactly once: with one of the http_reply functions, or by
 * http_take, and is done with the request when it returns; unless it puts the answer off with
 * http_defer. */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include "server/context.h"
#include "server/http/connection.h"
#include "server/http/query.h"
#include "server/http/route.h"
#include "server/http/transport.h"

#include <event2/buffer.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct http_request {
    struct server *server;
    struct camera *camera;     /* the route's; NULL: it has none */
    const char *name;          /* what stood for {id}, shortened if need be */
    const struct query *query; /* NULL once it is deferred */
    enum route_class class;
    bool head; /* HEAD: the answer is sent without its body */
    /* the path needs a login to show everything, and the request has none: leave out details */
    bool anonymous;
    bool closes;                   /* set it to close the connection after the answer */
    struct connection *connection; /* private */
    struct http_wait *wait;        /* private; NULL: answered within the handler */
};

/* A header of the request, NULL if there is none. */
const char *http_header(const struct http_request *request, const char *name);

/* Adds a header to the answer, before it is sent. */
void http_add_header(struct http_request *request, const char *name, const char *value);

/* Sends `body` (emptied, stays the caller's) as `type`, with its length. */
void http_reply(struct http_request *request, int status, const char *type, struct evbuffer *body);

/* Sends the headers that have been added, without a body. */
void http_reply_empty(struct http_request *request, int status);

/* The same for constant memory, which is not copied. */
void http_reply_static(struct http_request *request, const char *type, const void *data,
                       size_t size);

/* Takes the malloc'ed `text`, of which no cache may keep a copy; NULL: out of memory.  503 if too
 * many such answers wait to be sent. */
void http_reply_text(struct http_request *request, int status, const char *type, char *text,
                     size_t size);

/* Takes the reference to `body`; NULL (out of memory) becomes a 500. */
void http_reply_json(struct http_request *request, int status, json_t *body);

/* {"error": …} */
void http_reply_error(struct http_request *request, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* 503 with Retry-After. */
void http_reply_later(struct http_request *request, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Puts the answer off: returns a request that is to be answered once, later, in place of `request`;
 * answering frees it. If the client leaves before, or the server ends, on_gone is called and the
 * returned request is freed. NULL: out of memory; answer now. */
struct http_request *http_defer(const struct http_request *request, void (*on_gone)(void *arg),
                                void *arg);

/* Hands the connection over to the caller for a stream: only the caller reads and writes from now
 * on, through *transport, and calls connection_close in the end. `head` is filled with what must be
 * sent first: the status line and the headers that have been added. *length is its length, 0:
 * longer than `size`. */
struct connection *http_take(struct http_request *request, struct transport *transport, char *head,
                             size_t size, size_t *length);

#endif
