#include "ring_row.h"

#include "clock.h"
#include "ring_slots.h"
#include "ring_store.h"

#include <stdio.h>
#include <unistd.h>

/* How long a row is waited for.  A lock without an owner's name is another process's for a moment
 * by all rules; where each row has an owner, one of them may just be cleared. */
#define OWNERLESS_WAIT_NS (100 * NS_PER_MS)
#define OWNED_WAIT_NS (3 * NS_PER_MS)

static unsigned row_lock(struct ring_ctl *ctl)
{
    for (unsigned row = 1; row < ctl->rows; row++)
        if (!ctl->own[row] && ring_lock(ctl->fd, (int)row))
            return row;
    return 0;
}

static bool all_have_owners(const struct ring_ctl *ctl)
{
    for (unsigned row = 1; row < ctl->rows; row++)
        if (atomic_load_explicit(&ctl->header->rows[row].pid, memory_order_relaxed) == 0)
            return false;
    return true;
}

/* A process that locks a row for a moment rings the bell afterwards. */
static unsigned row_await(struct ring_ctl *ctl)
{
    int64_t begin = clock_now();
    for (;;) {
        uint32_t heard = bell_read(&ctl->header->bell);
        unsigned row = row_lock(ctl);
        int64_t deadline = begin + (all_have_owners(ctl) ? OWNED_WAIT_NS : OWNERLESS_WAIT_NS);
        if (row > 0 || clock_now() >= deadline)
            return row;
        bell_wait(&ctl->header->bell, heard, deadline);
    }
}

unsigned ring_row_take(struct ring_ctl *ctl, struct error *err)
{
    unsigned number = row_await(ctl);
    if (number == 0) {
        error_set(err, RING_ERROR_ROWS, "%s.%s: all %u reader rows are taken%s", ctl->camera,
                  ctl->variant, ctl->rows - 1,
                  ctl->header->unsupervised ? "" : " (shm.reader_rows)");
        return 0;
    }
    ctl->own[number] = true;
    struct ring_row *row = &ctl->header->rows[number];
    if (atomic_load_explicit(&row->pid, memory_order_relaxed) != 0 && /* its last owner died */
        atomic_load_explicit(&row->of, memory_order_relaxed) == 0)
        ring_add_u64(&ctl->header->reaped, 1, memory_order_relaxed);
    return number;
}

void ring_row_fill(struct ring_row *row, const char *who, uint64_t head, unsigned of)
{
    ring_store_u64(&row->pin, 0, memory_order_release);
    ring_store_u32(&row->waker, 0, memory_order_seq_cst);
    ring_store_u32(&row->keeps, 0, memory_order_release);
    char name[sizeof row->who] = "";
    snprintf(name, sizeof name, "%s", who);
    ring_store_bytes(row->who, name, sizeof name);
    ring_store_u64(&row->joined, head, memory_order_seq_cst);
    ring_store_u64(&row->last, head, memory_order_seq_cst);
    ring_store_u64(&row->taken, 0, memory_order_seq_cst);
    ring_store_u64(&row->frame, 0, memory_order_seq_cst);
    ring_store_u32(&row->of, of, memory_order_release);
    ring_store_i32(&row->pid, (int32_t)getpid(), memory_order_release);
}

void ring_row_leave(struct ring_ctl *ctl, unsigned number)
{
    struct ring_row *row = &ctl->header->rows[number];
    ring_store_u32(&row->waker, 0, memory_order_seq_cst);
    ring_slots_leave(row);
    ring_store_i32(&row->pid, 0, memory_order_release);
    ctl->own[number] = false;
    ring_unlock(ctl->fd, (int)number);
}

/* Values are read back from shared memory, not kept: row 0 goes from worker to worker with the
 * lease.  What was missed is not counted but follows from the rest (ring_stat.c), so that a process
 * that dies in here leaves the account wrong by one frame at most. */
void ring_row_count(struct ring_row *row, uint64_t number)
{
    if (!row)
        return;
    uint64_t last = atomic_load_explicit(&row->last, memory_order_relaxed);
    uint64_t taken = atomic_load_explicit(&row->taken, memory_order_relaxed);
    if (number == last && taken == 0) /* the frame that was there when it joined */
        ring_store_u64(&row->joined, number - 1, memory_order_relaxed);
    else if (number <= last) /* looked at once more */
        return;
    ring_store_u64(&row->last, number, memory_order_relaxed);
    ring_store_u64(&row->taken, taken + 1, memory_order_relaxed);
}
