#include "process.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct stat_fields {
    char state;                             /* field 3 */
    unsigned long long user, system, start; /* 14, 15, 22: in ticks */
    long long pages;                        /* 24 */
};

/* A file of /proc/PID as text; false if there is no such process. */
static bool process_read_file(pid_t pid, const char *name, char *text, size_t size)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, size - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static bool process_read_stat(pid_t pid, struct stat_fields *out)
{
    char text[1024];
    if (!process_read_file(pid, "stat", text, sizeof text))
        return false;

    /* Field 2, the name in brackets, may hold anything: count from its end. */
    const char *at = strrchr(text, ')');
    return at && sscanf(at + 1,
                        " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d "
                        "%*d %llu %*u %lld",
                        &out->state, &out->user, &out->system, &out->start, &out->pages) == 5;
}

static bool is_dead(char state)
{
    return state == 'Z' || state == 'X';
}

uint64_t process_start_time(pid_t pid)
{
    struct stat_fields stat;
    return process_read_stat(pid, &stat) && !is_dead(stat.state) ? stat.start : 0;
}

char process_state(pid_t pid)
{
    struct stat_fields stat;
    return process_read_stat(pid, &stat) ? stat.state : '\0';
}

bool process_usage(pid_t pid, struct process_usage *usage)
{
    struct stat_fields stat;
    int64_t hertz = sysconf(_SC_CLK_TCK), page = sysconf(_SC_PAGESIZE);
    if (hertz <= 0 || !process_read_stat(pid, &stat) || is_dead(stat.state))
        return false;
    int64_t tick = NS_PER_S / hertz,
            age = clock_read_ns(CLOCK_BOOTTIME) - (int64_t)stat.start * tick;
    *usage = (struct process_usage){.start_time = stat.start,
                                    .age_ns = age > 0 ? age : 0,
                                    .cpu_ns = (int64_t)(stat.user + stat.system) * tick,
                                    .memory = stat.pages * page};
    return true;
}

int64_t process_private_memory(pid_t pid)
{
    char text[128];
    long long resident, shared;
    if (!process_read_file(pid, "statm", text, sizeof text) ||
        sscanf(text, "%*u %lld %lld", &resident, &shared) != 2)
        return 0;
    return resident > shared ? (resident - shared) * sysconf(_SC_PAGESIZE) : 0;
}

int process_pidfd(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

bool process_await_exit(int pidfd, int timeout_ms)
{
    int64_t deadline = clock_now() + timeout_ms * NS_PER_MS;
    for (;;) {
        struct pollfd wait = {.fd = pidfd, .events = POLLIN};
        int64_t left = deadline - clock_now();
        int r = poll(&wait, 1, left > 0 ? (int)((left + NS_PER_MS - 1) / NS_PER_MS) : 0);
        if (r > 0)
            return true;
        if (r == 0 || errno != EINTR)
            return false;
    }
}

void process_kill(int pidfd)
{
    syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
}
