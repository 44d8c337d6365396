/* request.h: what can be asked of a running supervisor through its control socket.
 *
 *   {"command": "status"}                  cameras, processes, URLs; see request.c
 *   {"command": "wait"}                    one line per camera now and on each change, and
 *                                          {"done": true} once all have settled
 *   {"command": "restart", "camera": ID}   {"ok": true}
 *   {"command": "restart"}                 as reexec_check answers; then the supervisor begins anew
 *   {"command": "reload"}                  what reload.h says, once it is done
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
    const struct listen_set *listen;
    struct children *children;
    int64_t started_ns;
    bool serving; /* every server accepts connections, or has once */
    void (*stop)(void *arg);
    void (*reload)(struct control_client *client, void *arg);
    json_t *(*begin_anew)(void *arg); /* NULL: it is in the background */
    void *arg;
};

/* A control_handler's `answer`; `arg` is a struct request_context. */
json_t *request_answer(struct control_client *client, const json_t *request, void *arg);

/* Sends a camera's new state to the clients of the "wait" command. */
void request_camera_changed(const struct request_context *context, struct control *control,
                            const struct camera_place *camera);

#endif
