/* loop.h: the event loop, its heartbeat and the watch over slow callbacks.
 *
 * Every callback of this program first says its name with loop_begin.  While a callback runs, the
 * heartbeat on the board holds a deadline by which it must be done; while the process waits for
 * events there is no deadline, so an idle server needs no timer to show that it is alive. */
#ifndef SERVER_LOOP_H
#define SERVER_LOOP_H

#include "common/board.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

/* Creates the one event base of this process; fatal on failure.  With `debug`, callbacks of over
 * 100 ms are logged by name. */
struct event_base *loop_open(struct board_child *child, bool debug);
void loop_close(void);

/* `what` is a string literal: the callback that begins now. */
void loop_begin(const char *what);

/* The monotonic time at the beginning of this callback or of the last loop_renew, without a system
 * call. A callback that serves many clients renews it between them. */
int64_t loop_now(void);
int64_t loop_renew(void);

/* Runs until loop_stop. */
void loop_run(void);
void loop_stop(void);

#endif
