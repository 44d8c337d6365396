#include "server/http/http.h"

#include "common/board.h"
#include "common/log.h"
#include "server/frames/camera.h"
#include "server/http/auth.h"
#include "server/http/connections.h"
#include "server/http/cors.h"
#include "server/http/endpoint.h"
#include "server/http/hangup.h"
#include "server/http/lingering_close.h"
#include "server/http/pending.h"
#include "server/http/route.h"
#include "server/loop.h"

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define RETRY_AFTER "2"
#define MAX_WAITS 500 /* requests whose answer is put off, each with a second descriptor */

/* One request that is answered later. */
struct http_wait {
    struct http_request request;
    struct hangup *hangup;
    void (*on_gone)(void *arg);
    void *arg;
    TAILQ_ENTRY(http_wait) entry;
};

TAILQ_HEAD(wait_list, http_wait);
TAILQ_HEAD(deferred_list, deferred);

struct http {
    struct server *server;
    struct endpoint *endpoint;
    struct wait_list waits;
    struct deferred_list deferred;
    unsigned wait_count;
};

/* There is one of it, and some of evhttp's callbacks get its argument, not ours. */
static struct http *only;

/* ---- answers ---- */

static const char *phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } phrases[] = {{200, "OK"},
                   {202, "Accepted"},
                   {204, "No Content"},
                   {308, "Permanent Redirect"},
                   {400, "Bad Request"},
                   {401, "Unauthorized"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {411, "Length Required"},
                   {413, "Content Too Large"},
                   {414, "URI Too Long"},
                   {417, "Expectation Failed"},
                   {429, "Too Many Requests"},
                   {431, "Request Header Fields Too Large"},
                   {500, "Internal Server Error"},
                   {503, "Service Unavailable"}};
    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++)
        if (phrases[i].status == status)
            return phrases[i].phrase;
    return "Unknown";
}

static void count_answer(const struct http_request *request, int status)
{
    _Static_assert((int)ROUTE_CLASSES <= BOARD_ROUTES, "each class has a place on the board");
    unsigned kind = status >= 200 && status < 600 ? (unsigned)status / 100 - 2 : BOARD_STATUSES - 1;
    board_count(&request->server->place->answers[request->class][kind], 1);
}

static void end_wait(struct http_wait *wait)
{
    TAILQ_REMOVE(&only->waits, wait, entry);
    only->wait_count--;
    hangup_end(wait->hangup);
    free(wait);
}

/* Every answer goes this way. */
static void send_answer(struct http_request *request, int status, struct evbuffer *body)
{
    struct evhttp_request *raw = request->raw;
    struct evhttp_connection *connection = evhttp_request_get_connection(raw);
    count_answer(request, status);
    connections_answer(raw);
    if (request->wait)
        end_wait(request->wait); /* and with it the request */
    evhttp_send_reply(raw, status, phrase(status), body);
    if (connection) /* a client that has nothing more to send may still want the answer, but evhttp
                       would close */
        bufferevent_disable(evhttp_connection_get_bufferevent(connection), EV_READ);
}

const char *http_header(const struct http_request *request, const char *name)
{
    return evhttp_find_header(evhttp_request_get_input_headers(request->raw), name);
}

void http_add_header(struct http_request *request, const char *name, const char *value)
{
    evhttp_add_header(evhttp_request_get_output_headers(request->raw), name, value);
}

void http_reply(struct http_request *request, int status, const char *type, struct evbuffer *body)
{
    char length[24];
    snprintf(length, sizeof length, "%zu", evbuffer_get_length(body));
    http_add_header(request, "Content-Type", type);
    http_add_header(request, "Content-Length", length);
    http_add_header(request, "X-Content-Type-Options", "nosniff");
    if (request->head)
        evbuffer_drain(body, evbuffer_get_length(body));
    send_answer(request, status, body);
}

void http_reply_endless(struct http_request *request, const char *type)
{
    http_add_header(request, "Content-Type", type);
    send_answer(request, 200, NULL);
}

void http_reply_static(struct http_request *request, const char *type, const void *data,
                       size_t size)
{
    struct evbuffer *body = evbuffer_new();
    if (body && evbuffer_add_reference(body, data, size, NULL, NULL) == 0)
        http_reply(request, 200, type, body);
    else
        send_answer(request, 500, NULL);
    if (body)
        evbuffer_free(body);
}

void http_reply_text(struct http_request *request, int status, const char *type, char *text,
                     size_t size)
{
    struct evbuffer *body = text ? evbuffer_new() : NULL;
    if (!body) {
        free(text);
        log_error("out of memory for an answer");
        send_answer(request, 500, NULL);
        return;
    }
    if (pending_add(body, text, size)) {
        http_add_header(request, "Cache-Control", "no-store");
        http_reply(request, status, type, body);
    } else {
        http_reply_later(request, "too many answers wait to be taken");
    }
    evbuffer_free(body);
}

void http_reply_json(struct http_request *request, int status, json_t *body)
{
    char *text = body ? json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(body);
    http_reply_text(request, status, "application/json", text, text ? strlen(text) : 0);
}

/* What a client sent may be in the text: JSON is UTF-8, so anything beyond printable ASCII becomes
 * "?". */
static void reply_error(struct http_request *request, int status, const char *format, va_list args)
{
    char text[512];
    vsnprintf(text, sizeof text, format, args);
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
            *c = '?';
    http_reply_json(request, status, json_pack("{s:s}", "error", text));
}

void http_reply_error(struct http_request *request, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    reply_error(request, status, format, args);
    va_end(args);
}

void http_reply_later(struct http_request *request, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    http_add_header(request, "Retry-After", RETRY_AFTER);
    reply_error(request, 503, format, args);
    va_end(args);
}

/* ---- answers put off ---- */

static void give_up(struct http_wait *wait)
{
    void (*on_gone)(void *arg) = wait->on_gone;
    void *arg = wait->arg;
    end_wait(wait);
    on_gone(arg);
}

static void on_client_gone(void *arg)
{
    struct http_wait *wait = arg;
    struct evhttp_connection *connection = evhttp_request_get_connection(wait->request.raw);
    give_up(wait);
    evhttp_connection_free(connection); /* and the request */
}

struct http_request *http_defer(const struct http_request *request, void (*on_gone)(void *arg),
                                void *arg)
{
    struct http_wait *wait = only->wait_count < MAX_WAITS ? calloc(1, sizeof *wait) : NULL;
    if (!wait)
        return NULL;
    int fd = bufferevent_getfd(
        evhttp_connection_get_bufferevent(evhttp_request_get_connection(request->raw)));
    wait->hangup = hangup_watch(request->server->base, fd, on_client_gone, wait);
    if (!wait->hangup) {
        free(wait);
        return NULL;
    }
    wait->request = (struct http_request){.server = request->server,
                                          .camera = request->camera,
                                          .class = request->class,
                                          .head = request->head,
                                          .anonymous = request->anonymous,
                                          .raw = request->raw,
                                          .wait = wait};
    wait->on_gone = on_gone;
    wait->arg = arg;
    TAILQ_INSERT_TAIL(&only->waits, wait, entry);
    only->wait_count++;
    return &wait->request;
}

/* ---- connections that leave HTTP ---- */

/* evhttp keeps the connection object, which owns the socket, but neither waits for it nor times it
 * out any more. */
struct http_connection *http_take(struct http_request *request, struct transport *transport)
{
    struct evhttp_connection *connection = evhttp_request_get_connection(request->raw);
    struct bufferevent *bufev = evhttp_connection_get_bufferevent(connection);
    connections_forget(connection);
    bufferevent_disable(bufev, EV_READ | EV_WRITE);
    bufferevent_setcb(bufev, NULL, NULL, NULL, NULL);
    count_answer(request, 200);
    *transport =
        (struct transport){.fd = bufferevent_getfd(bufev), .tls = endpoint_tls(connection)};
    return (struct http_connection *)connection;
}

size_t http_put_headers(const struct http_request *request, char *out, size_t size)
{
    size_t used = 0;
    const struct evkeyval *header;
    TAILQ_FOREACH(header, evhttp_request_get_output_headers(request->raw), next)
    {
        int length = snprintf(out + used, size - used, "%s: %s\r\n", header->key, header->value);
        if (length < 0 || (size_t)length >= size - used)
            break;
        used += (size_t)length;
    }
    out[used] = '\0';
    return used;
}

void http_close(struct http_connection *connection)
{
    endpoint_on_close((struct evhttp_connection *)connection);
    evhttp_connection_free((struct evhttp_connection *)connection);
}

/* ---- requests ---- */

static enum http_method method_of(struct evhttp_request *raw)
{
    switch (evhttp_request_get_command(raw)) {
    case EVHTTP_REQ_GET:
        return HTTP_GET;
    case EVHTTP_REQ_HEAD:
        return HTTP_HEAD;
    case EVHTTP_REQ_OPTIONS:
        return HTTP_OPTIONS;
    case EVHTTP_REQ_POST:
        return HTTP_POST;
    default:
        return HTTP_OTHER;
    }
}

static bool find_camera(struct http_request *request, const struct route_match *match)
{
    const struct cameras *cameras = request->server->cameras;
    const char *src = query_get(&request->query, "src");
    uint64_t number;
    request->name = match->camera;
    switch (match->route->camera) {
    case ROUTE_NO_CAMERA:
    case ROUTE_BY_NAME:
        return true;
    case ROUTE_BY_ID:
        request->camera = cameras_find(cameras, match->camera);
        break;
    case ROUTE_NUMBER:
        request->camera = cameras_find(cameras, match->camera);
        if (!request->camera && query_number(match->camera, 1, cameras_count(cameras), &number))
            request->camera = cameras_at(cameras, (unsigned)number - 1);
        break;
    case ROUTE_SRC:
        request->camera = src ? cameras_find(cameras, src) : NULL;
        break;
    case ROUTE_FIRST:
    case ROUTE_ACTION:
        request->camera = cameras_at(cameras, match->number);
        break;
    }
    if (request->camera)
        return true;
    if (match->route->camera == ROUTE_SRC && !src)
        http_reply_error(request, 400, "src must name a camera");
    else if (match->route->camera == ROUTE_SRC)
        http_reply_error(request, 404, "unknown camera \"%s\"", src);
    else if (match->route->camera == ROUTE_BY_ID || match->route->camera == ROUTE_NUMBER)
        http_reply_error(request, 404, "unknown camera \"%s\"", match->camera);
    else
        http_reply_error(request, 404, "there is no camera number %u", match->number);
    return false;
}

/* A request that waits for the verdict on its credentials. */
struct deferred {
    struct auth_waiter waiter; /* first: a waiter is its deferred request */
    struct http_request request;
    struct route_match match;
    TAILQ_ENTRY(deferred) entry;
};

static void handle(struct http_request *request, const struct route_match *match,
                   enum auth_verdict verdict)
{
    request->anonymous = verdict != AUTH_GRANTED;
    if (request->anonymous && match->route->class != ROUTE_PROBE)
        auth_refuse(request, verdict);
    else if (find_camera(request, match))
        match->route->handle(request);
}

static void on_verdict(struct auth_waiter *waiter, enum auth_verdict verdict)
{
    struct deferred *deferred = (struct deferred *)waiter;
    loop_begin("HTTP request after a login");
    TAILQ_REMOVE(&only->deferred, deferred, entry);
    if (evhttp_request_get_connection(deferred->request.raw))
        handle(&deferred->request, &deferred->match, verdict);
    else
        /* the client left; evhttp leaves its request to us then */
        evhttp_request_free(deferred->request.raw);
    free(deferred);
}

/* Meanwhile evhttp must not look at what the client sends. */
static void stop_reading(const struct http_request *request)
{
    struct bufferevent *bufev =
        evhttp_connection_get_bufferevent(evhttp_request_get_connection(request->raw));
    bufferevent_event_cb on_event;
    void *arg;
    bufferevent_getcb(bufev, NULL, NULL, &on_event, &arg);
    bufferevent_setcb(bufev, NULL, NULL, on_event, arg);
}

static void defer(struct http_request *request, const struct route_match *match)
{
    struct deferred *deferred = malloc(sizeof *deferred);
    if (!deferred) {
        http_reply_later(request, "out of memory");
        return;
    }
    *deferred = (struct deferred){
        .waiter = {.on_verdict = on_verdict}, .request = *request, .match = *match};
    TAILQ_INSERT_TAIL(&only->deferred, deferred, entry);
    stop_reading(request);
    enum auth_verdict verdict = auth_wait(&deferred->request, &deferred->waiter);
    if (verdict != AUTH_LATER)
        on_verdict(&deferred->waiter, verdict);
}

static void reply_options(struct http_request *request, unsigned methods)
{
    char allow[64];
    route_allow(methods, allow, sizeof allow);
    http_add_header(request, "Allow", allow);
    cors_add_preflight(request, allow);
    send_answer(request, 204, NULL);
}

static void dispatch(struct http_request *request, const struct route_match *match,
                     enum http_method method)
{
    request->class = match->route->class;
    if (method == HTTP_OPTIONS) {
        reply_options(request, match->allowed);
        return;
    }
    enum auth_verdict verdict = auth_check(request, match->route);
    if (verdict == AUTH_LATER)
        defer(request, match);
    else
        handle(request, match, verdict);
}

/* Probes don't come through the proxy: they find theirs at the root, too. */
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
    send_answer(request, 308, NULL);
}

static void answer(struct http_request *request, const char *path, const char *query)
{
    const char *base = request->server->setup->hello.http.base_path,
               *below = route_below(base, path);
    struct error err;
    struct route_match match;
    char allow[64];
    enum http_method method = method_of(request->raw);
    if (strlen(path) >= ROUTE_PATH_SIZE) {
        http_reply_error(request, 414, "the path is longer than %d bytes", ROUTE_PATH_SIZE - 1);
        return;
    }
    if (query_parse(query, &request->query, &err) < 0) {
        http_reply_error(request, 400, "%s", err.text);
        return;
    }
    if (method == HTTP_OPTIONS && strcmp(path, "*") == 0) { /* of the server as a whole */
        reply_options(request, HTTP_GET | HTTP_HEAD | HTTP_OPTIONS | HTTP_POST);
        return;
    }
    if (base[0] && below && !*below) {
        redirect_below(request, base, query);
        return;
    }
    switch (find_route(below, path, &request->query, method, &match)) {
    case ROUTE_FOUND:
        dispatch(request, &match, method);
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

/* Whatever else the client sends is thrown away, and the connection closed: nobody knows where the
 * next request begins. */
static void refuse(struct http_request *request, int status, const char *text)
{
    struct evhttp_request *raw = request->raw;
    raw->major = raw->minor = 1;
    lingering_close_start(only->server->base,
                          bufferevent_getfd(evhttp_connection_get_bufferevent(raw->evcon)));
    http_add_header(request, "Connection", "close");
    http_reply_error(request, status, "%s", text);
}

/* evhttp never closes a connection after CONNECT.  Nothing here can be done with either method. */
static void rename_connect(struct evhttp_request *raw)
{
    if (raw->type == EVHTTP_REQ_CONNECT)
        raw->type = EVHTTP_REQ_PUT;
}

static void on_request(struct evhttp_request *raw, void *arg)
{
    loop_begin("HTTP request");
    rename_connect(raw);
    enum http_fault fault = connections_request(raw);
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(raw);
    struct http_request request = {
        .server = arg,
        .class = ROUTE_OTHER,
        .head = evhttp_request_get_command(raw) == EVHTTP_REQ_HEAD,
        .raw = raw,
    };
    cors_add(&request);
    const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
    if (strncmp(raw->uri, "//", 2) == 0) /* no host begins there, as it would in a link */
        path = raw->uri;
    if (fault)
        refuse(&request, http_parser_status(fault), http_parser_text(fault));
    else
        answer(&request, path && *path ? path : "/", uri ? evhttp_uri_get_query(uri) : NULL);
}

/* Stands in for libevent's function of this name, which it calls for requests that it can't read
 * and which answers in HTML. */
void evhttp_send_error(struct evhttp_request *raw, int status, const char *reason)
{
    (void)reason;
    loop_begin("unreadable HTTP request");
    rename_connect(raw);
    enum http_fault fault = connections_request(raw);
    struct http_request request = {.server = only->server,
                                   .class = ROUTE_OTHER,
                                   .head = raw->type == EVHTTP_REQ_HEAD,
                                   .raw = raw};
    if (status == 417)
        refuse(&request, status, "this expectation can't be met");
    else if (status == 413 && !fault)
        refuse(&request, status, http_parser_text(HTTP_FAULT_BODY_LONG));
    else
        refuse(&request, http_parser_status(fault), http_parser_text(fault));
}

/* ---- all of it ---- */

struct http *http_create(struct server *server)
{
    struct http *http = calloc(1, sizeof *http);
    if (!http)
        fatal("can't create the HTTP server");
    only = http;
    TAILQ_INIT(&http->waits);
    TAILQ_INIT(&http->deferred);
    connections_open(server);
    http->server = server;
    http->endpoint = endpoint_create(server, on_request);
    return http;
}

void http_destroy(struct http *http)
{
    struct http_wait *wait = TAILQ_FIRST(&http->waits), *next;
    for (; wait; wait = next) {
        next = TAILQ_NEXT(wait, entry);
        give_up(wait);
    }
    struct deferred *deferred = TAILQ_FIRST(&http->deferred), *later;
    for (; deferred; deferred = later) {
        later = TAILQ_NEXT(deferred, entry);
        free(deferred);
    }
    lingering_close_stop_all();
    endpoint_destroy(http->endpoint);
    connections_close();
    free(http);
}
