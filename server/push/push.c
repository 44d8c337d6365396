#include "server/push/push.h"

#include "common/board.h"
#include "common/clock.h"
#include "common/log.h"
#include "server/loop.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

TAILQ_HEAD(client_list, push_client);

/* All clients of a feed get the same picture one after the other: the last part made in each form
 * is kept for the next client. */
enum part_form { PART_ADVANCE, PART_LENGTH, PART_CAMERA, PART_FORMS };

struct kept_part {
    struct message *message; /* NULL: none */
    /* the time in the message: a placeholder is shown again with a later one */
    int64_t wall_ns;
};

struct push {
    struct event_base *base;
    int64_t client_timeout_ns;
    unsigned max_clients;
    struct board *board;
    struct board_server *figures;
    struct client_list clients;
    struct kept_part part[PART_FORMS];
};

static const struct {
    const char *name, *value;
} response_headers[] = {
    {"Cache-Control", "no-store, no-cache, must-revalidate, max-age=0"},
    {"Pragma", "no-cache"},
    {"Expires", "0"},
    {"X-Accel-Buffering", "no"},
};

#define CACHE_LINE 64
#define RESPONSE_SIZE 1024 /* those below take 290 bytes, others that were added some hundred */
#define RESPONSE_HEADERS (sizeof response_headers / sizeof response_headers[0])

/* ---- one client ---- */

/* Only this process writes its own server's count. */
static void count_clients(struct push *push, uint32_t change)
{
    atomic_store_explicit(&push->figures->clients,
                          atomic_load_explicit(&push->figures->clients, memory_order_relaxed) +
                              change,
                          memory_order_relaxed);
}

/* Counts the bytes that the kernel has taken, and how long the picture took once all of it is
 * taken. */
static void account_sent(struct push_client *client)
{
    struct push_transit *transit = &client->transit;
    uint64_t written = sender_written(&client->sender);
    board_count(&client->push->figures->bytes, written - client->counted);
    client->counted = written;
    if (!transit->place || sender_pending(&client->sender) > 0)
        return;
    int64_t now = loop_renew(); /* of use to the next client, too */
    stats_observe(&transit->place->took[STATS_SEND], now - transit->committed_ns);
    stats_observe(&transit->place->took[STATS_TOTAL], now - transit->captured_ns);
    transit->place = NULL;
}

static void forget_parts(struct push *push)
{
    for (unsigned i = 0; i < PART_FORMS; i++) {
        message_release(push->part[i].message);
        push->part[i].message = NULL;
    }
}

static void push_client_destroy(struct push_client *client)
{
    struct push *push = client->push;
    account_sent(client);
    sender_close(&client->sender);
    connection_close(client->connection);
    TAILQ_REMOVE(&push->clients, client, entry);
    if (TAILQ_EMPTY(&push->clients))
        forget_parts(push);
    count_clients(push, UINT32_MAX); /* less one */
    client->kind->destroy(client);
}

void push_end(struct push_client *client, const char *why)
{
    log_debug("%s ends: %s", client->kind->name, why);
    push_client_destroy(client);
}

static void on_drained(void *arg)
{
    struct push_client *client = arg;
    account_sent(client);
    client->kind->on_ready(client);
}

static void push_on_gone(void *arg, const char *why)
{
    push_end(arg, why);
}

static const char *type_of(const struct push_kind *kind)
{
    return kind->type ? kind->type : MULTIPART_CONTENT_TYPE;
}

static void add_headers(struct http_request *request, const char *type)
{
    http_add_header(request, "Content-Type", type);
    for (size_t i = 0; i < RESPONSE_HEADERS; i++)
        http_add_header(request, response_headers[i].name, response_headers[i].value);
}

static bool send_response(struct push_client *client, const char *head, size_t length)
{
    const char *opening =
        client->kind->opening ? client->kind->opening : multipart_opening(client->wishes.form);
    struct message *message = length > 0 ? message_create(head, length, NULL, opening) : NULL;
    bool ok = message && sender_send(&client->sender, message);
    message_release(message);
    return ok;
}

bool push_begin(struct push_client *client, const struct push_kind *kind,
                struct http_request *request, const struct push_wishes *wishes)
{
    static const struct sender_events events = {.on_drained = on_drained, .on_gone = push_on_gone};
    struct push *push = request->server->push;
    struct transport transport;
    char head[RESPONSE_SIZE];
    size_t length;
    client->kind = kind;
    client->push = push;
    if (wishes)
        client->wishes = *wishes;
    client->begun_ns = clock_now();
    add_headers(request, type_of(kind));
    client->connection = http_take(request, &transport, head, sizeof head, &length);
    TAILQ_INSERT_TAIL(&push->clients, client, entry);
    count_clients(push, 1);
    return sender_open(&client->sender, push->base, &transport, push->client_timeout_ns, &events,
                       client) &&
           send_response(client, head, length);
}

void push_prefetch(const struct push_client *client)
{
    const char *end = (const char *)client->sender.congestion.spell;
    for (const char *line = (const char *)client; line < end; line += CACHE_LINE)
        __builtin_prefetch(line, 1);
}

bool push_ready(struct push_client *client)
{
    return sender_ready(&client->sender);
}

static struct message *make_part(const struct push_client *client, struct picture *picture,
                                 const char *camera)
{
    const struct ring_frame *frame = &picture->frame;
    int64_t now = client->wishes.info ? clock_now() : 0;
    struct multipart_part part = {
        .camera = camera,
        .length = frame->bytes,
        .wall_ns = picture->wall_ns,
        .info = client->wishes.info,
        .frame = frame->number,
        .captured_age_ns = now - frame->captured_ns,
        .started_age_ns = now - frame->started_ns,
        .committed_age_ns = now - frame->committed_ns,
    };
    char head[MULTIPART_HEAD_SIZE];
    size_t length = multipart_head(client->wishes.form, &part, head);
    return message_create(head, length, picture, multipart_after(client->wishes.form));
}

/* The picture as a multipart message, with a reference for the caller. NULL: out of memory. */
static struct message *shared_part(const struct push_client *client, struct picture *picture,
                                   const char *camera)
{
    if (client->wishes.info) /* contains the time of sending */
        return make_part(client, picture, camera);
    enum part_form form = client->wishes.form == MULTIPART_ADVANCE ? PART_ADVANCE
                          : camera                                 ? PART_CAMERA
                                                                   : PART_LENGTH;
    struct kept_part *part = &client->push->part[form];
    if (!part->message || part->message->picture != picture || part->wall_ns != picture->wall_ns) {
        message_release(part->message);
        *part = (struct kept_part){.message = make_part(client, picture, camera),
                                   .wall_ns = picture->wall_ns};
    }
    return part->message ? message_acquire(part->message) : NULL;
}

/* A picture from before the client's connection has waited for the client: no latency is counted.
 */
static struct push_transit transit_of(const struct push_client *client,
                                      const struct picture *picture)
{
    bool tells = picture->frame.committed_ns >= client->begun_ns;
    return (struct push_transit){.place = tells ? picture->place : NULL,
                                 .captured_ns = picture->frame.captured_ns,
                                 .committed_ns = picture->frame.committed_ns};
}

bool push_picture(struct push_client *client, struct picture *picture, const char *camera)
{
    struct message *part = shared_part(client, picture, camera);
    bool sent = part && sender_send(&client->sender, part);
    if (sent) {
        client->transit = transit_of(client, picture);
        account_sent(client);
    } else {
        push_end(client, part ? "the client is gone" : "out of memory");
    }
    message_release(part);
    return sent;
}

bool push_text(struct push_client *client, const char *text, size_t size)
{
    struct message *message = message_create(text, size, NULL, "");
    bool sent = message && sender_send(&client->sender, message);
    if (sent)
        account_sent(client);
    else
        push_end(client, message ? "the client is gone" : "out of memory");
    message_release(message);
    return sent;
}

/* ---- joining ---- */

bool push_read_wishes(struct http_request *request, struct push_wishes *wishes)
{
    const char *headers = query_get(request->query, "headers"),
               *info = query_get(request->query, "info");
    uint64_t number = 0;
    if (!multipart_choose(headers, http_header(request, "User-Agent"), &wishes->form)) {
        http_reply_error(request, 400, "headers must be \"advance\" or \"length\"");
        return false;
    }
    if (info && !query_number(info, 0, 1, &number)) {
        http_reply_error(request, 400, "info must be 0 or 1");
        return false;
    }
    wishes->info = number == 1;
    return true;
}

/* Answers HEAD: the headers of GET, without the endless body. */
static void reply_head(struct http_request *request, const char *type)
{
    add_headers(request, type);
    request->closes = true;
    http_reply_empty(request, 200);
}

bool push_admit(struct http_request *request, const char *type)
{
    const struct push *push = request->server->push;
    if (request->head)
        reply_head(request, type);
    else if (board_clients(push->board) >= push->max_clients)
        http_reply_later(request, "all %u places for clients are taken", push->max_clients);
    else
        return true;
    return false;
}

/* ---- all of them ---- */

struct push *push_create(const struct server *server)
{
    struct push *push = calloc(1, sizeof *push);
    if (!push)
        fatal("out of memory");
    push->base = server->base;
    push->board = server->board;
    push->figures = server->figures;
    push->client_timeout_ns = server->setup->hello.http.client_timeout_ns;
    push->max_clients = server->setup->hello.http.max_clients;
    TAILQ_INIT(&push->clients);
    return push;
}

void push_forget_place(struct push *push, const struct board_camera *place)
{
    struct push_client *client;
    TAILQ_FOREACH(client, &push->clients, entry)
    if (client->transit.place == place)
        client->transit.place = NULL;
}

void push_destroy(struct push *push)
{
    struct push_client *client = TAILQ_FIRST(&push->clients), *next;
    for (; client; client = next) {
        next = TAILQ_NEXT(client, entry);
        push_client_destroy(client);
    }
    free(push);
}
