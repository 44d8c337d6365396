/* kill_points.h: where a process of the kill tests dies: after its store number N to shared memory
 * (common/ring_store.h). */
#ifndef CHAOS_KILL_POINTS_H
#define CHAOS_KILL_POINTS_H

/* From now on this process counts its stores and gets SIGKILL after number `at`; 0: never, and
 * counts no more. */
void kill_points_arm(unsigned at);

#endif
