/* options.h: what the command line of `camring` says. */
#ifndef CAMRING_OPTIONS_H
#define CAMRING_OPTIONS_H

#include <stdbool.h>

struct options {
    const char *config;   /* -c; NULL: the default */
    const char *instance; /* --instance; NULL: the file's */
    /* as given on the command line; NULL: not given */
    const char *lines, *output, *jobs, *every;
    bool json, debug, verbose, no_wait, watch, follow, all, help;
    int count; /* arguments that are not options */
    char **arguments;
    char **argv; /* all that the program was called with */
};

#endif
