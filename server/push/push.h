/* push.h: streaming clients: their connections, the limit `max_clients` over all servers, and the
 * sending of bytes. What a client is sent, and when, is decided by its kind: mjpeg_stream.c,
 * live.c, events.c.
 *
 * A client has at most one message queued. When that has been sent, the kind's on_ready is called;
 * when there is something new, the kind calls push_ready and then push_picture or push_text. */
#ifndef SERVER_PUSH_H
#define SERVER_PUSH_H

#include "server/frames/picture.h"
#include "server/http/http.h"
#include "server/push/multipart.h"
#include "server/push/sender.h"

#include <stdbool.h>
#include <sys/queue.h>

struct push;
struct push_client;

struct push_kind {
    const char *name;    /* for the log */
    const char *type;    /* Content-Type; NULL: multipart */
    const char *opening; /* of the body; NULL: multipart's */
    /* push_ready may have become true; the callback may end the client */
    void (*on_ready)(struct push_client *client);
    /* leaves the feeds it watches and frees the object that embeds the client */
    void (*destroy)(struct push_client *client);
};

/* What the client's query and headers ask for. */
struct push_wishes {
    enum multipart_form form;
    bool info;
};

/* The picture being sent, for the latency histograms. */
struct push_transit {
    struct board_camera *place; /* NULL: none, or one that is not counted */
    int64_t captured_ns, committed_ns;
};

/* Embedded in the object of its kind. Private, but `wishes` may be read. */
struct push_client {
    const struct push_kind *kind;
    struct push *push;
    struct push_wishes wishes;
    struct connection *connection;
    int64_t begun_ns;
    uint64_t counted; /* bytes that are in the counters already */
    struct push_transit transit;
    TAILQ_ENTRY(push_client) entry;
    struct sender sender;
};

/* Fatal when out of memory. */
struct push *push_create(const struct server *server);
void push_destroy(struct push *push); /* cuts every client */

/* False: the query is wrong; an error has been sent. */
bool push_read_wishes(struct http_request *request, struct push_wishes *wishes);

/* May the request become a streaming client? False: it has been answered, because it was HEAD or
 * there are `max_clients` already. `type` is the answer's Content-Type. Two servers that check at
 * the same moment may both let a client in: each further server process can mean one client more.
 */
bool push_admit(struct http_request *request, const char *type);

/* Takes the request's connection and sends the response's header and the opening.  `wishes`: NULL
 * unless multipart.  From here on `kind->destroy` ends the client.  False: out of memory, or the
 * client is gone; call push_end. */
bool push_begin(struct push_client *client, const struct push_kind *kind,
                struct http_request *request, const struct push_wishes *wishes);

/* Prefetches the memory that push_ready and push_picture are going to read. Changes nothing. */
void push_prefetch(const struct push_client *client);

/* True if a picture may be pushed.  If false, on_ready follows. */
bool push_ready(struct push_client *client);

/* Sends the picture as a part that names its camera (unless NULL), after push_ready.  False: the
 * client has ended and is gone.
 */
bool push_picture(struct push_client *client, struct picture *picture, const char *camera);

/* Sends text in place of a picture, after push_ready.  False: the client has ended and is gone. */
bool push_text(struct push_client *client, const char *text, size_t size);

/* The camera at this place of the board has been removed: pictures being sent are no longer counted
 * there. */
void push_forget_place(struct push *push, const struct board_camera *place);

/* Destroys the client, which is not to be touched any more. */
void push_end(struct push_client *client, const char *why);

#endif
