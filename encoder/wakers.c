#include "wakers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct wakers {
    atomic_bool changed;
    pthread_mutex_t lock; /* held for a few instructions; guards what follows */
    int offered[RING_MAX_WAKERS];
    bool fresh[RING_MAX_WAKERS]; /* offered and not yet taken */
    int current[RING_MAX_WAKERS];
};

struct wakers *wakers_create(const int *fds, unsigned count)
{
    struct wakers *wakers = calloc(1, sizeof *wakers);
    if (!wakers)
        return NULL;
    pthread_mutex_init(&wakers->lock, NULL);
    for (unsigned i = 0; i < RING_MAX_WAKERS; i++)
        wakers->current[i] = i < count ? fds[i] : -1;
    atomic_init(&wakers->changed, true);
    return wakers;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

void wakers_offer(struct wakers *wakers, unsigned index, int fd)
{
    if (index >= RING_MAX_WAKERS) {
        close_fd(fd);
        return;
    }
    pthread_mutex_lock(&wakers->lock);
    if (wakers->fresh[index])
        close_fd(wakers->offered[index]); /* nobody has seen it */
    wakers->offered[index] = fd;
    wakers->fresh[index] = true;
    pthread_mutex_unlock(&wakers->lock);
    atomic_store(&wakers->changed, true);
}

bool wakers_take(struct wakers *wakers, int fds[RING_MAX_WAKERS])
{
    if (!atomic_load_explicit(&wakers->changed, memory_order_relaxed) ||
        !atomic_exchange(&wakers->changed, false))
        return false;
    pthread_mutex_lock(&wakers->lock);
    for (unsigned i = 0; i < RING_MAX_WAKERS; i++) {
        if (wakers->fresh[i]) {
            close_fd(wakers->current[i]);
            wakers->current[i] = wakers->offered[i];
            wakers->fresh[i] = false;
        }
        fds[i] = wakers->current[i];
    }
    pthread_mutex_unlock(&wakers->lock);
    return true;
}
