/* mail.h: what still has to be said to one child.  Messages are noted, not kept: their content is made when the child can take
 * them.  So a child that doesn't read costs a bounded list (its setup, and the newest state of each camera), and blocks nobody.
 */
#ifndef CAMRING_MAIL_H
#define CAMRING_MAIL_H

#include "common/msg.h"

#include <stdbool.h>

struct mail {
    struct mail_item {
        enum msg_type type;
        unsigned index;
    } * items; /* from `first` to `count` */
    unsigned first, count, room;
    bool *state_noted; /* per camera: its MSG_CAMERA_STATE is in the list */
    unsigned cameras;
};

bool mail_open(struct mail *mail, unsigned cameras); /* false: out of memory */
void mail_close(struct mail *mail);
void mail_clear(struct mail *mail);

/* Notes a message; a camera's state that is noted already stays where it is.  False: out of memory. */
bool mail_post(struct mail *mail, enum msg_type type, unsigned index);

bool mail_next(const struct mail *mail, struct mail_item *item); /* false: nothing to say */
void mail_sent(struct mail *mail);                               /* the next item has gone */

#endif
