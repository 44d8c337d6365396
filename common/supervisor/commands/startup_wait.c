#include "startup_wait.h"

#include "client.h"
#include "progress.h"

#include <poll.h>

/* Reads what has come from the supervisor. CLIENT_GONE: it has disconnected, or out of memory;
 * *done: every camera has settled. */
static enum client_result take_news(struct client *client, struct progress *progress, bool *done)
{
    json_t *message;
    enum client_result result = CLIENT_LATER;
    bool taken = true;
    while (taken && !*done && (result = client_next(client, &message)) == CLIENT_GOT) {
        if (json_object_get(message, "done"))
            *done = true;
        else
            taken = progress_update(progress, message);
        json_decref(message);
    }
    return taken ? result : CLIENT_GONE;
}

static enum startup_wait wait_for_cameras(struct client *client, struct progress *progress,
                                          int signals, struct error *err)
{
    bool done = false;
    for (;;) {
        if (take_news(client, progress, &done) == CLIENT_GONE && !done) {
            progress_erase(progress);
            error_set(err, 0, "the supervisor has ended");
            return STARTUP_WAIT_FAILED;
        }
        if (done)
            break;
        progress_draw(progress);
        struct pollfd fds[] = {{.fd = client_fd(client), .events = POLLIN},
                               {.fd = signals, .events = POLLIN}};
        poll(fds, 2, progress_interval(progress));
        if (fds[1].revents) {
            progress_erase(progress);
            return STARTUP_WAIT_CANCELLED;
        }
    }
    progress_erase(progress);
    return progress_summary(progress) ? STARTUP_WAIT_LIVE : STARTUP_WAIT_NOT_LIVE;
}

enum startup_wait startup_wait_run(const char *instance, int signals, bool quiet, struct error *err)
{
    enum startup_wait result = STARTUP_WAIT_FAILED;
    struct client *client = client_open(instance, err);
    struct progress *progress = progress_create(quiet);
    json_t *request = json_pack("{s:s}", "command", "wait");
    if (!progress || !request)
        error_set(err, 0, "out of memory");
    else if (client && client_send(client, request, err) == 0)
        result = wait_for_cameras(client, progress, signals, err);
    json_decref(request);
    progress_destroy(progress);
    client_close(client);
    return result;
}
