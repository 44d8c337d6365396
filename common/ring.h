/* ring.h: frames in POSIX shared memory, one writer at a time, any number of readers, no locks. The
 * layout and the reasoning are in ring_layout.h.
 *
 * A ring is named "CAMERA.VARIANT" ("door.raw", "door.jpeg") inside an instance.  It consists of a
 * ctl object with a stable name (reader rows, bell, number of the current generation) and one data
 * object per generation, which holds the frames in slots of equal size.
 *
 *   slot        room for one frame
 *   loan        a slot that the writer has taken to fill it
 *   commit      makes a loaned slot the newest frame
 *   pin         a reader's mark on a slot, which the writer then does not take
 *   row         a reader's entry in the ctl object: its pin, its account of frames
 *   generation  a data object; a larger picture needs a new one
 *
 * The supervisor makes the ctl objects and unlinks everything; the writer makes data objects;
 * readers attach, and bring a slot each where frames are raw.  A handle belongs to one thread.
 * Functions that return int return 0 on success and -1 with `err` filled, unless they say
 * otherwise; err->code is an enum ring_error. */
#ifndef CAMRING_RING_H
#define CAMRING_RING_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RING_ID_SIZE 33   /* an instance, camera id or variant, NUL included */
#define RING_NAME_SIZE 72 /* CAMERA.VARIANT, NUL included */
#define RING_PLANES 3
#define RING_MAX_DIMENSION 16384
#define RING_MAX_SLOTS 250
#define RING_MAX_ROWS 200
#define RING_MAX_WAKERS 32 /* event loops one ring can wake */

enum ring_error {
    RING_ERROR_SYSTEM = 1, /* a system call failed; the text names it */
    RING_ERROR_ABSENT,     /* no such ring */
    RING_ERROR_EMPTY,      /* the ring exists, no picture size is known yet */
    RING_ERROR_ABI,        /* made by an incompatible version or on another byte order */
    RING_ERROR_CORRUPT,    /* a field contradicts the object's size or another field */
    RING_ERROR_OWNER,      /* belongs to another user */
    RING_ERROR_SPACE,      /* needs more bytes than there are; the text has both numbers */
    RING_ERROR_ROWS,       /* every reader row is taken */
    RING_ERROR_BUSY,       /* another living process writes this ring */
    RING_ERROR_CLOSED,     /* its owner has closed it: attach anew */
};

enum ring_kind { RING_RAW = 1, RING_JPEG = 2 };
enum ring_format { RING_I420 = 1, RING_I422 = 2, RING_I444 = 3, RING_FORMAT_JPEG = 4 };
enum ring_range { RING_RANGE_LIMITED = 0, RING_RANGE_FULL = 1 };
enum ring_matrix { RING_MATRIX_BT601 = 0, RING_MATRIX_BT709 = 1 };

const char *ring_kind_name(enum ring_kind kind);
const char *ring_format_name(enum ring_format format);

/* Describes one frame.  Slots' descriptors in shared memory contain it, so its layout is ABI.
 * Planes are 8-bit Y, Cb, Cr; offsets count from the start of the slot's payload. */
struct ring_frame {
    uint64_t number;     /* 1, 2, 3 … over the life of the ring; set by ring_commit */
    uint64_t source;     /* number of the raw frame this one was made from, 0 if none */
    int64_t camera_ns;   /* the source's own time stamp, -1 if it has none */
    int64_t captured_ns; /* when the whole frame had reached capture */
    /* when the stage that wrote this frame began to work on it (decode, encode) */
    int64_t started_ns;
    int64_t committed_ns; /* set by ring_commit */
    /* from the payload's start to the end of the JPEG, or of the last plane */
    uint32_t bytes;
    uint32_t format; /* enum ring_format */
    uint32_t width, height;
    uint32_t offset[RING_PLANES];
    uint32_t stride[RING_PLANES];
    uint8_t range;    /* enum ring_range */
    uint8_t matrix;   /* enum ring_matrix */
    uint16_t flags;   /* 0 */
    uint32_t variant; /* variant_pack of what was wanted, 0: the camera's own picture */
};

/* Rows and columns of plane `plane` of a width x height picture in `format`. */
uint32_t ring_plane_width(uint32_t format, unsigned plane, uint32_t width);
uint32_t ring_plane_height(uint32_t format, unsigned plane, uint32_t height);

/* Where the planes of a raw frame end, by its format, size, strides and offsets: the least that its
 * `bytes` may be. */
uint64_t ring_frame_end(const struct ring_frame *frame);

/* True if every field of `frame` is in range, every plane lies inside `bytes`, and those inside
 * `capacity`. */
bool ring_frame_valid(const struct ring_frame *frame, size_t capacity);

/* ---- owner (supervisor) ---- */

struct ring_create {
    const char *instance, *camera, *variant;
    enum ring_kind kind;
    unsigned rows; /* reader rows beside the encoder's own; at most RING_MAX_ROWS */
    /* what all rings of the instance may take together, 0: what /dev/shm holds */
    uint64_t max_bytes;
    bool leased; /* written by the holder of a lease; exclusive writers are refused */
    /* no supervisor rings the bell when the writer has died, so readers wait half a second at most;
     * and a ring that exists is kept */
    bool unsupervised;
};

/* Creates the ctl object; unless unsupervised, an older one of that name and its data are unlinked
 * first. */
int ring_create(const struct ring_create *options, struct error *err);

/* The owner's handle on a ctl object, for clearing up after processes that died.  NULL with err. */
struct ring_ctl *ring_ctl_open(const char *instance, const char *name, struct error *err);
void ring_ctl_close(struct ring_ctl *ctl);
/* Frees the rows of readers that died; returns how many. */
unsigned ring_ctl_reap(struct ring_ctl *ctl);
/* The encoder worker that held the camera's lease has died: drops its pin. */
void ring_ctl_clear_encoder_row(struct ring_ctl *ctl);
/* The writer has died: unlinks data objects beside the current one, and gives back memory with
 * which a growth was cut short. */
void ring_ctl_clear_writer(struct ring_ctl *ctl);
/* The same, unless a process has the ring open as its exclusive writer. */
void ring_ctl_clear_gone_writer(struct ring_ctl *ctl);
/* Rings the ring's bell, as the dead writer may have failed to do. */
void ring_ctl_ring(struct ring_ctl *ctl);

/* ring_ctl_watch: a handle that keeps no descriptor, for ring_ctl_attended and ring_ctl_close only.
 * ring_ctl_attended: true if a row has an owner, dead or alive, of which known(pid, arg) is false;
 * makes no system call. */
struct ring_ctl *ring_ctl_watch(const char *instance, const char *name, struct error *err);
bool ring_ctl_attended(const struct ring_ctl *ctl, bool (*known)(int32_t pid, void *arg),
                       void *arg);

bool ring_ctl_unsupervised(const struct ring_ctl *ctl);

/* Takes the locks of the writer and of every row, until the handle is closed, so that a ring can be
 * unlinked by a process that doesn't own it.  False if a living process has one of the locks: *row
 * is that row, -1 for the writer's; or, with -1, if the name leads to another ring by now. */
bool ring_ctl_seize(struct ring_ctl *ctl, int *row);

/* Unlinks a ring and its data, and tells the processes attached to it; all rings of `instance`. */
void ring_unlink(const char *instance, const char *name);
void ring_unlink_all(const char *instance);

/* ---- writer ---- */

struct ring_writer;

/* A slot lent to the writer.  `data` has room for `capacity` bytes, 64-byte aligned. */
struct ring_loan {
    uint8_t *data;
    size_t capacity;
    struct ring_map *map; /* private */
    uint32_t slot;        /* private */
};

/* Exclusive: this process is the writer for as long as the handle lives (capture); RING_ERROR_BUSY
 * if another living process is, or if the ring is leased.  Not exclusive: the process that holds
 * the lease writes, calls ring_writer_takeover each time it has acquired it, and has released every
 * loan before it releases the lease. */
struct ring_writer *ring_writer_open(const char *instance, const char *name, bool exclusive,
                                     struct error *err);
void ring_writer_close(struct ring_writer *writer);
enum ring_kind ring_writer_kind(const struct ring_writer *writer);

/* True if no supervisor has made the ring, so that its writer may remove it. */
bool ring_writer_owns(const struct ring_writer *writer);

/* True once the ring's owner has retired it: no reader gets what is committed. */
bool ring_writer_closed(const struct ring_writer *writer);

/* `eventfds[i]` wakes the event loop that asked for waker i (ring_reader_want).  The array is
 * copied, the descriptors stay the caller's. */
void ring_writer_set_wakers(struct ring_writer *writer, const int *eventfds, unsigned count);

/* Continues after the last writer: reads the frame number from shared memory, and empties
 * half-written slots. */
void ring_writer_takeover(struct ring_writer *writer);

/* Makes sure that the current generation has slots of at least `slot_bytes` bytes, and memory for
 * the writer to keep `held` of them after their commit; makes a new generation where slots are too
 * small.  A raw ring gets more slots by itself as its writer keeps more.  RING_ERROR_SPACE names
 * the bytes needed and available. */
int ring_writer_reserve(struct ring_writer *writer, size_t slot_bytes, unsigned held,
                        struct error *err);

/* Bytes that one generation with that reservation takes while no reader is attached; a reader of a
 * raw ring adds slot_bytes. */
uint64_t ring_bytes_needed(enum ring_kind kind, unsigned rows, size_t slot_bytes, unsigned held);

/* Lends a free slot: of a raw ring the one written last, which is still in the processor's caches,
 * of a JPEG ring the oldest.  Never waits: false, and counted in no_slot, if there is none or
 * nothing is reserved. */
bool ring_loan(struct ring_writer *writer, struct ring_loan *loan);

/* Publishes the loaned slot as the newest frame: sets frame->number and frame->committed_ns, wakes
 * readers.  The slot stays with the writer, readable only, until ring_loan_release.  False (nothing
 * published) if the frame is not valid for the slot, was committed before, or its generation is
 * retired. */
bool ring_commit(struct ring_writer *writer, const struct ring_loan *loan,
                 struct ring_frame *frame);

/* Gives the slot back.  A loan that was never committed is aborted. */
void ring_loan_release(struct ring_writer *writer, const struct ring_loan *loan);

/* ---- reader ---- */

struct ring_reader;

enum ring_role {
    RING_OBSERVER, /* read-only, no row: copies frames and reads figures */
    RING_MEMBER,   /* has a row: may pin, is counted, can ask to be woken */
    /* has the row that goes with the camera's lease, between acquiring and releasing that; pins
     * only */
    RING_ENCODER,
};

/* Attaches to the ctl object; data objects are attached to as they come.  `who` (<= 15 characters)
 * is the name shown in the row.  A member brings a slot to a raw ring: RING_ERROR_SPACE from here,
 * or from acquire where there was no generation yet, if there is no memory for it. */
struct ring_reader *ring_reader_open(const char *instance, const char *name, enum ring_role role,
                                     const char *who, struct error *err);
void ring_reader_close(struct ring_reader *reader);

/* Opens *reader if it is NULL, and anew if its ring's owner has retired the ring and may have made
 * another.  NULL: there is none now; *reader is NULL, too. */
struct ring_reader *ring_reader_reopen(struct ring_reader **reader, const char *instance,
                                       const char *name, enum ring_role role, const char *who,
                                       struct error *err);

/* Frees a handle that a child of fork has inherited; row, pin and lock remain the parent's. */
void ring_reader_abandon(struct ring_reader *reader);

/* Number of the newest frame, 0 if none or not attached.  One or two loads. */
uint64_t ring_reader_head(struct ring_reader *reader);

enum ring_result {
    RING_NONE = 0, /* nothing newer */
    RING_GOT = 1,
    RING_FAILED = -1, /* err is filled; the ring can't be read now */
};

/* Pins the newest frame if it is newer than `after`; *data stays as it is until
 * ring_reader_release, whatever the writer does.  One at a time. */
enum ring_result ring_reader_acquire(struct ring_reader *reader, uint64_t after,
                                     struct ring_frame *frame, const uint8_t **data,
                                     struct error *err);
void ring_reader_release(struct ring_reader *reader);

/* The same for several frames at once, beside the one above: *pin is this frame's, and *data stays
 * as it is until ring_reader_give.  Each frame beyond the first takes a further row of the ring,
 * and brings a slot to a raw one; both stay with the reader until it is closed.  RING_ERROR_ROWS or
 * RING_ERROR_SPACE if there is none.  At most RING_MAX_PINS frames, and not for RING_ENCODER. */
#define RING_MAX_PINS 9
struct ring_pin;
enum ring_result ring_reader_take(struct ring_reader *reader, uint64_t after,
                                  struct ring_frame *frame, const uint8_t **data,
                                  struct ring_pin **pin, struct error *err);

/* Takes the rows of `frames` frames in hand at the same time (1 to RING_MAX_PINS), and brings their
 * slots where there is a generation yet, so that it turns out now whether there are as many.  What
 * was taken before an error stays. */
int ring_reader_reserve(struct ring_reader *reader, unsigned frames, struct error *err);

/* Gives the frame back; any thread may do so, also while another uses the reader, but not after
 * ring_reader_close. */
void ring_reader_give(struct ring_pin *pin);

/* Keeps the memory of the pinned frame readable, though not unchanged, beyond its release and the
 * reader's end: for bindings whose users may hold on to a pointer.  Until the reader is closed the
 * ring gives no slot back to the system; then the process gets a copy in its place.  NULL without
 * a pinned frame.  Any thread may drop. */
struct ring_map *ring_reader_hold(struct ring_reader *reader);
void ring_map_drop(struct ring_map *map);

/* A malloc'ed buffer that grows to what is needed; the caller frees or keeps `data`. */
struct ring_buffer {
    uint8_t *data;
    size_t size;
};

/* Copies the newest frame, if newer than `after`, to the start of `buffer`.  A frame overwritten
 * meanwhile is tried again with the newest, three times; then it is a counted miss and RING_NONE.
 */
enum ring_result ring_reader_copy(struct ring_reader *reader, uint64_t after,
                                  struct ring_buffer *buffer, struct ring_frame *frame,
                                  struct error *err);

/* Waiting follows the bell's rule (bell.h): listen, look for a newer frame, wait if there is none.
 * The wait ends when the ring's bell has rung since ring_reader_listen, at the deadline, or early
 * for no reason; errno is EINTR if a signal's handler ended it. */
uint32_t ring_reader_listen(const struct ring_reader *reader);
void ring_reader_wait(const struct ring_reader *reader, uint32_t heard, int64_t deadline);

/* Asks the writer to signal eventfd number `waker` on each commit (or no more, with -1).  Look for
 * a newer frame after it. */
void ring_reader_want(struct ring_reader *reader, int waker);

/* True while a process has the ring open as its exclusive writer. */
bool ring_reader_has_writer(const struct ring_reader *reader);

/* True once the ring's owner has retired it. */
bool ring_reader_closed(const struct ring_reader *reader);

/* Number of its row, -1 for an observer. */
int ring_reader_row(const struct ring_reader *reader);

/* Makes every process that waits on the ring return from it.  For members. */
void ring_reader_ring(struct ring_reader *reader);

/* Makes the processes that wait at this moment return, without changing the ring. */
void ring_reader_wake(const struct ring_reader *reader);

/* ---- inspection ---- */

struct ring_row_stat {
    unsigned row; /* 0: the encoder's */
    unsigned of;  /* 0: the row is a reader's own; else that one, which has its account */
    int32_t pid;
    bool alive; /* holds its lock; for row 0: has an owner */
    char who[16];
    int32_t pinned_slot;        /* of the current generation, -1: none */
    uint32_t pinned_generation; /* 0: none; an older one: its memory is kept */
    uint64_t frame;             /* pinned, 0: none, or it is not sure yet that the pin holds */
    uint64_t joined, last, taken, missed;
};

struct ring_slot_stat {
    bool exists;     /* has memory */
    uint64_t seq;    /* 0 empty, odd being written, else 2 x frame number */
    uint64_t before; /* being written: the frame that it held before, 0: none */
    struct ring_frame frame;
};

struct ring_stat {
    char instance[RING_ID_SIZE], camera[RING_ID_SIZE], variant[RING_ID_SIZE], name[RING_NAME_SIZE];
    enum ring_kind kind;
    uint32_t generation; /* 0: no data yet */
    bool retired, writer_alive;
    bool unsupervised;
    int32_t writer_pid; /* 0: none yet */
    uint64_t head;      /* newest frame, 0: none */
    int64_t age_ns;     /* since its commit, -1: no frame */
    double fps;         /* from the commit times of the frames in the slots */
    uint64_t bytes;     /* allocated for ctl and data */
    uint64_t no_slot, aborted;
    uint64_t reaped; /* rows whose owner had died, freed since the ring was made */
    size_t slot_bytes;
    unsigned allocated; /* slots that exist now, of `slots` that may */
    unsigned slots, rows;
    struct ring_frame newest; /* valid if head > 0 */
    struct ring_slot_stat slot[RING_MAX_SLOTS];
    struct ring_row_stat row[RING_MAX_ROWS + 1];
};

/* Fills `stat` from what shared memory holds now; works for any role. */
int ring_reader_stat(struct ring_reader *reader, struct ring_stat *stat, struct error *err);

/* The rows in which the reader of row `row` holds frames; returns how many. */
unsigned ring_stat_held(const struct ring_stat *stat, unsigned row,
                        const struct ring_row_stat *held[RING_MAX_PINS]);

/* Calls `visit` with the instance and name of every ring whose ctl object exists, in order of name;
 * instance NULL: all. */
void ring_list(const char *instance,
               void (*visit)(const char *instance, const char *name, void *arg), void *arg);

/* True if the supervisor has created the ring and no writer has used it yet. */
bool ring_is_unused(const char *instance, const char *name);

/* True if `id` is [a-z0-9][a-z0-9_-]{0,31}. */
bool ring_id_valid(const char *id);

#endif
