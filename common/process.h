/* process.h: identifies processes, reads their usage, waits for their end and kills them. */
#ifndef CAMRING_PROCESS_H
#define CAMRING_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* When `pid` started, in clock ticks since boot (field 22 of /proc/PID/stat): with the pid it names
 * a process for as long as the machine is up.  0 if there is no such process, or if it is dead and
 * only waits to be reaped. */
uint64_t process_start_time(pid_t pid);

/* Its state as /proc/PID/stat says it: R, S, D, T (stopped), Z and so on; NUL if there is no such
 * process. */
char process_state(pid_t pid);

/* What it has used since it started; the kernel counts time in ticks of 10 ms as a rule. */
struct process_usage {
    uint64_t start_time; /* as process_start_time has it */
    int64_t age_ns;      /* since then */
    int64_t cpu_ns;      /* of all its threads, in user and system mode */
    int64_t memory;      /* resident bytes, what it shares with others included */
};

/* False if there is no such process, or /proc doesn't tell. */
bool process_usage(pid_t pid, struct process_usage *usage);

/* Resident bytes of its own: in no file and no shared memory.  0 if there is no such process. */
int64_t process_private_memory(pid_t pid);

/* A descriptor that becomes readable when process `pid` ends; -1 with errno. */
int process_pidfd(pid_t pid);
bool process_await_exit(int pidfd, int timeout_ms); /* false: time-out */
void process_kill(int pidfd);                       /* SIGKILL */

#endif
