/* auth.h: whether a request is allowed.
 *
 * Where the configuration names users or tokens, the routes in http.protect and all requests that
 * change something need "Authorization: Basic" or "Bearer".  /healthz and /readyz are answered
 * without a login, but then don't name cameras.  A client on a unix socket that runs as this
 * process's user or as root needs no login, unless a header shows that a proxy passed the request
 * on. */
#ifndef SERVER_AUTH_H
#define SERVER_AUTH_H

#include "server/http/http.h"
#include "server/http/login.h"
#include "server/http/route.h"

struct auth;
struct file_watch;

enum auth_verdict {
    AUTH_GRANTED,
    AUTH_MISSING, /* no credentials came */
    AUTH_WRONG,
    AUTH_LIMITED,
    AUTH_BUSY,
    AUTH_LATER, /* call auth_wait to hear the verdict */
};

/* Embedded in the object that waits for a verdict. */
struct auth_waiter {
    /* first: a login_waiter is its auth_waiter */
    struct login_waiter login;
    /* never AUTH_LATER */
    void (*on_verdict)(struct auth_waiter *waiter, enum auth_verdict verdict);
};

/* Fatal when out of memory. */
struct auth *auth_create(const struct server *server, struct worker *worker,
                         struct file_watch *watch);
void auth_destroy(struct auth *auth); /* after the worker */

enum auth_verdict auth_check(struct http_request *request, const struct route *route);

/* AUTH_LATER: on_verdict will be called or has been called already. */
enum auth_verdict auth_wait(struct http_request *request, struct auth_waiter *waiter);

/* Stops waiting: on_verdict is not called any more. */
void auth_cancel(struct http_request *request, struct auth_waiter *waiter);

/* Answers a request that was not granted. */
void auth_refuse(struct http_request *request, enum auth_verdict verdict);

/* True if the request may change things: it has a valid token, or comes from a local client on a
 * unix socket as above. */
bool auth_has_token(const struct http_request *request);

#endif
