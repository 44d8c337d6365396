#include "outbox.h"

#include <stdlib.h>
#include <string.h>

bool outbox_open(struct outbox *outbox, unsigned places)
{
    *outbox = (struct outbox){
        .places = places, .state_noted = calloc(places ? places : 1, sizeof *outbox->state_noted)};
    return outbox->state_noted != NULL;
}

void outbox_close(struct outbox *outbox)
{
    free(outbox->items);
    free(outbox->state_noted);
    *outbox = (struct outbox){0};
}

void outbox_clear(struct outbox *outbox)
{
    outbox->first = outbox->count = 0;
    memset(outbox->state_noted, 0, outbox->places * sizeof *outbox->state_noted);
}

static bool outbox_make_room(struct outbox *outbox)
{
    if (outbox->first > 0) {
        outbox->count -= outbox->first;
        memmove(outbox->items, outbox->items + outbox->first,
                outbox->count * sizeof *outbox->items);
        outbox->first = 0;
    }
    if (outbox->count < outbox->room)
        return true;
    unsigned room = outbox->room ? outbox->room * 2 : 16;
    struct outbox_item *items = realloc(outbox->items, room * sizeof *items);
    if (!items)
        return false;
    outbox->items = items;
    outbox->room = room;
    return true;
}

bool outbox_post(struct outbox *outbox, enum msg_type type, struct msg_place at)
{
    if (type == MSG_CAMERA_STATE && outbox->state_noted[at.place])
        return true;
    if (outbox->count == outbox->room && !outbox_make_room(outbox))
        return false;
    outbox->items[outbox->count++] = (struct outbox_item){type, at};
    if (type == MSG_CAMERA_STATE)
        outbox->state_noted[at.place] = true;
    return true;
}

bool outbox_next(const struct outbox *outbox, struct outbox_item *item)
{
    if (outbox->first == outbox->count)
        return false;
    *item = outbox->items[outbox->first];
    return true;
}

void outbox_sent(struct outbox *outbox)
{
    const struct outbox_item *item = &outbox->items[outbox->first++];
    if (item->type == MSG_CAMERA_STATE)
        outbox->state_noted[item->at.place] = false;
    if (outbox->first == outbox->count)
        outbox->first = outbox->count = 0;
}
