#include "mail.h"

#include <stdlib.h>
#include <string.h>

bool mail_open(struct mail *mail, unsigned cameras)
{
    *mail = (struct mail){.cameras = cameras, .state_noted = calloc(cameras ? cameras : 1, sizeof *mail->state_noted)};
    return mail->state_noted != NULL;
}

void mail_close(struct mail *mail)
{
    free(mail->items);
    free(mail->state_noted);
    *mail = (struct mail){0};
}

void mail_clear(struct mail *mail)
{
    mail->first = mail->count = 0;
    memset(mail->state_noted, 0, mail->cameras * sizeof *mail->state_noted);
}

static bool make_room(struct mail *mail)
{
    if (mail->first > 0) {
        mail->count -= mail->first;
        memmove(mail->items, mail->items + mail->first, mail->count * sizeof *mail->items);
        mail->first = 0;
    }
    if (mail->count < mail->room)
        return true;
    unsigned room = mail->room ? mail->room * 2 : 16;
    struct mail_item *items = realloc(mail->items, room * sizeof *items);
    if (!items)
        return false;
    mail->items = items;
    mail->room = room;
    return true;
}

bool mail_post(struct mail *mail, enum msg_type type, unsigned index)
{
    if (type == MSG_CAMERA_STATE && mail->state_noted[index])
        return true;
    if (mail->count == mail->room && !make_room(mail))
        return false;
    mail->items[mail->count++] = (struct mail_item){type, index};
    if (type == MSG_CAMERA_STATE)
        mail->state_noted[index] = true;
    return true;
}

bool mail_next(const struct mail *mail, struct mail_item *item)
{
    if (mail->first == mail->count)
        return false;
    *item = mail->items[mail->first];
    return true;
}

void mail_sent(struct mail *mail)
{
    const struct mail_item *item = &mail->items[mail->first++];
    if (item->type == MSG_CAMERA_STATE)
        mail->state_noted[item->index] = false;
    if (mail->first == mail->count)
        mail->first = mail->count = 0;
}
