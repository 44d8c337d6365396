/* trial.h: tries the chains of a configuration, in a process of its own, before any of it is put to
 * use. */
#ifndef CAMRING_TRIAL_H
#define CAMRING_TRIAL_H

#include "common/conf.h"

#include <stdbool.h>
#include <stdio.h>

struct trial;

/* Of all cameras of `conf` that have a chain, but for those that one in `running` has as well
 * (NULL: none runs). Faults go to `faults` as "NAME:LINE:COL: message". All stay the caller's and
 * must outlive the trial. NULL: there is nothing to try, or no memory. */
struct trial *trial_create(const struct conf *conf, const struct conf *running, const char *name,
                           FILE *faults);
void trial_destroy(struct trial *trial); /* ends its process */

/* Something can be read there when trial_go_on should be called; another number after each call. */
int trial_fd(const struct trial *trial);

/* Clock time (clock.h) at which trial_go_on should be called at the latest. */
int64_t trial_deadline(const struct trial *trial);

/* Takes what has come, and begins with the next chain; never waits.  False: all have been tried. */
bool trial_go_on(struct trial *trial);

/* True if all have been tried, and none has a fault. */
bool trial_is_good(const struct trial *trial);

/* Waits for all of it.  True: no fault. */
bool trial_run(const struct conf *conf, const char *name, FILE *faults);

#endif
