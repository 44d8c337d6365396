/* outbox.h: per-child outbox: queues the types of messages; their content is built when they are
 * sent. So a child that doesn't read costs a list of limited length (its setup, and one state per
 * camera), and delays no other process. */
#ifndef CAMRING_OUTBOX_H
#define CAMRING_OUTBOX_H

#include "common/msg.h"

#include <stdbool.h>

struct outbox {
    struct outbox_item {
        enum msg_type type;
        struct msg_place at; /* the camera that it is about; or at.place is another number */
    } * items;               /* from `first` to `count` */
    unsigned first, count, room;
    bool *state_noted; /* by place: its MSG_CAMERA_STATE is queued */
    unsigned places;
};

bool outbox_open(struct outbox *outbox, unsigned places); /* false: out of memory */
void outbox_close(struct outbox *outbox);
void outbox_clear(struct outbox *outbox);

/* Queues a message; a camera's state that is queued already keeps its position. False: out of
 * memory. */
bool outbox_post(struct outbox *outbox, enum msg_type type, struct msg_place at);

bool outbox_next(const struct outbox *outbox, struct outbox_item *item); /* false: empty */
void outbox_sent(struct outbox *outbox); /* removes the next item, which has been sent */

#endif
