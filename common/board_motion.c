/* DESIGN
 *
 * A sequence lock of which every word is atomic, so that a reader may meet the writer anywhere.  A
 * writer that died half-way leaves the sequence odd, until its successor writes. */
#include "board_motion.h"

#include "ring_store.h"

#define TRIES 100 /* a write takes some 50 ns */

_Static_assert(sizeof(struct board_motion) == 128, "layout");

static uint64_t pack_box(const struct motion_box *box)
{
    return (uint64_t)(box->x & UINT16_MAX) | (uint64_t)(box->y & UINT16_MAX) << 16 |
           (uint64_t)(box->width & UINT16_MAX) << 32 | (uint64_t)(box->height & UINT16_MAX) << 48;
}

static struct motion_box unpack_box(uint64_t word)
{
    return (struct motion_box){.x = word & UINT16_MAX,
                               .y = word >> 16 & UINT16_MAX,
                               .width = word >> 32 & UINT16_MAX,
                               .height = (uint32_t)(word >> 48)};
}

void board_motion_write(struct board_motion *board, const struct motion_state *state)
{
    uint32_t before = atomic_load_explicit(&board->sequence, memory_order_relaxed);
    ring_store_u32(&board->sequence, before | 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    ring_store_u32(&board->active, state->active, memory_order_relaxed);
    ring_store_u64(&board->event, state->event, memory_order_relaxed);
    ring_store_i64(&board->since_ns, state->since_ns, memory_order_relaxed);
    ring_store_i64(&board->ended_ns, state->ended_ns, memory_order_relaxed);
    ring_store_u32(&board->score, state->score, memory_order_relaxed);
    ring_store_u32(&board->peak, state->peak, memory_order_relaxed);
    ring_store_u32(&board->box_count, state->box_count, memory_order_relaxed);
    for (uint32_t i = 0; i < state->box_count && i < MOTION_BOXES; i++)
        ring_store_u64(&board->boxes[i], pack_box(&state->boxes[i]), memory_order_relaxed);
    ring_store_u32(&board->sequence, (before | 1) + 1, memory_order_release);
}

static void load_state(const struct board_motion *board, struct motion_state *state)
{
    uint32_t count = atomic_load_explicit(&board->box_count, memory_order_relaxed);
    *state = (struct motion_state){
        .active = atomic_load_explicit(&board->active, memory_order_relaxed),
        .event = atomic_load_explicit(&board->event, memory_order_relaxed),
        .since_ns = atomic_load_explicit(&board->since_ns, memory_order_relaxed),
        .ended_ns = atomic_load_explicit(&board->ended_ns, memory_order_relaxed),
        .score = atomic_load_explicit(&board->score, memory_order_relaxed),
        .peak = atomic_load_explicit(&board->peak, memory_order_relaxed),
        .box_count = count < MOTION_BOXES ? count : MOTION_BOXES,
    };
    for (uint32_t i = 0; i < state->box_count; i++)
        state->boxes[i] = unpack_box(atomic_load_explicit(&board->boxes[i], memory_order_relaxed));
}

bool board_motion_read(const struct board_motion *board, struct motion_state *state)
{
    for (int i = 0; i < TRIES; i++) {
        uint32_t before = atomic_load_explicit(&board->sequence, memory_order_acquire);
        load_state(board, state);
        atomic_thread_fence(memory_order_acquire);
        uint32_t after = atomic_load_explicit(&board->sequence, memory_order_relaxed);
        if (before == after && before % 2 == 0)
            return true;
    }
    return false;
}
