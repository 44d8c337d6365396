#include "stopping.h"

#include "client.h"

#include "common/process.h"
#include "common/supervisor/instance.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PATIENCE_MS 12000 /* the supervisor gives up waiting for its children before that */
#define KILL_MS 3000

void stopping_clear(const char *name)
{
    struct error ignored;
    if (instance_has_remains(name))
        instance_release(instance_acquire(name, &ignored));
}

/* Sends the request over the socket, whose peer's pid the kernel knows. Returns a pidfd to wait on;
 * -1 with err. */
static int ask_by_socket(const char *name, struct error *err)
{
    struct client *client = client_open(name, err);
    if (!client)
        return -1;
    int pidfd = process_pidfd(client_pid(client));
    json_t *request = json_pack("{s:s}", "command", "stop");
    if (pidfd < 0)
        error_set(err, errno, "process %d: %s", (int)client_pid(client), strerror(errno));
    else if (client_send(client, request, err) != 0) {
        close(pidfd);
        pidfd = -1;
    }
    json_decref(request);
    client_close(client);
    return pidfd;
}

/* For a supervisor without a socket, because it is starting or the file was deleted: by SIGTERM to
 * the lock's owner. */
static int ask_by_signal(const char *name, struct error *err)
{
    pid_t pid, again;
    int pidfd = instance_running(name, &pid) && pid > 0 ? process_pidfd(pid) : -1;
    if (pidfd < 0)
        return -1;
    if (instance_running(name, &again) && again == pid &&
        syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0) == 0)
        /* that pid still held the lock after the pidfd was opened, so it is the right process */
        return pidfd;
    error_set(err, errno, "cannot signal process %d: %s", (int)pid, strerror(errno));
    close(pidfd);
    return -1;
}

enum stopping stopping_run(const char *name, struct error *err)
{
    pid_t pid;
    if (!instance_running(name, &pid)) {
        stopping_clear(name);
        return STOPPING_NOT_RUNNING;
    }
    int pidfd = ask_by_socket(name, err);
    if (pidfd < 0)
        pidfd = ask_by_signal(name, err);
    if (pidfd < 0) {
        if (!instance_running(name, &pid)) { /* it ended by itself meanwhile */
            stopping_clear(name);
            return STOPPING_DONE;
        }
        return STOPPING_FAILED;
    }
    bool gone = process_await_exit(pidfd, PATIENCE_MS);
    if (!gone) {
        process_kill(pidfd);
        gone = process_await_exit(pidfd, KILL_MS);
    }
    close(pidfd);
    if (!gone) {
        error_set(err, ETIMEDOUT, "the supervisor of \"%s\" does not die", name);
        return STOPPING_FAILED;
    }
    stopping_clear(name);
    return STOPPING_DONE;
}
