/* clang-format off: the drawing */
/* ring_layout.h: the ring's shared memory, private to ring*.c.
 *
 * DESIGN
 *
 * One writer, many readers, and any of them may be killed at any instruction.  So nothing in
 * shared memory is ever locked or counted; each word has one writer, and what a dead process
 * has left is either valid or recognisably unfinished.
 *
 *   ctl object: camring.INSTANCE.CAMERA.VARIANT
 *   +-----------------------------------+
 *   | header: identity, sizes           |  names   data object: the same, then .GENERATION
 *   | generation (writer)               |  ──►  +-------------------------------------------+
 *   | bell (writer)                     |       | header: geometry, state, writer, head     |
 *   | rows: pin, waker, slot, owner,    |       | slot descriptors: seq + struct ring_frame |
 *   |       accounts                    |       | payloads, page-aligned, one a slot        |
 *   +-----------------------------------+       +-------------------------------------------+
 *                                                 readers map it PROT_READ
 *
 * Publishing.  A slot's seq is 0 (empty), RING_SEQ_WRITING (odd) or 2n (holds frame n).  The
 * writer stores odd, writes, stores 2n with release, stores head = n << 8 | slot with release,
 * rings the bell.  head only ever names a finished slot; a writer killed on the way leaves an
 * odd slot, or one with seq > 2 x head's n, and the next writer clears both
 * (ring_writer_takeover).
 *
 * Pins (Dekker's argument).  Reader: store pin, fence, load seq.  Writer: store odd seq, fence,
 * load pins.  With both fences sequentially consistent at least one sees the other: either the
 * reader sees odd and backs off, or the writer sees the pin and takes another slot.  The slot
 * head names is never loaned, so a reader that loses can always try the newest again.  A dead
 * reader's pin costs one slot until its row is reaped, and each row that may pin has brought a
 * slot of its own: readers never slow the writer, living or dead.
 *
 * Which slots exist.  The data object is as long as all slots it may ever have, and is mapped
 * whole; memory is allocated for those in use (slots.pml).  A JPEG ring has all its slots from
 * the start.  A raw ring has two kinds:
 *
 *   0 … writer_slots - 1    the writer's; the first writer_allocated exist.  That is the newest,
 *                           the one being written, the encoder's pin, what the writer said it
 *                           holds, and two to spare.  Where it turns out to hold more, a loan
 *                           that finds no free slot allocates the next one.
 *   writer_slots + i - 1    row i's.  The reader that takes row i allocates it before its first
 *                           pin, and leaves it behind as unwanted; the writer lends it like any
 *                           other meanwhile, and gives an unwanted one back to the system.
 *
 * A row's slot word says {generation, state}: none, pending (may have memory, is not used),
 * usable, unwanted.  It is only stored under the lock on the row's byte: by its reader, by the
 * reaper, or by the writer, which takes the lock to give a slot back; so no process relies on a
 * slot that is being given back.  The writer takes the slot up as for a loan (odd, fence, no
 * pin), stores seq 0, pending, punches the hole, stores none.  A process that dies on the way
 * leaves pending, and the writer continues from there.  The writer gives back one such slot with
 * each loan: while a camera delivers nothing, slots of readers that have left keep their memory.
 * There is at most one for each row, and a reader that takes that row uses it again as it is.
 *
 * Touching a hole of tmpfs allocates a page, or is SIGBUS when there is none.  So a payload is
 * touched through a mapping only by the writer, while it has the slot on loan, and by readers
 * that have it pinned; copies of raw frames are made with pread, for which a hole is zeros.
 * What a binding's user may look at after the release (ring_reader_hold) is safe because a row
 * that has ever held says so in `keeps`, stored before its pin goes, and the writer gives nothing
 * back as long as one does; when such a reader leaves, what it held becomes its process's own.
 *
 * Copies.  A reader without a pin copies: load seq, copy, fence, load seq again.  Frame numbers
 * never repeat, so an equal seq means an untouched slot (a loan that found a pin and was taken
 * back restores the old value without having written).
 *
 * Which slot is lent.  Any free one would do.  In a raw ring it is the one written last: what is
 * still in the caches is filled, and then read, several times as fast as memory that comes round
 * after all others.  In a JPEG ring it is the oldest, for its readers copy, and may take the
 * more time the more slots there are; the slots are small.
 *
 * Generations.  A larger picture gets a new data object: made nameless (O_TMPFILE), allocated,
 * filled, linked, then published by one store to ctl's generation; the old one is marked
 * retired and unlinked, and lives on as long as a process maps it.  Frame numbers go on from
 * the old head.  A pin and a slot word name their generation, so one of a retired generation
 * means nothing to the new.  A writer that dies on the way leaves at most a linked object under
 * the number before or after, which recovery unlinks (or, without a supervisor, the next
 * writer).
 *
 * Rows.  A reader owns row i for as long as it holds the OFD write lock on byte i of the ctl
 * object: the kernel drops it with the process, whatever namespace pids are counted in.
 * Claiming and reaping take that lock first, so neither can meet a living owner.  What a reader
 * missed is not stored but follows from its row's other numbers, so that an account is wrong by
 * one frame at most when its owner dies while changing it.  Row 0 belongs to the process that
 * holds the camera's lease (lease.h) and needs no lock: the supervisor clears it before it
 * frees a dead worker's lease.  The exclusive writer holds byte RING_LOCK_WRITER in the same
 * way.
 *
 * A reader that holds several frames has a row for each: one more is taken when one more frame is
 * wanted, and kept until the reader leaves.  `of` says in it which row is the reader's own, where
 * it is counted and has its account.  All of a reader's rows are locked through one descriptor, so
 * they are left, or orphaned, at once.
 *
 * Writers.  A ring has an exclusive writer, known by its lock, or is leased: the process that
 * holds a lease (lease.h) writes, and continues where the holder before it stopped, since all
 * of a writer's state is in shared memory.  A leased ring's writers keep no slot beyond their
 * lease; so between two leases every slot but the newest's is free, and what the text above
 * says of "the writer" (growing, giving slots back under a row's lock) holds for the holder of
 * the lease.  A process from outside can't see that a lease is held, so exclusive writers are
 * refused.
 *
 * The bell is in ctl, not in data, so that waiters need not follow generations and the
 * supervisor can ring it for dead processes. */
/* clang-format on */
#ifndef CAMRING_RING_LAYOUT_H
#define CAMRING_RING_LAYOUT_H

#include "bell.h"
#include "ring.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define RING_DIRECTORY "/dev/shm"
#define RING_PREFIX "camring."
#define RING_CTL_MAGIC 0x54435243u  /* "CRCT" */
#define RING_DATA_MAGIC 0x41445243u /* "CRDA" */
#define RING_ABI_MAJOR 2
#define RING_ABI_MINOR 2
#define RING_BYTE_ORDER 0x01020304u
#define RING_LINE 64
#define RING_SEQ_WRITING 1u
#define RING_NO_SLOT 0xffu
#define RING_LOCK_WRITER 4096 /* lock bytes: 1 … rows, and this */

/* What has become of the slot that belongs to a row; the low half of ring_row.slot. */
enum ring_slot_state {
    RING_SLOT_NONE,
    RING_SLOT_PENDING, /* being allocated or given back: may have memory, must not be touched */
    RING_SLOT_USABLE,
    RING_SLOT_UNWANTED, /* as usable, but its reader has left: to be given back */
};

struct ring_row {
    /* read by the writer on each loan and commit */
    _Atomic uint64_t pin;   /* 0, or generation << 32 | slot + 1 */
    _Atomic uint64_t slot;  /* 0, or generation << 32 | enum ring_slot_state */
    _Atomic uint32_t waker; /* 0, or number of an event loop's eventfd + 1 */
    uint8_t pad0[RING_LINE - 20];
    /* the reader's own */
    _Atomic int32_t pid; /* 0: no owner */
    /* 1: may look at frames it no longer has pinned (ring_reader_hold) */
    _Atomic uint32_t keeps;
    char who[16];
    /* frame numbers and a number of frames: missed were last - joined - taken */
    _Atomic uint64_t joined, last, taken;
    _Atomic uint64_t frame; /* number of the frame that is pinned, once the pin is known to hold */
    _Atomic uint32_t of;    /* 0: the row is a reader's own; else number of that one: "Rows" */
    uint8_t pad1[4];
};

struct ring_ctl_header {
    uint32_t magic;
    uint16_t abi_major, abi_minor;
    uint32_t byte_order;
    uint32_t header_bytes;
    uint64_t object_bytes;
    uint32_t row_count; /* row 0 included */
    uint32_t row_bytes;
    uint32_t kind;
    uint32_t unsupervised; /* 1: no supervisor rings for a dead writer */
    uint64_t max_bytes;
    char instance[40], camera[40], variant[40];
    uint32_t leased; /* 1: written under a lease, by writers that hold no lock */
    uint8_t pad0[20];
    /* the writer's */
    _Atomic uint32_t generation; /* 0: none yet */
    _Atomic uint32_t closed;     /* 1: unlinked by its owner, attach anew */
    _Atomic uint64_t no_slot, aborted;
    /* stored by the process that clears a row */
    _Atomic uint64_t reaped; /* rows whose owner had died; the death of both may go uncounted */
    uint8_t pad1[RING_LINE - 32];
    struct bell bell;
    uint8_t pad2[RING_LINE - 4];
    struct ring_row rows[];
};

enum ring_state { RING_LIVE = 1, RING_RETIRED = 2 };

struct ring_data_header {
    uint32_t magic;
    uint16_t abi_major, abi_minor;
    uint32_t byte_order;
    uint32_t header_bytes;
    uint64_t object_bytes;
    uint32_t generation;
    uint32_t kind;
    uint32_t slot_count; /* that may ever exist */
    uint32_t descriptor_bytes;
    uint32_t descriptor_offset;
    uint32_t writer_slots; /* of them; the others belong to the rows from 1 on */
    uint64_t payload_offset;
    uint64_t slot_bytes; /* from one payload to the next; a multiple of the page */
    /* written seldom */
    _Atomic uint32_t state; /* enum ring_state */
    _Atomic int32_t writer_pid;
    _Atomic uint64_t writer_start;     /* process_start_time */
    _Atomic uint64_t writer_epoch;     /* takeovers by another process */
    _Atomic uint32_t writer_allocated; /* how many of writer_slots exist */
    uint8_t pad1[RING_LINE - 28];
    /* written on each commit */
    /* frame << 8 | slot; slot RING_NO_SLOT: that frame is not in this generation */
    _Atomic uint64_t head;
    /* for the rate: two commits a second or more apart, the older first; ring_past_pack */
    _Atomic uint64_t past[2];
    uint8_t pad2[RING_LINE - 24];
};

struct ring_slot {
    _Atomic uint64_t seq;
    struct ring_frame frame;
    uint8_t pad[24];
};

_Static_assert(sizeof(struct ring_frame) == 96, "ABI");
_Static_assert(sizeof(struct ring_slot) == 128, "ABI");
_Static_assert(sizeof(struct ring_row) == 128, "ABI");
_Static_assert(sizeof(struct ring_ctl_header) == 320, "ABI");
_Static_assert(sizeof(struct ring_data_header) == 192, "ABI");
_Static_assert(offsetof(struct ring_ctl_header, leased) == 168, "ABI");
_Static_assert(offsetof(struct ring_ctl_header, generation) == 192, "ABI");
_Static_assert(offsetof(struct ring_ctl_header, bell) == 256, "ABI");
_Static_assert(offsetof(struct ring_data_header, slot_bytes) == 56, "ABI");
_Static_assert(offsetof(struct ring_data_header, state) == 64, "ABI");
_Static_assert(offsetof(struct ring_data_header, head) == 128, "ABI");
_Static_assert(offsetof(struct ring_data_header, past) == 136, "ABI");
_Static_assert(offsetof(struct ring_row, pid) == 64, "ABI");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2,
               "shared words must be lock-free");

static inline uint64_t ring_head_pack(uint64_t frame, uint32_t slot)
{
    return frame << 8 | slot;
}

/* A frame's number (its low 24 bits) and time of commit (in units of 65.536 us, 40 bits), so that
 * one store changes both. */
#define RING_PAST_SHIFT 16
#define RING_PAST_TIME ((UINT64_C(1) << 40) - 1)
static inline uint64_t ring_past_pack(uint64_t frame, int64_t ns)
{
    return frame << 40 | ((uint64_t)ns >> RING_PAST_SHIFT & RING_PAST_TIME);
}

static inline uint64_t ring_pin_pack(uint32_t generation, uint32_t slot)
{
    return (uint64_t)generation << 32 | (slot + 1);
}

static inline uint64_t ring_slot_pack(uint32_t generation, enum ring_slot_state state)
{
    return (uint64_t)generation << 32 | state;
}

#endif
