/* damage.h: which pictures of a damaged stream are shown. After damage the decoder predicts from
 * wrong pictures until the next key picture, so everything up to that is held back. The streams of
 * some cameras always look damaged to the decoder although they are not: after three damaged groups
 * of pictures in a row everything is shown, until a group without damage comes. */
#ifndef CAMRING_DAMAGE_H
#define CAMRING_DAMAGE_H

#include <stdbool.h>

struct damage {
    bool holding;    /* until the next key picture */
    bool group;      /* this group of pictures has damage in it */
    unsigned groups; /* damaged ones in a row before this one */
};

/* Something is missing from the stream: a packet was lost or made no sense. */
void damage_hold(struct damage *damage);

/* A picture came out of the decoder.  True if it is to be shown. */
bool damage_judge(struct damage *damage, bool key, bool damaged);

#endif
