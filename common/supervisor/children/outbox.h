/* outbox.h: what still has to be said to one child.  Messages are noted, not kept: their content is
 * made when the child can take them.  So a child that doesn't read costs a bounded list (its setup,
 * and the newest state of each camera), and blocks nobody.
 */
#ifndef CAMRING_OUTBOX_H
#define CAMRING_OUTBOX_H

#include "common/msg.h"

#include <stdbool.h>

struct outbox {
    struct outbox_item {
        enum msg_type type;
        struct msg_place at; /* of the camera it is about; or `place` is another number */
    } * items;               /* from `first` to `count` */
    unsigned first, count, room;
    bool *state_noted; /* per place: its MSG_CAMERA_STATE is in the list */
    unsigned places;
};

bool outbox_open(struct outbox *outbox, unsigned places); /* false: out of memory */
void outbox_close(struct outbox *outbox);
void outbox_clear(struct outbox *outbox);

/* Notes a message; a camera's state that is noted already stays where it is.  False: out of memory.
 */
bool outbox_post(struct outbox *outbox, enum msg_type type, struct msg_place at);

bool outbox_next(const struct outbox *outbox, struct outbox_item *item); /* false: nothing to say */
void outbox_sent(struct outbox *outbox); /* the next item has gone */

#endif
