/* camring.h: the public interface of libcamring: frames of a camera, or of any program, through a
 * ring in shared memory.
 *
 * One writer, any number of readers, no locks.  A reader always gets the newest frame; what it had
 * no time for is counted as missed.  Reading raw frames costs no copy: the frame is pinned in place
 * until it is released.  A reader that is slow, stopped or killed holds up nobody.
 *
 *     struct camring_error error;
 *     struct camring_reader *door = camring_attach(NULL, "door", 0, &error);
 *     struct camring_frame frame;
 *     while (camring_next(door, &frame, -1, &error) > 0) {
 *         ... frame.plane[0], frame.stride[0], frame.width, frame.height ...
 *         camring_release(door);
 *     }
 *     camring_detach(door);
 *
 * Link with -lcamring (pkg-config camring).  The manual page is camring(3).
 *
 * Rules.  A handle belongs to one thread at a time, but for camring_give; different handles are
 * independent, and so are different errors.  A handle doesn't survive fork: in the child every call
 * but give, detach and close fails with CAMRING_USAGE, and those leave what is the parent's alone;
 * attach anew there.  `error` may be NULL; it is written only on failure.  A handle that is NULL is
 * CAMRING_USAGE, or nothing happens where nothing is returned.  Times are nanoseconds of
 * CLOCK_MONOTONIC.  Only rings of the calling user, and rings of root whose permissions allow it,
 * can be opened, by root itself, too: whoever owns memory can take it away under its readers. */
#ifndef CAMRING_H
#define CAMRING_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CAMRING_API __attribute__((visibility("default")))

/* What can go wrong; camring_error.code.  The text says it in words. */
enum camring_code {
    CAMRING_OK = 0,
    CAMRING_SYSTEM = 1, /* a system call failed, or there is no memory */
    CAMRING_ABSENT = 2, /* no ring of that name */
    /* the ring is being made: no frame has been published in it yet; only with CAMRING_READY */
    CAMRING_EMPTY = 3,
    /* made by an incompatible version of camring, or on a machine of another byte order */
    CAMRING_ABI = 4,
    CAMRING_CORRUPT = 5, /* its memory contradicts itself */
    CAMRING_OWNER = 6,   /* belongs to another user */
    CAMRING_SPACE = 7,   /* not enough shared memory; the text has the bytes needed and available */
    CAMRING_ROWS = 8,    /* as many readers are attached as the ring has rows for */
    CAMRING_BUSY = 9,    /* another living process writes this ring */
    CAMRING_CLOSED = 10, /* its owner has retired the ring: attach anew */
    CAMRING_USAGE = 11 /* the call makes no sense: a bad name, a frame before the last is released,
                          one more than can be taken, a parent's handle */
};

struct camring_error {
    int32_t code; /* enum camring_code */
    char text[508];
};

enum camring_format { CAMRING_I420 = 1, CAMRING_I422 = 2, CAMRING_I444 = 3, CAMRING_JPEG = 4 };
enum camring_range { CAMRING_LIMITED = 0, CAMRING_FULL = 1 };
enum camring_matrix { CAMRING_BT601 = 0, CAMRING_BT709 = 1 };

/* One frame.  Raw: plane[0..2] are 8-bit Y, Cb, Cr, `stride` bytes from row to row; chroma of odd
 * sizes is rounded up.  JPEG: plane[0] is the whole file, `bytes` long.  Filled by camring_next;
 * filled in by the producer for camring_commit, where 0 says "not known" in what is marked so. */
struct camring_frame {
    uint64_t number;      /* 1, 2, 3 … over the life of the ring; set by camring_commit */
    uint64_t source;      /* number, in its own ring, of the frame this was made from; 0: none */
    int64_t camera_ns;    /* the source's own time stamp, -1: none (commit: 0, too) */
    int64_t captured_ns;  /* when the whole frame had come in (commit: 0 means now) */
    int64_t committed_ns; /* when it was published in this ring; set by camring_commit */
    uint32_t format;      /* enum camring_format */
    uint32_t width, height;
    /* from the first byte to the last (commit: needed for JPEG; reckoned by camring_commit for raw
     * frames) */
    uint32_t bytes;
    uint32_t range;  /* enum camring_range */
    uint32_t matrix; /* enum camring_matrix */
    uint32_t stride[3];
    uint32_t reserved;
    const uint8_t *plane[3];
};

/* The library's version, such as "0.1.0". */
CAMRING_API const char *camring_version(void);

/* The name, at most 15 characters, under which readers of this process show in `camring shm show`.
 * The default is the program's; for interpreters. Holds for readers attached from then on.  Not to
 * be called while another thread attaches. */
CAMRING_API void camring_set_name(const char *name);

/* ---- reading ---- */

struct camring_reader;

/* Takes no row: read-only mappings, uncounted; frames are copied, not pinned. */
#define CAMRING_OBSERVE 1u
/* Fails with CAMRING_EMPTY while there is no frame, instead of attaching and waiting for one. */
#define CAMRING_READY 2u

/* Attaches to a ring of `instance` (NULL: "camring").  `ring` is its name ("door.jpeg"), or a
 * camera id ("door"), which means the camera's raw frames.  In a ring of raw frames a reader,
 * unless it observes, brings a slot of its own: CAMRING_SPACE if there is no memory for it (from
 * camring_next, if the ring had no picture yet).  NULL with error. */
CAMRING_API struct camring_reader *camring_attach(const char *instance, const char *ring,
                                                  unsigned flags, struct camring_error *error);

/* Releases the frame in hand, and detaches.  With frames that are still taken the handle is good
 * for camring_give alone from then on.  NULL is allowed. */
CAMRING_API void camring_detach(struct camring_reader *reader);

/* Gets the newest frame that this reader has not had yet, waiting up to `timeout_ns` for it (0:
 * don't wait, -1: without limit). 1: *frame is filled, and what it points to stays valid and
 * unchanged until camring_release; 0: time is up, or a signal's handler has run meanwhile (with any
 * time-out, and whatever SA_RESTART says, as in poll); -1: error.  Frames of a raw ring lie in
 * shared memory, pinned; those of a JPEG ring are copied out of it, so that no reader can keep an
 * encoder from its few slots.  After CAMRING_CLOSED detach and attach anew. */
CAMRING_API int camring_next(struct camring_reader *reader, struct camring_frame *frame,
                             int64_t timeout_ns, struct camring_error *error);

/* Gives the frame back.  Does nothing if there is none. */
CAMRING_API void camring_release(struct camring_reader *reader);

/* The same for programs that hold several frames: camring_take gets the newest frame as
 * camring_next does, however many this reader has taken already and beside the one of camring_next,
 * up to CAMRING_MAX_TAKEN.  Beyond that it is CAMRING_USAGE: give one back first.
 *
 * Of a ring of raw frames each is pinned by itself.  Each frame beyond the first needs one more row
 * of the ring, and one more slot: CAMRING_ROWS or CAMRING_SPACE if there is none, and the reader
 * goes on with those it has.  Both stay with the reader until it detaches; it still counts as one
 * reader, with one account.
 *
 * camring_give gives the frame with that number back, and does nothing if it is not taken.  Any
 * thread may call it, at the same time as others use the reader.  What was taken outlives
 * camring_detach: the reader then leaves the ring with the last camring_give.  Since 1.1. */
#define CAMRING_MAX_TAKEN 8
CAMRING_API int camring_take(struct camring_reader *reader, struct camring_frame *frame,
                             int64_t timeout_ns, struct camring_error *error);
CAMRING_API void camring_give(struct camring_reader *reader, const struct camring_frame *frame);

/* Makes sure, before it matters, that the reader can have `frames` frames at the same time, 1 to
 * CAMRING_MAX_TAKEN, the one of camring_next included: takes their rows and slots now.  0, or -1
 * with error (CAMRING_ROWS, CAMRING_SPACE); then call it with less.  A new, larger generation needs
 * new slots, and camring_take says CAMRING_SPACE if there is no memory for them.  Since 1.1. */
CAMRING_API int camring_reserve(struct camring_reader *reader, unsigned frames,
                                struct camring_error *error);

/* Keeps the memory of the reader's current frame readable beyond its release and the reader's end,
 * though a pinned frame doesn't stay unchanged: for bindings whose users may hold on to a pointer.
 * NULL without a frame, or without memory.  Each hold needs one drop, by any thread.  While a
 * reader that has held raw frames is attached, the ring gives no slot back to the system. */
struct camring_memory;
CAMRING_API struct camring_memory *camring_hold(struct camring_reader *reader);
CAMRING_API void camring_drop(struct camring_memory *memory);

/* A descriptor for poll, select, epoll: readable while a frame is there that this reader has not
 * had, or an error.  Then call camring_next with time-out 0 until it returns 0.  Made on the first
 * call, with a helper thread that waits on the ring; owned by the reader.  Not for observers.  -1
 * with error. */
CAMRING_API int camring_fd(struct camring_reader *reader, struct camring_error *error);

struct camring_stat {
    uint64_t published; /* number of the newest frame */
    uint64_t taken;     /* frames this reader got that were published since it attached */
    /* frames it had no time for; taken + missed = newest frame got - `joined` */
    uint64_t missed;
    uint64_t
        /* newest frame when it attached, or the one before if it took that; these three: 0 for
         * observers and writers */
        joined;
    uint64_t bytes;        /* memory the ring takes now */
    int64_t age_ns;        /* of the newest frame, -1: none */
    double fps;            /* of the frames now in the ring */
    uint32_t generation;   /* rises with each change to a larger picture; 0: no picture yet */
    uint32_t writer_alive; /* 1 or 0 */
    uint32_t slots;        /* frames the ring has memory for now */
    uint32_t rows;         /* readers it has room for */
    uint32_t readers;      /* readers attached now, observers and encoders not counted */
    uint32_t reserved[5];
};

/* 0, or -1 with error. */
CAMRING_API int camring_reader_stat(struct camring_reader *reader, struct camring_stat *stat,
                                    struct camring_error *error);

/* ---- writing ---- */

struct camring_writer;

enum camring_kind { CAMRING_KIND_RAW = 0, CAMRING_KIND_JPEG = 1 };

/* Opens ring `ring` of `instance` (NULL: "camring") for writing, and makes it if it is not there.
 * `ring` is "CAMERA.VARIANT"; a mere "CAMERA" means "CAMERA.raw" or "CAMERA.jpeg", by `kind` (enum
 * camring_kind).  `rows`, 1 to 200: how many readers may be attached (a ring that exists keeps its
 * own); 0: it is not made, CAMRING_ABSENT.  NULL with error: CAMRING_BUSY if another living process
 * writes it, the encoders of a running instance included. */
CAMRING_API struct camring_writer *camring_writer_open(const char *instance, const char *ring,
                                                       int kind, unsigned rows,
                                                       struct camring_error *error);

/* Closes, giving back what is on loan.  With `remove_ring` the ring goes, and its readers get
 * CAMRING_CLOSED, unless it is a running instance's; without, it stays with its newest frames, for
 * the next writer to go on.  NULL is allowed. */
CAMRING_API void camring_writer_close(struct camring_writer *writer, int remove_ring);

/* Lends a slot of at least `bytes` bytes, 64-byte aligned; a larger size than before makes a new
 * generation.  NULL with error: CAMRING_SPACE if memory is short (readers never take the writer's
 * slots); CAMRING_CLOSED if the ring has been removed (close, and open anew).  One loan at a time.
 */
CAMRING_API uint8_t *camring_loan(struct camring_writer *writer, size_t bytes,
                                  struct camring_error *error);

/* Publishes the loan: frame->plane must point into it (JPEG: plane[0] to its start).  Sets
 * frame->number, bytes, captured_ns and committed_ns.  0, or -1 with error, the loan then being
 * given back unpublished. */
CAMRING_API int camring_commit(struct camring_writer *writer, struct camring_frame *frame,
                               struct camring_error *error);

/* Gives the loan back unpublished.  Does nothing if there is none. */
CAMRING_API void camring_abort(struct camring_writer *writer);

/* Lends a further slot, beside that of camring_loan and others of this kind: up to
 * CAMRING_MAX_LENT, beyond which it is CAMRING_USAGE.  camring_commit publishes the one that
 * frame->plane[0] lies in, camring_return gives one back unpublished; camring_abort leaves them
 * alone, and camring_writer_close gives all back.  A slot lent before a larger one was asked for
 * can't be committed any more, but stays writable until it is given back.  Since 1.1. */
#define CAMRING_MAX_LENT 4
CAMRING_API uint8_t *camring_lend(struct camring_writer *writer, size_t bytes,
                                  struct camring_error *error);
CAMRING_API void camring_return(struct camring_writer *writer, const uint8_t *data);

/* How the ring is, and whether anybody reads it.  0, or -1 with error. */
CAMRING_API int camring_writer_stat(struct camring_writer *writer, struct camring_stat *stat,
                                    struct camring_error *error);

#ifdef __cplusplus
}
#endif

#endif
