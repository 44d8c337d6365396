/* http.h: requests and ordinary answers.  libevent's evhttp reads and writes them; only http.c
 * knows that.
 *
 * A handler answers each request exactly once: with one of the http_reply functions, or by
 * http_take, and is done with the request when it returns; unless it puts the answer off with
 * http_defer. */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include "server/http/query.h"
#include "server/http/route.h"
#include "server/http/transport.h"
#include "server/server.h"

#include <event2/buffer.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct http;

struct http_request {
    struct server *server;
    struct camera *camera; /* the route's; NULL: it has none */
    const char *name;      /* what stood for {id}, shortened if need be */
    struct query query;
    enum route_class class;
    bool head; /* HEAD: the answer is sent without its body */
    /* somebody would have to log in, and this client has not: tell it little */
    bool anonymous;
    struct evhttp_request *raw; /* private */
    struct http_wait *wait;     /* private; NULL: answered within the handler */
};

/* Begins to accept on the supervisor's sockets.  Fatal on failure. */
struct http *http_create(struct server *server);
void http_destroy(struct http *http); /* after the worker */

/* A header of the request, NULL if there is none. */
const char *http_header(const struct http_request *request, const char *name);

/* Adds a header to the answer, before it is sent. */
void http_add_header(struct http_request *request, const char *name, const char *value);

/* Sends `body` (emptied, stays the caller's) as `type`, with its length. */
void http_reply(struct http_request *request, int status, const char *type, struct evbuffer *body);

/* Answers HEAD where GET would bring a body without end. */
void http_reply_endless(struct http_request *request, const char *type);

/* Memory that stays as it is for ever. */
void http_reply_static(struct http_request *request, const char *type, const void *data,
                       size_t size);

/* Takes the malloc'ed `text`, which nobody may keep; NULL: out of memory.  503 if too many such
 * answers wait to be taken. */
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

/* Puts the answer off: answer what is returned instead of `request`, later and once, which frees
 * it.  Its query is empty.  If the client leaves before, or the server ends, on_gone is called in
 * place of an answer, and it is gone.  NULL: too many wait, or no memory; answer now. */
struct http_request *http_defer(const struct http_request *request, void (*on_gone)(void *arg),
                                void *arg);

/* Takes the connection away from HTTP: from now on only the caller reads and writes, through
 * *transport. http_close ends it. */
struct http_connection;
struct http_connection *http_take(struct http_request *request, struct transport *transport);

/* Writes the headers that have been added to the answer, as far as they fit, for whoever has taken
 * the connection.  Returns the length. */
size_t http_put_headers(const struct http_request *request, char *out, size_t size);

void http_close(struct http_connection *connection);

#endif
