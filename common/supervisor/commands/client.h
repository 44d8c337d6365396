/* client.h: a command's end of the control socket. */
#ifndef CAMRING_CLIENT_H
#define CAMRING_CLIENT_H

#include "common/error.h"

#include <jansson.h>
#include <sys/types.h>

struct client;

/* Connects to the supervisor of `instance`; NULL with err. */
struct client *client_open(const char *instance, struct error *err);
void client_close(struct client *client);

/* the supervisor's process, from the kernel (SO_PEERCRED) */
pid_t client_pid(const struct client *client);
int client_fd(const struct client *client); /* readable when client_next may have something */

int client_send(struct client *client, const json_t *request, struct error *err); /* -1 with err */

enum client_result { CLIENT_GOT, CLIENT_LATER, CLIENT_GONE };

/* Returns the next object that the supervisor has sent, without waiting; *message is the caller's.
 */
enum client_result client_next(struct client *client, json_t **message);

/* How long client_ask waits for an answer; 5 s unless set. */
void client_set_patience(struct client *client, int seconds);

/* Sends one request and waits for its reply, within its patience; the reply is the caller's. NULL
 * with err: no reply, or the reply is {"error": TEXT}. */
json_t *client_ask(struct client *client, const json_t *request, struct error *err);

#endif
