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

/* What clients can wait for. */
enum control_topic {
    CONTROL_CAMERAS,
    CONTROL_RELOAD,     /* the reload that is under way */
    CONTROL_NEXT_RELOAD /* the one after it */
};

/* From `answer`: the client gets what control_tell sends on that topic, until it hangs up. */
void control_subscribe(struct control_client *client, enum control_topic topic);
unsigned control_subscribers(const struct control *control, enum control_topic topic);

/* Those who wait for `from` wait for `to` instead. */
void control_move(struct control *control, enum control_topic from, enum control_topic to);

void control_send(struct control_client *client, json_t *message); /* takes over `message` */
/* to all subscribers of the topic; takes over `message` */
void control_tell(struct control *control, enum control_topic topic, json_t *message);
/* the same, and they wait no longer */
void control_tell_last(struct control *control, enum control_topic topic, json_t *message);

#endif
