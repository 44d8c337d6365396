/* control.h: the control socket: one JSON object a line, each way. Transport only; what the
 * requests mean is request.h's.
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

/* Answers one request, which is an object; returns the reply, a new reference, or NULL if none is
 * due. */
struct control_handler {
    json_t *(*answer)(struct control_client *client, const json_t *request, void *arg);
    void *arg;
};

/* Listens on `path`, which only this user may open.  NULL with err. */
struct control *control_open(struct event_base *base, const char *path,
                             const struct control_handler *handler, struct error *err);
void control_close(struct control *control);

/* From `answer`: the client gets what control_tell sends, until it hangs up. */
void control_subscribe(struct control_client *client);
unsigned control_subscribers(const struct control *control);

void control_send(struct control_client *client, json_t *message); /* takes over `message` */
/* to all subscribers; takes over `message` */
void control_tell(struct control *control, json_t *message);

#endif
