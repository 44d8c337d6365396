/* supervise.h: one instance from its lock to its last unlink. */
#ifndef CAMRING_SUPERVISE_H
#define CAMRING_SUPERVISE_H

#include "options.h"

#include "common/conf.h"

struct supervise {
    const struct conf *conf;
    const char *config_path; /* absolute, or "-" */
    /* where standard error goes once set up; NULL: stays in the foreground */
    const char *log_path;
    /* what it was called with: to read the configuration again, and in the foreground to begin
     * anew */
    const struct options *options;
    /* gets a line per URL once the servers accept, and is closed then; children don't inherit it
     * */
    int url_fd;
};

/* Runs until told to stop.  Returns the exit status: 0 stopped in order, 1 could not be set up
 * (said why on stderr). */
int supervise(const struct supervise *options);

#endif
