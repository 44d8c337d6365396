/* camring_reader.c: the reading half of the public interface.  See camring.h. */
#include "camring_private.h"

#include "bell.h"
#include "clock.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define JOIN_NS (50 * NS_PER_MS)
#define BEING_GIVEN UINT64_MAX /* no frame has that number */

/* What camring_hold gives: either a mapping, or a frame copied out of the ring. */
struct camring_memory {
    _Atomic unsigned users;
    struct ring_map *map;
    struct ring_buffer copy;
};

/* What keeps a frame of camring_take: a pin, or a copy. */
struct taken {
    _Atomic uint64_t number; /* of the frame; 0: no frame */
    struct ring_pin *pin;
    struct camring_memory *copy;
};

struct camring_reader {
    _Atomic unsigned users; /* frames taken, and 1 until it is detached */
    char instance[RING_ID_SIZE], name[RING_NAME_SIZE];
    unsigned process; /* a handle is of no use to a child of fork */
    struct ring_reader *ring;
    bool observer, copies, holding;
    struct camring_memory *copy;    /* copies: the newest frame it had */
    struct camring_memory *in_hand; /* copies: the frame in hand; NULL: none */
    _Atomic uint64_t last;          /* number of that frame */
    struct taken taken[CAMRING_MAX_TAKEN];
    /* the helper behind camring_fd */
    pthread_t thread;
    struct ring_reader *watched; /* the thread's own; NULL: no thread */
    int eventfd;
    _Atomic bool stop;
    struct bell ended; /* rung as the last thing it does */
};

static bool reader_is_usable(const struct camring_reader *reader, struct camring_error *error)
{
    return camring_usable(reader, reader ? reader->process : 0, error);
}

/* What the ring says, in terms of the ring that was asked for: it was there, so its frames can't be
 * absent. */
static int fail_attached(const struct camring_reader *reader, struct camring_error *out,
                         struct error *err)
{
    if (err->code == RING_ERROR_ABSENT && ring_reader_closed(reader->ring))
        error_set(err, CAMRING_CLOSED, "%s: the ring's owner has closed it", reader->name);
    else if (err->code == RING_ERROR_ABSENT)
        error_set(err, CAMRING_CORRUPT, "%s: the ring is there, its frames are not", reader->name);
    return camring_fail(out, err);
}

/* ---- attaching ---- */

/* Checks the ring when attaching, so that its faults are reported now and not with the first frame.
 */
static int reader_first_check(struct camring_reader *reader, unsigned flags,
                              struct camring_error *error)
{
    struct error err;
    struct ring_stat *stat = camring_read_stat(reader->ring, &err);
    if (!stat)
        return fail_attached(reader, error, &err);
    reader->copies = reader->observer || stat->kind == RING_JPEG;
    free(stat);
    if (!(flags & CAMRING_READY) || ring_reader_head(reader->ring) > 0)
        return 0;
    error_set(&err, CAMRING_EMPTY, "%s: no frame yet", reader->name);
    return camring_fail(error, &err);
}

struct camring_reader *camring_attach(const char *instance, const char *ring, unsigned flags,
                                      struct camring_error *error)
{
    struct camring_reader *reader = calloc(1, sizeof *reader);
    struct error err;
    error_set(&err, CAMRING_SYSTEM, "out of memory");
    if (!reader)
        goto fail;
    atomic_init(&reader->users, 1);
    if (!camring_watch_forks(&reader->process, &err))
        goto fail;
    reader->eventfd = -1;
    reader->observer = flags & CAMRING_OBSERVE;
    if (flags & ~(CAMRING_OBSERVE | CAMRING_READY)) {
        error_set(&err, CAMRING_USAGE, "unknown flags %#x",
                  flags & ~(CAMRING_OBSERVE | CAMRING_READY));
        goto fail;
    }
    if (!camring_take_names(instance, ring, "raw", reader->instance, reader->name, &err))
        goto fail;
    reader->ring = ring_reader_open(reader->instance, reader->name,
                                    reader->observer ? RING_OBSERVER : RING_MEMBER,
                                    camring_reader_name(), &err);
    if (!reader->ring)
        goto fail;
    if (reader_first_check(reader, flags, error) == 0)
        return reader;
    camring_detach(reader);
    return NULL;
fail:
    camring_fail(error, &err);
    free(reader);
    return NULL;
}

/* One ring of the bell ends the helper, unless its memory is not what it should be: another ring
 * has got the name before the helper looked it up, or another process writes to the bell.  Then
 * waking it works, some time. */
static void end_thread(struct camring_reader *reader)
{
    atomic_store(&reader->stop, true);
    ring_reader_ring(reader->ring);
    while (bell_read(&reader->ended) == 0) {
        ring_reader_wake(reader->watched);
        bell_wait(&reader->ended, 0, clock_now() + JOIN_NS);
    }
    pthread_join(reader->thread, NULL);
}

static void stop_watching(struct camring_reader *reader)
{
    if (!reader->watched)
        return;
    if (camring_is_here(reader->process)) /* else the thread is the parent's, too */
        end_thread(reader);
    ring_reader_close(reader->watched);
    close(reader->eventfd);
}

/* Leaves the ring with the last user. */
static void reader_drop(struct camring_reader *reader)
{
    if (atomic_fetch_sub(&reader->users, 1) > 1)
        return;
    if (camring_is_here(reader->process))
        ring_reader_close(reader->ring);
    else
        ring_reader_abandon(reader->ring);
    camring_drop(reader->in_hand);
    camring_drop(reader->copy);
    free(reader);
}

void camring_detach(struct camring_reader *reader)
{
    if (!reader)
        return;
    stop_watching(reader);
    camring_release(reader);
    reader_drop(reader);
}

/* ---- reading ---- */

static void reader_describe(const struct ring_frame *from, const uint8_t *data,
                            struct camring_frame *frame)
{
    *frame = (struct camring_frame){.number = from->number,
                                    .source = from->source,
                                    .camera_ns = from->camera_ns,
                                    .captured_ns = from->captured_ns,
                                    .committed_ns = from->committed_ns,
                                    .format = from->format,
                                    .width = from->width,
                                    .height = from->height,
                                    .bytes = from->bytes,
                                    .range = from->range,
                                    .matrix = from->matrix};
    for (unsigned plane = 0; plane < RING_PLANES && from->format != RING_FORMAT_JPEG; plane++) {
        frame->stride[plane] = from->stride[plane];
        frame->plane[plane] = data + from->offset[plane];
    }
    if (from->format == RING_FORMAT_JPEG)
        frame->plane[0] = data;
}

static struct camring_memory *memory_create(void)
{
    struct camring_memory *memory = calloc(1, sizeof *memory);
    if (memory)
        atomic_init(&memory->users, 1);
    return memory;
}

/* Copies into the buffer of the last copy, unless that is held. */
static enum ring_result take_copy(struct camring_reader *reader, uint64_t last,
                                  struct ring_frame *found, const uint8_t **data, struct error *err)
{
    if (reader->copy && atomic_load(&reader->copy->users) > 1) {
        camring_drop(reader->copy);
        reader->copy = NULL;
    }
    if (!reader->copy && !(reader->copy = memory_create())) {
        error_set(err, CAMRING_SYSTEM, "out of memory");
        return RING_FAILED;
    }
    enum ring_result result = ring_reader_copy(reader->ring, last, &reader->copy->copy, found, err);
    *data = reader->copy->copy.data;
    /* only so much was copied */
    if (result == RING_GOT && !ring_frame_valid(found, found->bytes)) {
        error_set(err, CAMRING_CORRUPT, "%s: frame %llu is longer than it says", reader->name,
                  (unsigned long long)found->number);
        return RING_FAILED;
    }
    return result;
}

/* `taken`: where it is kept; NULL: in hand. */
static enum ring_result reader_take(struct camring_reader *reader, struct taken *taken,
                                    struct camring_frame *frame, struct error *err)
{
    struct ring_frame found;
    const uint8_t *data;
    enum ring_result result;
    uint64_t last = atomic_load_explicit(&reader->last, memory_order_relaxed);
    if (reader->copies)
        result = take_copy(reader, last, &found, &data, err);
    else if (taken)
        result = ring_reader_take(reader->ring, last, &found, &data, &taken->pin, err);
    else
        result = ring_reader_acquire(reader->ring, last, &found, &data, err);
    if (result != RING_GOT)
        return result;
    reader_describe(&found, data, frame);
    atomic_store(&reader->last, found.number);
    struct camring_memory *copy = reader->copies ? reader->copy : NULL;
    if (copy)
        atomic_fetch_add(&copy->users, 1);
    if (!taken) {
        reader->in_hand = copy;
        reader->holding = true;
        return result;
    }
    taken->copy = copy;
    atomic_fetch_add(&reader->users, 1);
    atomic_store_explicit(&taken->number, found.number, memory_order_release);
    return result;
}

/* Waits on the ring.  False if a signal's handler ended it: the caller may have been told to stop.
 */
static bool wait_unless_interrupted(const struct camring_reader *reader, uint32_t heard,
                                    int64_t now, int64_t deadline)
{
    /* A limit, however far away, keeps the kernel from resuming the wait by itself after a handler
     * with SA_RESTART. */
    int64_t limit = now + 3600 * NS_PER_S;
    errno = 0;
    ring_reader_wait(reader->ring, heard, limit < deadline ? limit : deadline);
    return errno != EINTR;
}

static int reader_await(struct camring_reader *reader, struct taken *taken,
                        struct camring_frame *frame, int64_t timeout_ns,
                        struct camring_error *error)
{
    int64_t begin = clock_now();
    int64_t deadline =
        timeout_ns < 0 || timeout_ns > CLOCK_NEVER - begin ? CLOCK_NEVER : begin + timeout_ns;
    for (;;) {
        struct error err;
        uint32_t heard = ring_reader_listen(reader->ring);
        enum ring_result result = reader_take(reader, taken, frame, &err);
        /* drain first, then look again: no frame may hide behind the drain */
        if (result == RING_NONE && reader->watched) {
            bell_drain(reader->eventfd);
            result = reader_take(reader, taken, frame, &err);
        }
        if (result != RING_NONE)
            return result == RING_GOT ? 1 : fail_attached(reader, error, &err);
        /* after the look: who has just been woken is not held up by it */
        int64_t now = clock_now();
        if (now >= deadline || !wait_unless_interrupted(reader, heard, now, deadline))
            return 0;
    }
}

int camring_next(struct camring_reader *reader, struct camring_frame *frame, int64_t timeout_ns,
                 struct camring_error *error)
{
    if (!reader_is_usable(reader, error))
        return -1;
    if (!frame || reader->holding)
        return camring_fail_usage(error, frame ? "camring_release the last frame first"
                                               : "nowhere to put the frame");
    return reader_await(reader, NULL, frame, timeout_ns, error);
}

#define TEXT(x) #x
#define NUMBER(x) TEXT(x)

int camring_take(struct camring_reader *reader, struct camring_frame *frame, int64_t timeout_ns,
                 struct camring_error *error)
{
    if (!reader_is_usable(reader, error))
        return -1;
    if (!frame)
        return camring_fail_usage(error, "nowhere to put the frame");
    for (unsigned i = 0; i < CAMRING_MAX_TAKEN; i++)
        if (atomic_load_explicit(&reader->taken[i].number, memory_order_acquire) == 0)
            return reader_await(reader, &reader->taken[i], frame, timeout_ns, error);
    return camring_fail_usage(
        error,
        NUMBER(
            CAMRING_MAX_TAKEN) " frames are taken, and that is the most: camring_give one first");
}

int camring_reserve(struct camring_reader *reader, unsigned frames, struct camring_error *error)
{
    struct error err;
    if (!reader_is_usable(reader, error))
        return -1;
    if (frames < 1 || frames > CAMRING_MAX_TAKEN)
        return camring_fail_usage(
            error, "between 1 and " NUMBER(CAMRING_MAX_TAKEN) " frames can be reserved");
    if (reader->copies || ring_reader_reserve(reader->ring, frames, &err) == 0)
        return 0;
    return fail_attached(reader, error, &err);
}

/* In a child of fork the pin is the parent's. */
static void reader_give(struct camring_reader *reader, struct taken *taken)
{
    if (taken->pin && camring_is_here(reader->process))
        ring_reader_give(taken->pin);
    camring_drop(taken->copy);
    taken->pin = NULL;
    taken->copy = NULL;
    atomic_store_explicit(&taken->number, 0, memory_order_release);
    reader_drop(reader);
}

void camring_give(struct camring_reader *reader, const struct camring_frame *frame)
{
    if (!reader || !frame || frame->number == 0)
        return;
    for (unsigned i = 0; i < CAMRING_MAX_TAKEN; i++) {
        uint64_t number = frame->number;
        /* of two threads that give the same frame back, one does */
        if (atomic_compare_exchange_strong(&reader->taken[i].number, &number, BEING_GIVEN)) {
            reader_give(reader, &reader->taken[i]);
            return;
        }
    }
}

void camring_release(struct camring_reader *reader)
{
    if (!reader_is_usable(reader, NULL))
        return;
    ring_reader_release(reader->ring);
    camring_drop(reader->in_hand);
    reader->in_hand = NULL;
    reader->holding = false;
}

struct camring_memory *camring_hold(struct camring_reader *reader)
{
    if (!reader_is_usable(reader, NULL) || !reader->holding)
        return NULL;
    if (reader->copies) {
        atomic_fetch_add(&reader->in_hand->users, 1);
        return reader->in_hand;
    }
    struct camring_memory *memory = memory_create();
    if (memory)
        memory->map = ring_reader_hold(reader->ring);
    return memory;
}

void camring_drop(struct camring_memory *memory)
{
    if (!memory || atomic_fetch_sub(&memory->users, 1) > 1)
        return;
    ring_map_drop(memory->map);
    free(memory->copy.data);
    free(memory);
}

/* ---- the descriptor ---- */

/* Signals once for each frame it sees that the reader has not had; also when frames can't be seen
 * any more or the ring is closed, so that camring_next can say so. */
static void reader_watch(struct camring_reader *reader)
{
    uint64_t seen = 0;
    for (;;) {
        uint32_t heard = ring_reader_listen(reader->watched); /* before the look at `stop`, too */
        if (atomic_load(&reader->stop))
            return;
        uint64_t head = ring_reader_head(reader->watched);
        if (head != seen && (head == 0 || head > atomic_load(&reader->last)))
            bell_signal(reader->eventfd);
        seen = head;
        if (ring_reader_closed(reader->watched)) {
            bell_signal(reader->eventfd);
            return;
        }
        ring_reader_wait(reader->watched, heard, CLOCK_NEVER);
    }
}

static void *reader_help(void *arg)
{
    struct camring_reader *reader = arg;
    reader_watch(reader);
    bell_ring(&reader->ended, 1);
    return NULL;
}

/* The helper's thread must not run the program's signal handlers, so all signals are blocked in it.
 */
static int start_thread(struct camring_reader *reader)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int r = pthread_create(&reader->thread, NULL, reader_help, reader);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

/* The ring is opened once more by its name.  A name passes to another ring only after the first was
 * closed; so if it is not, both are the same. */
static int open_watched(struct camring_reader *reader, struct error *err)
{
    reader->watched = ring_reader_open(reader->instance, reader->name, RING_OBSERVER, "", err);
    if (reader->watched && !ring_reader_closed(reader->ring))
        return 0;
    if (reader->watched)
        error_set(err, CAMRING_CLOSED, "%s: the ring's owner has closed it", reader->name);
    return -1;
}

int camring_fd(struct camring_reader *reader, struct camring_error *error)
{
    if (!reader_is_usable(reader, error))
        return -1;
    if (reader->watched)
        return reader->eventfd;
    if (reader->observer)
        return camring_fail_usage(error, "camring_fd needs a reader with a row");
    struct error err;
    reader->eventfd = bell_eventfd();
    if (reader->eventfd < 0) {
        error_set(&err, CAMRING_SYSTEM, "eventfd: %s", strerror(errno));
        return camring_fail(error, &err);
    }
    int r = open_watched(reader, &err);
    if (r == 0 && (r = start_thread(reader)) != 0)
        error_set(&err, CAMRING_SYSTEM, "pthread_create: %s", strerror(r));
    if (r == 0)
        return reader->eventfd;
    ring_reader_close(reader->watched);
    reader->watched = NULL;
    close(reader->eventfd);
    return fail_attached(reader, error, &err);
}

/* ---- figures ---- */

int camring_reader_stat(struct camring_reader *reader, struct camring_stat *out,
                        struct camring_error *error)
{
    if (!reader_is_usable(reader, error))
        return -1;
    if (!out)
        return camring_fail_usage(error, "nowhere to put the figures");
    struct error err;
    struct ring_stat *stat = camring_read_stat(reader->ring, &err);
    if (!stat)
        return fail_attached(reader, error, &err);
    camring_describe_stat(stat, ring_reader_row(reader->ring), out);
    free(stat);
    return 0;
}
