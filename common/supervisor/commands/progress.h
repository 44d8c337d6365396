/* progress.h: shows how cameras start: a line with a spinner for each on a terminal, nothing when
 * piped; then a summary. */
#ifndef CAMRING_PROGRESS_H
#define CAMRING_PROGRESS_H

#include <jansson.h>
#include <stdbool.h>

struct progress;

/* `quiet`: prints nothing. NULL: out of memory. */
struct progress *progress_create(bool quiet);
void progress_destroy(struct progress *progress);

/* Adds or updates a camera, from its description as the supervisor sends it. False: out of memory.
 */
bool progress_update(struct progress *progress, const json_t *camera);

/* How long to wait before the next progress_draw, in ms; -1: there is nothing to draw. */
int progress_interval(const struct progress *progress);
void progress_draw(struct progress *progress);
void progress_erase(struct progress *progress);

/* Prints the outcomes, each failure with its cause.  True if every camera is live. */
bool progress_summary(const struct progress *progress);

#endif
