/* request.h: the requests that a running supervisor answers on its control socket.
 *
 *   {"command": "status"}                  cameras, processes, URLs; see request.c
 *   {"command": "wait"}                    one line per camera now and on each change, and
 *                                          {"done": true} once all have settled
 *   {"command": "restart", "camera": ID}   {"ok": true}; restarts the camera's capture process
 *   {"command": "restart"}                 the answer of reexec_check; then the supervisor executes
 *                                          itself again
 *   {"command": "reload"}                  the result as in reload.h, once it is done
 *   {"command": "stop"}                    {"ok": true}; then the supervisor ends
 *
 * Anything else gets {"error": TEXT}. */
#ifndef CAMRING_REQUEST_H
#define CAMRING_REQUEST_H

#include "control.h"

#include "common/supervisor/children/children.h"

struct request_context {
    const char *instance;
    const char *config_path; /* absolute, or "-" */
    const char *log_path;    /* NULL: in the foreground */
    const struct listen_set *listen;
    struct children *children;
    int64_t started_ns;
    bool serving; /* every server accepts connections, or has once */
    void (*stop)(void *arg);
    void (*reload)(struct control_client *client, void *arg);
    /* restarts the supervisor (reexec.h); NULL: it runs in the background */
    json_t *(*reexec)(void *arg);
    void *arg;
};

/* A control_handler's `answer`; `arg` is a struct request_context. */
json_t *request_answer(struct control_client *client, const json_t *request, void *arg);

/* Sends a camera's new state to the clients of the "wait" command. */
void request_camera_changed(const struct request_context *context, struct control *control,
                            const struct camera_place *camera);

#endif
