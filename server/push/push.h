/* push.h: the clients of endless answers: their connections, their places among the
 * `max_clients` of all servers together, the bytes they get.
 * What a client is shown, and when, is the business of its kind: mjpeg_stream.c, live.c, events.c.
 *
 * A client has at most one picture queued.  Whenever that has left, its kind is asked for the next,
 * and whenever there is something new, its kind calls push_ready and push_picture. */
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
    /* push_ready may say something else now; the client may end */
    void (*on_ready)(struct push_client *client);
    /* leaves whatever it watches and frees what embeds the client */
    void (*destroy)(struct push_client *client);
};

/* What its query and headers ask for. */
struct push_wishes {
    enum multipart_form form;
    bool info;
};

/* The picture on its way, for the histograms. */
struct push_transit {
    struct board_camera *place; /* NULL: none, or one that tells nothing */
    int64_t captured_ns, committed_ns;
};

/* Embedded in whatever is a client.  Private, but for reading `wishes`. */
struct push_client {
    const struct push_kind *kind;
    struct push *push;
    struct push_wishes wishes;
    struct connection *connection;
    int64_t begun_ns;
    uint64_t booked; /* bytes, of those written */
    struct push_transit transit;
    TAILQ_ENTRY(push_client) entry;
    struct sender sender;
};

/* Fatal when out of memory. */
struct push *push_create(const struct server *server);
void push_destroy(struct push *push); /* cuts every client */

/* False: the query is wrong, which has been answered. */
bool push_read_wishes(struct http_request *request, struct push_wishes *wishes);

/* `type`: what the answer would be.  False: it was HEAD, or all places are taken; answered.  Two
 * servers that look at the same moment may both let one in, so that each further server process may
 * mean one client more. */
bool push_admit(struct http_request *request, const char *type);

/* Takes the request's connection and sends the response's header and the opening.  `wishes`: NULL
 * unless multipart.  From here on the client is its kind's to destroy.  False: out of memory, or
 * the client is gone; call push_end. */
bool push_begin(struct push_client *client, const struct push_kind *kind,
                struct http_request *request, const struct push_wishes *wishes);

/* Asks the caches for what push_ready and push_picture are going to read.  Changes nothing. */
void push_prefetch(const struct push_client *client);

/* True if a picture may be pushed.  If false, on_ready follows. */
bool push_ready(struct push_client *client);

/* Sends the picture as a part that names its camera (unless NULL), after push_ready.  False: the
 * client has ended and is gone.
 */
bool push_picture(struct push_client *client, struct picture *picture, const char *camera);

/* Sends text in place of a picture, after push_ready.  False: the client has ended and is gone. */
bool push_text(struct push_client *client, const char *text, size_t size);

/* The place on the board is another camera's from now on: nothing is counted there any more. */
void push_forget_place(struct push *push, const struct board_camera *place);

/* Destroys the client, which is not to be touched any more. */
void push_end(struct push_client *client, const char *why);

#endif
