#include "server/stream.h"

#include "common/clock.h"
#include "common/log.h"
#include "server/camera.h"
#include "server/feed.h"
#include "server/multipart.h"
#include "server/sender.h"

#include <event2/util.h>
#include <stdlib.h>
#include <string.h>

TAILQ_HEAD(client_list, stream_client);

struct streams {
    struct event_base *base;
    struct feeds *feeds;
    int64_t client_timeout_ns;
    unsigned max_clients, count;
    struct client_list clients;
};

struct stream_client {
    struct feed_viewer viewer; /* first: a viewer is its client */
    struct streams *streams;
    const struct camera *camera;
    struct http_connection *connection;
    struct sender *sender;
    enum multipart_form form;
    bool info;
    uint64_t turn; /* of the picture queued last */
    TAILQ_ENTRY(stream_client) entry;
};

/* What the query asks for. */
struct wishes {
    enum multipart_form form;
    bool info;
};

static const struct {
    const char *name, *value;
} response_headers[] = {
    {"Content-Type", MULTIPART_CONTENT_TYPE},
    {"Cache-Control", "no-store, no-cache, must-revalidate, max-age=0"},
    {"Pragma", "no-cache"},
    {"Expires", "0"},
    {"Connection", "close"},
    {"X-Accel-Buffering", "no"},
};

#define RESPONSE_HEADERS (sizeof response_headers / sizeof response_headers[0])

/* ---- one client ---------------------------------------------------------------------------------------------------- */

static void destroy(struct stream_client *client)
{
    feed_leave(&client->viewer);
    if (client->sender)
        sender_destroy(client->sender);
    http_close(client->connection);
    TAILQ_REMOVE(&client->streams->clients, client, entry);
    client->streams->count--;
    free(client);
}

static void end(struct stream_client *client, const char *why)
{
    log_debug("%s: stream ends: %s", client->camera->id, why);
    destroy(client);
}

static bool queue_picture(struct stream_client *client, struct picture *picture)
{
    struct evbuffer *out = sender_buffer(client->sender);
    const struct ring_frame *frame = &picture->frame;
    const char *after = multipart_after(client->form);
    int64_t now = client->info ? clock_now() : 0;
    struct multipart_part part = {
        .length = frame->bytes,
        .wall_ns = picture->wall_ns,
        .info = client->info,
        .frame = frame->number,
        .captured_age_ns = now - frame->captured_ns,
        .started_age_ns = now - frame->started_ns,
        .committed_age_ns = now - frame->committed_ns,
    };
    char head[MULTIPART_HEAD_SIZE];
    size_t length = multipart_head(client->form, &part, head);
    return (length == 0 || evbuffer_add(out, head, length) == 0) && picture_append(picture, out) &&
           evbuffer_add_reference(out, after, strlen(after), NULL, NULL) == 0;
}

/* Sends what the feed shows if the client has not had it and what it had before is on its way.  False: the client is gone. */
static bool advance(struct stream_client *client)
{
    uint64_t turn;
    struct picture *picture = feed_picture(client->viewer.feed, &turn);
    if (!picture || turn == client->turn || !sender_ready(client->sender))
        return true;
    client->turn = turn;
    return queue_picture(client, picture) && sender_flush(client->sender);
}

static void on_picture(struct feed_viewer *viewer)
{
    struct stream_client *client = (struct stream_client *)viewer;
    if (!advance(client))
        end(client, "the client is gone");
}

static void on_end(struct feed_viewer *viewer)
{
    end((struct stream_client *)viewer, "the camera is away");
}

static void on_drained(void *arg)
{
    on_picture(&((struct stream_client *)arg)->viewer);
}

static void on_gone(void *arg, const char *why)
{
    end(arg, why);
}

/* ---- joining ------------------------------------------------------------------------------------------------------- */

static bool queue_response(struct stream_client *client)
{
    struct evbuffer *out = sender_buffer(client->sender);
    char date[64];
    evutil_date_rfc1123(date, sizeof date, NULL);
    bool ok = evbuffer_add_printf(out, "HTTP/1.1 200 OK\r\nDate: %s\r\n", date) > 0;
    for (size_t i = 0; i < RESPONSE_HEADERS && ok; i++)
        ok = evbuffer_add_printf(out, "%s: %s\r\n", response_headers[i].name, response_headers[i].value) > 0;
    return ok && evbuffer_add_printf(out, "\r\n%s", multipart_opening(client->form)) > 0;
}

/* The status line leaves at once, with the newest picture if there is one. */
static bool begin(struct stream_client *client)
{
    uint64_t turn;
    if (!client->sender || !queue_response(client))
        return false;
    feed_join(feeds_of(client->streams->feeds, client->camera), &client->viewer);
    struct picture *picture = feed_picture(client->viewer.feed, &turn);
    if (picture && !queue_picture(client, picture))
        return false;
    client->turn = picture ? turn : 0;
    return sender_flush(client->sender);
}

static void join(struct streams *streams, struct http_request *request, const struct wishes *wishes)
{
    static const struct sender_events events = {.on_drained = on_drained, .on_gone = on_gone};
    struct stream_client *client = calloc(1, sizeof *client);
    if (!client) {
        http_reply_later(request, "out of memory");
        return;
    }
    int fd;
    *client = (struct stream_client){
        .viewer = {.on_picture = on_picture, .on_end = on_end},
        .streams = streams,
        .camera = request->camera,
        .connection = http_take(request, &fd),
        .form = wishes->form,
        .info = wishes->info,
    };
    TAILQ_INSERT_TAIL(&streams->clients, client, entry);
    streams->count++;
    client->sender = sender_create(streams->base, fd, streams->client_timeout_ns, &events, client);
    if (!begin(client))
        end(client, "it could not begin");
}

static bool read_wishes(struct http_request *request, struct wishes *wishes)
{
    const char *headers = query_get(&request->query, "headers"), *info = query_get(&request->query, "info");
    const char *unsupported = query_unsupported(&request->query);
    uint64_t number = 0;
    if (unsupported) {
        http_reply_error(request, 400, "\"%s\" is not supported by this version", unsupported);
        return false;
    }
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

static void reply_head(struct http_request *request)
{
    for (size_t i = 1; i < RESPONSE_HEADERS; i++)
        http_add_header(request, response_headers[i].name, response_headers[i].value);
    http_reply_endless(request, response_headers[0].value);
}

void stream_handle(struct http_request *request)
{
    struct streams *streams = request->server->streams;
    const struct camera *camera = request->camera;
    struct wishes wishes;
    if (!read_wishes(request, &wishes))
        return;
    if (request->head)
        reply_head(request);
    else if (streams->count >= streams->max_clients)
        http_reply_later(request, "all %u places for streams are taken", streams->max_clients);
    else if (feed_is_closed(feeds_of(streams->feeds, camera)))
        http_reply_later(request, "camera \"%s\" is away: %s", camera->id,
                         camera->why[0] ? camera->why : camera_state_name(camera->state));
    else
        join(streams, request, &wishes);
}

/* ---- all of them --------------------------------------------------------------------------------------------------- */

struct streams *streams_create(const struct server *server)
{
    struct streams *streams = calloc(1, sizeof *streams);
    if (!streams)
        fatal("out of memory");
    streams->base = server->base;
    streams->feeds = server->feeds;
    streams->client_timeout_ns = server->setup->hello.http.client_timeout_ns;
    streams->max_clients = server->setup->hello.http.max_clients;
    TAILQ_INIT(&streams->clients);
    return streams;
}

void streams_destroy(struct streams *streams)
{
    struct stream_client *client = TAILQ_FIRST(&streams->clients), *next;
    for (; client; client = next) {
        next = TAILQ_NEXT(client, entry);
        destroy(client);
    }
    free(streams);
}
