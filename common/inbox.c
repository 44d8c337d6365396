#include "inbox.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/queue.h>

struct letter {
    struct msg msg;
    STAILQ_ENTRY(letter) entry;
};

struct inbox {
    atomic_uint count;
    pthread_mutex_t lock; /* held for a few instructions; guards `letters` */
    STAILQ_HEAD(letters, letter) letters;
};

struct inbox *inbox_create(void)
{
    struct inbox *inbox = calloc(1, sizeof *inbox);
    if (!inbox)
        return NULL;
    pthread_mutex_init(&inbox->lock, NULL);
    STAILQ_INIT(&inbox->letters);
    return inbox;
}

bool inbox_put(struct inbox *inbox, const struct msg *msg)
{
    struct letter *letter = malloc(sizeof *letter);
    if (!letter)
        return false;
    letter->msg = *msg;
    pthread_mutex_lock(&inbox->lock);
    STAILQ_INSERT_TAIL(&inbox->letters, letter, entry);
    pthread_mutex_unlock(&inbox->lock);
    atomic_fetch_add(&inbox->count, 1);
    return true;
}

bool inbox_take(struct inbox *inbox, struct msg *msg)
{
    if (atomic_load_explicit(&inbox->count, memory_order_relaxed) == 0)
        return false;
    pthread_mutex_lock(&inbox->lock);
    struct letter *letter = STAILQ_FIRST(&inbox->letters);
    STAILQ_REMOVE_HEAD(&inbox->letters, entry);
    pthread_mutex_unlock(&inbox->lock);
    atomic_fetch_sub(&inbox->count, 1);
    *msg = letter->msg;
    free(letter);
    return true;
}
