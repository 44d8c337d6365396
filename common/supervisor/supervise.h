/* supervise.h: runs one instance: takes its lock, starts all processes, and in the end removes all
 * that it has made. */
#ifndef CAMRING_SUPERVISE_H
#define CAMRING_SUPERVISE_H

#include "options.h"

#include "common/conf.h"

struct supervise {
    const struct conf *conf;
    const char *config_path; /* absolute, or "-" */
    /* the log file, for `camring status`; NULL: the instance stays in the foreground */
    const char *log_path;
    /* in the background: what becomes standard error once the set-up has succeeded */
    int log_fd;
    /* the command line: needed to read the configuration again and to re-execute the program */
    const struct options *options;
    /* a descriptor that gets one line per URL once the servers accept, and is then closed; children
     * don't inherit it; -1: none */
    int url_fd;
};

/* Runs until it is told to stop. Returns the exit status: 0 stopped in order, 1 the set-up failed
 * (the cause is on stderr). */
int supervise(const struct supervise *options);

#endif
