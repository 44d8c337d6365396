#include "damage.h"

#define DAMAGE_PATIENCE 3

void damage_hold(struct damage *damage)
{
    damage->group = true;
    damage->holding = damage->groups < DAMAGE_PATIENCE;
}

bool damage_judge(struct damage *damage, bool key, bool damaged)
{
    if (key) {
        damage->groups = damage->group ? damage->groups + 1 : 0;
        damage->group = false;
        damage->holding = false;
    }
    if (damaged)
        damage_hold(damage);
    return !damage->holding;
}
