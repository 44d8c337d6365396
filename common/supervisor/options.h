/* options.h: what the command line of `camring` says. */
#ifndef CAMRING_OPTIONS_H
#define CAMRING_OPTIONS_H

#include <stdbool.h>

struct options {
    const char *config;   /* -c; NULL: the default */
    const char *instance; /* --instance; NULL: the file's */
    const char *lines;    /* -n; NULL: not given */
    bool json, debug, verbose, no_wait, watch, follow, help;
    int count; /* arguments that are not options */
    char **arguments;
    char **argv; /* all that the program was called with */
};

#endif
