#include "server/http/http_server.h"

#include "common/log.h"
#include "server/http/accept.h"
#include "server/http/auth.h"
#include "server/http/cors.h"
#include "server/http/http.h"
#include "server/http/lingering_close.h"
#include "server/http/tls.h"
#include "server/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct http_server {
    struct server *server;
    struct tls *tls; /* NULL: none */
    struct connections *connections;
    struct acceptor *acceptor;
};

/* A request that waits for the verdict on its credentials. */
struct login_wait {
    struct auth_waiter waiter; /* first: a waiter is its login_wait */
    struct http_request request;
    struct route_match match;
    struct query query;
};

/* ---- logins ---- */

static void handle_request(struct http_request *request, const struct route_match *match,
                           enum auth_verdict verdict)
{
    request->anonymous = verdict != AUTH_GRANTED;
    if (request->anonymous && match->route->class != ROUTE_PROBE)
        auth_refuse(request, verdict);
    else if (route_find_camera(request, match))
        match->route->handle(request);
}

static void on_verdict(struct auth_waiter *waiter, enum auth_verdict verdict)
{
    struct login_wait *wait = (struct login_wait *)waiter;
    loop_begin("HTTP request after a login");
    handle_request(&wait->request, &wait->match, verdict);
    free(wait);
}

static void http_server_on_client_gone(void *arg)
{
    struct login_wait *wait = arg;
    auth_cancel(&wait->request, &wait->waiter);
    free(wait);
}

static void wait_for_login(const struct http_request *request, const struct route_match *match)
{
    struct login_wait *wait = malloc(sizeof *wait);
    if (!wait) {
        struct http_request now = *request;
        http_reply_later(&now, "out of memory");
        return;
    }
    *wait = (struct login_wait){.waiter = {.on_verdict = on_verdict},
                                .request = *request,
                                .match = *match,
                                .query = *request->query};
    wait->request.query = &wait->query;
    connection_defer(request->connection, http_server_on_client_gone, wait);
    enum auth_verdict verdict = auth_wait(&wait->request, &wait->waiter);
    if (verdict != AUTH_LATER)
        on_verdict(&wait->waiter, verdict);
}

/* ---- routes ---- */

static void reply_options(struct http_request *request, unsigned methods)
{
    char allow[64];
    route_allow(methods, allow, sizeof allow);
    http_add_header(request, "Allow", allow);
    cors_add_preflight(request, allow);
    http_reply_empty(request, 204);
}

static void reply_redirect(struct http_request *request, const struct route_match *match,
                           enum http_method method)
{
    request->class = match->route->class;
    if (method == HTTP_OPTIONS) {
        reply_options(request, match->allowed);
        return;
    }
    enum auth_verdict verdict = auth_check(request, match->route);
    if (verdict == AUTH_LATER)
        wait_for_login(request, match);
    else
        handle_request(request, match, verdict);
}

/* Health checks don't come through the proxy, so /healthz and /readyz also exist without the base
 * path. */
static enum route_result find_route(const char *below, const char *path, const struct query *query,
                                    enum http_method method, struct route_match *match)
{
    enum route_result result =
        route_find(routes, routes_count, below ? below : path, query, method, match);
    bool probe = result == ROUTE_FOUND && match->route->class == ROUTE_PROBE;
    return below || probe ? result : ROUTE_UNKNOWN;
}

/* Links on the page are relative to a path that ends with a slash. */
static void redirect_below(struct http_request *request, const char *base, const char *query)
{
    char target[HTTP_TARGET_MAX + 256];
    snprintf(target, sizeof target, "%s/%s%s", base, query ? "?" : "", query ? query : "");
    http_add_header(request, "Location", target);
    http_reply_empty(request, 308);
}

/* Handles a request whose query is valid and whose path is not too long. */
static void route_request(struct http_request *request, const struct http_head *head)
{
    const char *base = request->server->setup->hello.http.base_path, *path = head->path,
               *below = route_below(base, path);
    enum http_method method = route_method(head->method);
    struct route_match match;
    char allow[64];
    if (method == HTTP_OPTIONS && strcmp(path, "*") == 0) { /* of the server as a whole */
        reply_options(request, HTTP_GET | HTTP_HEAD | HTTP_OPTIONS | HTTP_POST);
        return;
    }
    if (base[0] && below && !*below) {
        redirect_below(request, base, head->query);
        return;
    }
    switch (find_route(below, path, request->query, method, &match)) {
    case ROUTE_FOUND:
        reply_redirect(request, &match, method);
        break;
    case ROUTE_UNKNOWN:
        http_reply_error(request, 404, "there is nothing at %s", path);
        break;
    case ROUTE_METHOD:
        route_allow(match.allowed, allow, sizeof allow);
        http_add_header(request, "Allow", allow);
        http_reply_error(request, 405, "the method is not allowed here, but %s", allow);
        break;
    case ROUTE_BAD:
        http_reply_error(request, 400, "the path is badly encoded");
        break;
    }
}

static void on_request(struct connection *connection, void *arg)
{
    const struct http_server *http = arg;
    const struct http_head *head = connection_head(connection);
    enum http_fault fault = connection_fault(connection);
    struct query query;
    struct error err;
    struct http_request request = {.server = http->server,
                                   .query = &query,
                                   .class = ROUTE_OTHER,
                                   .head = connection_is_head(connection),
                                   .connection = connection};
    if (fault) {
        http_reply_error(&request, http_parser_status(fault), "%s", http_parser_text(fault));
        return;
    }
    cors_add(&request);
    if (strlen(head->path) >= ROUTE_PATH_SIZE)
        http_reply_error(&request, 414, "the path is longer than %d bytes", ROUTE_PATH_SIZE - 1);
    else if (query_parse(head->query, &query, &err) < 0)
        http_reply_error(&request, 400, "%s", err.text);
    else
        route_request(&request, head);
}

/* ---- all of it ---- */

struct http_server *http_server_create(struct server *server)
{
    struct http_server *http = calloc(1, sizeof *http);
    if (!http)
        fatal("out of memory");
    http->server = server;
    http->tls = tls_create(server);
    http->connections = connections_create(server, on_request, http);
    http->acceptor = accept_create(server, http->connections, http->tls);
    return http;
}

void http_server_destroy(struct http_server *http)
{
    accept_destroy(http->acceptor);
    connections_destroy(http->connections);
    lingering_close_stop_all();
    tls_destroy(http->tls);
    free(http);
}

void http_server_drain(struct http_server *http, void (*on_drained)(void))
{
    accept_set_listeners(http->acceptor, NULL, 0);
    connections_drain(http->connections, on_drained);
}
