#include "stage_state.h"

#include "common/clock.h"

#include <string.h>

void stage_state_init(struct stage_state *stage, int64_t timeout_ns)
{
    *stage = (struct stage_state){.timeout_ns = timeout_ns, .due_ns = CLOCK_NEVER};
}

unsigned stage_state_forget(struct stage_state *stage)
{
    unsigned count = stage->count;
    stage->count = 0;
    stage->due_ns = CLOCK_NEVER;
    return count;
}

static void forget_oldest(struct stage_state *stage, unsigned count)
{
    stage->count -= count;
    memmove(stage->handed, stage->handed + count, stage->count * sizeof *stage->handed);
}

static uint64_t newest(const struct stage_state *stage)
{
    return stage->count > 0 ? stage->handed[stage->count - 1].number : stage->passed;
}

bool stage_state_hand(struct stage_state *stage, const struct stage_origin *origin, bool attached,
                      int64_t now, unsigned *dropped)
{
    *dropped = 0;
    if (origin->number <= newest(stage)) { /* the raw ring was made anew and counts from 1 again */
        *dropped = stage_state_forget(stage);
        stage->passed = 0;
    }
    if (attached && stage->state == BOARD_STAGE_ABSENT)
        stage->state = BOARD_STAGE_ATTACHED;
    if (!attached)
        stage->state = BOARD_STAGE_ABSENT;
    if (stage->state != BOARD_STAGE_ATTACHED) {
        *dropped += stage_state_forget(stage);
        stage->passed = origin->number;
        return false;
    }
    if (stage->count == STAGE_PICTURES) {
        forget_oldest(stage, 1);
        ++*dropped;
    }
    stage->handed[stage->count++] = *origin;
    if (stage->due_ns == CLOCK_NEVER)
        stage->due_ns = now + stage->timeout_ns;
    return true;
}

enum stage_verdict stage_state_return(struct stage_state *stage, uint64_t source, int64_t now,
                                      struct stage_origin *origin, unsigned *dropped)
{
    unsigned i = 0;
    *dropped = 0;
    while (i < stage->count && stage->handed[i].number != source)
        i++;
    if (i == stage->count && (source == 0 || source > newest(stage)))
        return STAGE_REFUSED;
    stage->state = BOARD_STAGE_ATTACHED;
    if (i == stage->count)
        return STAGE_LATE;
    *origin = stage->handed[i];
    *dropped = i;
    forget_oldest(stage, i + 1);
    stage->passed = source;
    stage->due_ns = stage->count > 0 ? now + stage->timeout_ns : CLOCK_NEVER;
    return STAGE_USED;
}

bool stage_state_expire(struct stage_state *stage, bool attached, int64_t now,
                        struct stage_origin *origin, unsigned *dropped)
{
    *dropped = 0;
    if (stage->count == 0 || (attached && now < stage->due_ns))
        return false;
    *origin = stage->handed[stage->count - 1];
    *dropped = stage_state_forget(stage) - 1;
    stage->state = attached ? BOARD_STAGE_LATE : BOARD_STAGE_ABSENT;
    stage->passed = origin->number;
    return true;
}
