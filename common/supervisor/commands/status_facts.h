/* status_facts.h: what is known of a running instance: what its supervisor says, with what the
 * rings, the board and /proc say about the flow of pictures and the processes.  Those are looked
 * into from here, so that nothing the supervisor does takes longer for it. */
#ifndef CAMRING_STATUS_FACTS_H
#define CAMRING_STATUS_FACTS_H

#include "common/error.h"

#include <jansson.h>
#include <stdbool.h>

struct status_facts;

/* NULL: out of memory. */
struct status_facts *status_facts_create(const char *instance);
void status_facts_destroy(struct status_facts *facts);

/* What `camring status --json` prints; the caller's.  Processor time is counted since the last
 * call, at first since each process started.  Waits for the supervisor for `patience_s` seconds at
 * most.  NULL with err; *not_running: there is no supervisor. */
json_t *status_facts_take(struct status_facts *facts, int patience_s, bool *not_running,
                          struct error *err);

/* True if every camera is as it should be: fresh, or a file played to its end. */
bool status_facts_fine(const json_t *status);

#endif
