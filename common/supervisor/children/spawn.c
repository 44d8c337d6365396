#include "spawn.h"

#include "common/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXIT_NO_EXEC 127

int spawn_path(const char *program, char *out, size_t size, struct error *err)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0) {
        error_set(err, errno, "cannot read /proc/self/exe: %s", strerror(errno));
        return -1;
    }
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    if (snprintf(out, size, "%s/%s", self, program) >= (int)size) {
        error_set(err, ENAMETOOLONG, "%s/%s: path too long", self, program);
        return -1;
    }
    if (access(out, X_OK) != 0) {
        error_set(err, errno, "cannot run %s: %s", out, strerror(errno));
        return -1;
    }
    return 0;
}

static bool is_harmless(const char *entry)
{
    static const char *const prefixes[] = {
        "PATH=", "HOME=",     "LANG=",     "LC_",       "TZ=",    "TMPDIR=",
        "LD_",   "SSL_CERT_", "ASAN_",     "LSAN_",     "UBSAN_", "TSAN_",
        "GCOV_", "MALLOC_",   "no_proxy=", "NO_PROXY=", "LLVM_",  "CAMRING_DEBUG="};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (strncmp(entry, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

/* The environment for children. Other variables may hold passwords that the configuration uses, and
 * every process of the same user can read a process's environment. NULL: out of memory. */
static char **harmless_environment(void)
{
    size_t count = 0, kept = 0;
    while (environ[count])
        count++;
    char **kept_entries = calloc(count + 1, sizeof *kept_entries);
    for (size_t i = 0; kept_entries && i < count; i++)
        if (is_harmless(environ[i]))
            kept_entries[kept++] = environ[i];
    return kept_entries;
}

/* Between fork and exec: only async-signal-safe calls. All signals are blocked until the parent's
 * handlers are removed, which would write to pipes shared with the parent. */
static void exec_program(const char *path, const char *label, char **environment, int channel,
                         pid_t parent)
{
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* the parent died before prctl took effect */
        _exit(EXIT_NO_EXEC);

    if (channel == CHANNEL_FD ? fcntl(channel, F_SETFD, 0) != 0 : dup2(channel, CHANNEL_FD) < 0)
        _exit(EXIT_NO_EXEC);
    syscall(SYS_close_range, CHANNEL_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC);

    const char *program = strrchr(path, '/') + 1;
    char *const arguments[] = {(char *)program, (char *)label, NULL};
    execve(path, arguments, environment);
    _exit(EXIT_NO_EXEC);
}

pid_t spawn_start(const char *path, const char *label, int *channel, struct error *err)
{
    int pair[2];
    char **environment = harmless_environment();
    if (!environment || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        error_set(err, errno, "cannot make a channel: %s", strerror(errno));
        free(environment);
        return -1;
    }
    fcntl(pair[0], F_SETFL, O_NONBLOCK);

    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        exec_program(path, label, environment, pair[1], parent);
    int cause = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);

    free(environment);
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        error_set(err, cause, "fork: %s", strerror(cause));
        return -1;
    }
    *channel = pair[0];
    return pid;
}
