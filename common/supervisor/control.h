/* control.h: the control socket: one JSON object per line, in both directions. Transport only; the
 * requests are in request.h.
 *
 * A client cannot stall the supervisor: the length of its lines and of what it leaves unread is
 * limited, and a client over a limit is disconnected. */
#ifndef CAMRING_CONTROL_H
#define CAMRING_CONTROL_H

#include "common/error.h"

#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>

struct control;
struct control_client;

/* Handles one request, a JSON object; returns the reply, a new reference, or NULL if there is none
 * now. */
struct control_handler {
    json_t *(*answer)(struct control_client *client, const json_t *request, void *arg);
    void *arg;
};

/* Listens on `path`, which only this user may open.  NULL with err. */
struct control *control_open(struct event_base *base, const char *path,
                             const struct control_handler *handler, struct error *err);
void control_close(struct control *control);

/* What clients can subscribe to. */
enum control_topic {
    CONTROL_CAMERAS,
    CONTROL_RELOAD,     /* the reload that is under way */
    CONTROL_NEXT_RELOAD /* the one after it */
};

/* Called from `answer`: the client gets what control_tell sends on that topic, until it
 * disconnects. */
void control_subscribe(struct control_client *client, enum control_topic topic);
unsigned control_subscribers(const struct control *control, enum control_topic topic);

/* Subscribers of `from` become subscribers of `to` instead. */
void control_move(struct control *control, enum control_topic from, enum control_topic to);

void control_send(struct control_client *client, json_t *message); /* takes over `message` */
/* sends to all subscribers of the topic; takes over `message` */
void control_tell(struct control *control, enum control_topic topic, json_t *message);
/* the same, and ends their subscription */
void control_tell_last(struct control *control, enum control_topic topic, json_t *message);

#endif
