#include "background.h"

#include "logfile.h"
#include "logwriter.h"
#include "startup_wait.h"
#include "stopping.h"

#include "common/clock.h"
#include "common/process.h"
#include "common/supervisor/instance.h"
#include "common/supervisor/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define UP_LIMIT (30 * NS_PER_S)
#define STOP_LIMIT_MS 12000

struct launch {
    const struct options *options;
    const struct conf *conf;
    char log_path[PATH_MAX];
    struct logwriter log;
    pid_t pid;
    int pidfd;   /* of the supervisor */
    int urls;    /* the supervisor writes its URLs here, or closes it */
    int signals; /* signalfd: SIGINT, SIGTERM, SIGHUP */
};

/* ---- the supervisor's side ---- */

/* Moves the descriptors to the numbers from `first` on and closes all behind them: a program that
 * reads an inherited pipe to its end must not have to wait for this process. */
static void keep_only(int *fds[], int count, int first)
{
    for (int i = 0; i < count; i++)
        *fds[i] = fcntl(*fds[i], F_DUPFD, first + count);
    for (int i = 0; i < count; i++) {
        dup3(*fds[i], first + i, O_CLOEXEC);
        *fds[i] = first + i;
    }
    syscall(SYS_close_range, first + count, ~0U, 0);
}

static void become_supervisor(struct launch *launch, const char *config_path, int url_fd,
                              const sigset_t *mask)
{
    setsid();
    keep_only((int *[]){&url_fd, &launch->log.fd, &launch->log.pidfd}, 3, STDERR_FILENO + 1);
    sigprocmask(SIG_SETMASK, mask, NULL);
    int status = supervise(&(struct supervise){.conf = launch->conf,
                                               .config_path = config_path,
                                               .log_path = launch->log_path,
                                               .log_fd = launch->log.fd,
                                               .options = launch->options,
                                               .url_fd = url_fd});
    logwriter_finish(&launch->log);
    _exit(status);
}

/* ---- the command's side ---- */

static int open_launch(struct launch *launch, const char *config_path, struct error *err)
{
    int pipe_fds[2];
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    if (logfile_path(launch->conf->instance, launch->log_path, sizeof launch->log_path, err) != 0 ||
        logwriter_start(&launch->log, launch->log_path, LOGWRITER_BYTES, LOGWRITER_KEPT, err) != 0)
        return -1;
    if (pipe2(pipe_fds, O_CLOEXEC) != 0 ||
        (launch->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0) {
        error_set(err, errno, "cannot make a pipe: %s", strerror(errno));
        return -1;
    }
    sigprocmask(SIG_BLOCK, &set, &before);
    fflush(NULL);
    launch->pid = fork();
    if (launch->pid == 0)
        become_supervisor(launch, config_path, pipe_fds[1], &before);
    logwriter_close(&launch->log);
    close(pipe_fds[1]);
    launch->urls = pipe_fds[0];
    launch->pidfd = launch->pid > 0 ? process_pidfd(launch->pid) : -1;
    if (launch->pidfd >= 0)
        return 0;
    error_set(err, errno, "cannot fork: %s", strerror(errno));
    return -1;
}

static void close_launch(struct launch *launch)
{
    logwriter_close(&launch->log);
    close(launch->urls);
    close(launch->signals);
    close(launch->pidfd);
}

static bool was_signalled(const struct launch *launch)
{
    struct signalfd_siginfo info;
    return read(launch->signals, &info, sizeof info) == sizeof info;
}

/* Ends the supervisor, which removes all that it has made. */
static void cancel_launch(const struct launch *launch)
{
    kill(launch->pid, SIGTERM);
    if (!process_await_exit(launch->pidfd, STOP_LIMIT_MS)) {
        process_kill(launch->pidfd);
        process_await_exit(launch->pidfd, STOP_LIMIT_MS);
    }
    waitpid(launch->pid, NULL, WNOHANG);
    stopping_clear(launch->conf->instance);
}

/* The supervisor ended before it was up, after printing the cause: its exit status becomes the
 * command's. */
static enum exits collect_exit(const struct launch *launch)
{
    int status = 0;
    if (waitpid(launch->pid, &status, 0) == launch->pid && WIFEXITED(status) &&
        WEXITSTATUS(status) != 0)
        return WEXITSTATUS(status);
    fprintf(stderr, "camring: the supervisor ended before it was up; see %s\n", launch->log_path);
    stopping_clear(launch->conf->instance);
    return EXIT_FAILED;
}

static enum exits fail_launch(const struct launch *launch, const char *why)
{
    fprintf(stderr, "camring: %s\n", why);
    cancel_launch(launch);
    return EXIT_FAILED;
}

/* Until the servers accept; prints their URLs unless `quiet`. */
static enum exits await_up(const struct launch *launch, bool quiet)
{
    int64_t deadline = clock_now() + UP_LIMIT;
    bool up = false;
    for (;;) {
        struct pollfd fds[] = {{.fd = launch->urls, .events = POLLIN},
                               {.fd = launch->signals, .events = POLLIN}};
        int64_t left = deadline - clock_now();
        int r = poll(fds, 2, left > 0 ? (int)(left / NS_PER_MS) + 1 : 0);
        if (r < 0 && errno == EINTR)
            continue;
        if (r == 0) {
            char why[PATH_MAX + 80];
            snprintf(why, sizeof why, "no server came up in %d s; see %s",
                     (int)(UP_LIMIT / NS_PER_S), launch->log_path);
            return fail_launch(launch, why);
        }
        if (fds[1].revents && was_signalled(launch))
            return fail_launch(launch, "cancelled");
        if (!fds[0].revents)
            continue;
        char text[1024];
        ssize_t n = read(launch->urls, text, sizeof text);
        if (n <= 0)
            return up ? EXIT_DONE : collect_exit(launch);
        up = true;
        if (!quiet)
            fwrite(text, 1, (size_t)n, stdout);
        fflush(stdout);
    }
}

static enum exits await_cameras(const struct launch *launch, bool quiet)
{
    struct error err;
    switch (startup_wait_run(launch->conf->instance, launch->signals, quiet, &err)) {
    case STARTUP_WAIT_LIVE:
        return EXIT_DONE;
    case STARTUP_WAIT_NOT_LIVE:
        return EXIT_NOT_LIVE;
    case STARTUP_WAIT_CANCELLED:
        return fail_launch(launch, "cancelled");
    default:
        fprintf(stderr, "camring: %s; see %s\n", err.text, launch->log_path);
        return EXIT_FAILED;
    }
}

enum exits background_start(const struct options *options, const struct conf *conf,
                            const char *config_path, bool quiet)
{
    struct launch launch = {.options = options,
                            .conf = conf,
                            .log = {.fd = -1, .pidfd = -1},
                            .pidfd = -1,
                            .urls = -1,
                            .signals = -1};
    struct error err;
    if (open_launch(&launch, config_path, &err) != 0) {
        fprintf(stderr, "camring: %s\n", err.text);
        return EXIT_FAILED;
    }
    enum exits status = await_up(&launch, quiet);
    if (status == EXIT_DONE && !options->no_wait)
        status = await_cameras(&launch, quiet);
    close_launch(&launch);
    return status;
}
