#include "server/http/http.h"

#include "common/board.h"
#include "common/log.h"
#include "server/http/pending.h"

#include <event2/util.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_AFTER "2"

/* One request that is answered later. */
struct http_wait {
    struct http_request request;
    void (*on_gone)(void *arg);
    void *arg;
};

static const char *status_phrase(int status)
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
    board_count(&request->server->figures->answers[request->class][kind], 1);
}

/* Prepends status line and standard headers to those that have been added: the complete head of the
 * answer. */
static struct evbuffer *complete_head(struct http_request *request, int status)
{
    struct evbuffer *headers = connection_headers(request->connection);
    const struct http_head *asked = connection_head(request->connection);
    bool fault = connection_fault(request->connection);
    char first[128], date[64];
    request->closes |=
        fault || connection_drains(request->connection) || !http_head_keeps_alive(asked);
    evutil_date_rfc1123(date, sizeof date, NULL);
    int length = snprintf(first, sizeof first, "HTTP/1.%u %d %s\r\nDate: %s\r\n",
                          fault ? 1 : asked->minor, status, status_phrase(status), date);
    evbuffer_prepend(headers, first, (size_t)length);
    if (request->closes)
        http_add_header(request, "Connection", "close");
    else if (asked->minor == 0)
        http_add_header(request, "Connection", "keep-alive");
    evbuffer_add(headers, "\r\n", 2);
    return headers;
}

/* Sends an answer; all http_reply functions end here. */
static void send_answer(struct http_request *request, int status, struct evbuffer *body)
{
    count_answer(request, status);
    struct evbuffer *answer = complete_head(request, status);
    if (body && !request->head)
        evbuffer_add_buffer(answer, body);
    connection_send(request->connection, answer, request->closes);
    free(request->wait); /* and with it the request */
}

const char *http_header(const struct http_request *request, const char *name)
{
    return http_head_get(connection_head(request->connection), name, NULL);
}

void http_add_header(struct http_request *request, const char *name, const char *value)
{
    evbuffer_add_printf(connection_headers(request->connection), "%s: %s\r\n", name, value);
}

/* ---- kinds of answers ---- */

void http_reply(struct http_request *request, int status, const char *type, struct evbuffer *body)
{
    char length[24];
    snprintf(length, sizeof length, "%zu", evbuffer_get_length(body));
    http_add_header(request, "Content-Type", type);
    http_add_header(request, "Content-Length", length);
    http_add_header(request, "X-Content-Type-Options", "nosniff");
    send_answer(request, status, body);
}

void http_reply_empty(struct http_request *request, int status)
{
    if (status != 204 && !request->head)
        http_add_header(request, "Content-Length", "0");
    send_answer(request, status, NULL);
}

void http_reply_static(struct http_request *request, const char *type, const void *data,
                       size_t size)
{
    struct evbuffer *body = evbuffer_new();
    if (body && evbuffer_add_reference(body, data, size, NULL, NULL) == 0)
        http_reply(request, 200, type, body);
    else
        http_reply_empty(request, 500);
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
        http_reply_empty(request, 500);
        return;
    }
    if (pending_add(request->connection, body, text, size)) {
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

/* The text may quote what a client sent: since JSON is UTF-8, everything but printable ASCII
 * becomes "?". */
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

/* ---- answers that come later, or without end ---- */

static void http_on_client_gone(void *arg)
{
    struct http_wait wait = *(struct http_wait *)arg;
    free(arg);
    wait.on_gone(wait.arg);
}

struct http_request *http_defer(const struct http_request *request, void (*on_gone)(void *arg),
                                void *arg)
{
    struct http_wait *wait = malloc(sizeof *wait);
    if (!wait)
        return NULL;
    *wait = (struct http_wait){.request = *request, .on_gone = on_gone, .arg = arg};
    wait->request.query = NULL;
    wait->request.name = NULL;
    wait->request.wait = wait;
    connection_defer(request->connection, http_on_client_gone, wait);
    return &wait->request;
}

struct connection *http_take(struct http_request *request, struct transport *transport, char *head,
                             size_t size, size_t *length)
{
    request->closes = true;
    struct evbuffer *headers = complete_head(request, 200);
    *length = evbuffer_get_length(headers);
    if (*length > size || evbuffer_remove(headers, head, size) < 0)
        *length = 0;
    count_answer(request, 200);
    connection_take(request->connection, transport);
    return request->connection;
}
