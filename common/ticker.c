#include "ticker.h"

#include "clock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH};

int ticker_open(struct ticker *ticker, int64_t interval_ns, bool keys, struct error *err)
{
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof caught / sizeof caught[0]; i++)
        sigaddset(&set, caught[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    const struct itimerspec spec = {.it_interval = clock_timespec(interval_ns),
                                    .it_value = clock_timespec(interval_ns)};
    *ticker = (struct ticker){.keys = keys};
    ticker->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    ticker->signals = signalfd(-1, &set, SFD_CLOEXEC);
    if (ticker->timer >= 0 && ticker->signals >= 0 &&
        timerfd_settime(ticker->timer, 0, &spec, NULL) == 0)
        return 0;
    error_set(err, errno, "cannot wait: %s", strerror(errno));
    ticker_close(ticker);
    return -1;
}

static enum ticker_event take_signal(const struct ticker *ticker)
{
    struct signalfd_siginfo info;
    if (read(ticker->signals, &info, sizeof info) != sizeof info)
        return TICKER_STOP;
    return info.ssi_signo == SIGWINCH  ? TICKER_RESIZED
           : info.ssi_signo == SIGTSTP ? TICKER_SUSPEND
                                       : TICKER_STOP;
}

/* Reads the keys; true if one of them stops the program. */
static bool take_keys(void)
{
    char keys[64];
    ssize_t n = read(STDIN_FILENO, keys, sizeof keys);
    return n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN) ||
           (n > 0 && (memchr(keys, 'q', (size_t)n) || keys[0] == 4));
}

enum ticker_event ticker_wait(struct ticker *ticker)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = ticker->signals, .events = POLLIN},
                               {.fd = ticker->timer, .events = POLLIN},
                               {.fd = ticker->keys ? STDIN_FILENO : -1, .events = POLLIN}};
        if (ppoll(fds, 3, NULL, NULL) < 0 && errno != EINTR)
            return TICKER_STOP;
        if (fds[0].revents)
            return take_signal(ticker);
        if (fds[2].revents && take_keys())
            return TICKER_STOP;
        uint64_t ticks;
        if (fds[1].revents && read(ticker->timer, &ticks, sizeof ticks) == sizeof ticks)
            return TICKER_TICK;
    }
}

void ticker_suspend(void)
{
    kill(getpid(), SIGSTOP);
}

void ticker_close(struct ticker *ticker)
{
    if (ticker->timer >= 0)
        close(ticker->timer);
    if (ticker->signals >= 0)
        close(ticker->signals);
}
