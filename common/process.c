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

/* State and start time of `pid`, fields 3 and 22; false if there is no such process. */
static bool read_stat(pid_t pid, char *state, unsigned long long *start)
{
    char path[40], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';

    /* Field 2, the name in brackets, may hold anything: count from its end. */
    const char *at = strrchr(text, ')');
    return at && sscanf(at + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", state,
                        start) == 2;
}

uint64_t process_start_time(pid_t pid)
{
    char state;
    unsigned long long start;
    return read_stat(pid, &state, &start) && state != 'Z' && state != 'X' ? start : 0;
}

char process_state(pid_t pid)
{
    char state;
    unsigned long long start;
    return read_stat(pid, &state, &start) ? state : '\0';
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
