/* exits.h: exit statuses of `camring`, as users' scripts know them. */
#ifndef CAMRING_EXITS_H
#define CAMRING_EXITS_H

enum exits {
    EXIT_DONE = 0,
    EXIT_FAILED = 1, /* the cause is on stderr */
    EXIT_USAGE = 2,
    EXIT_NOT_RUNNING = 3,
    EXIT_CONFIG = 4,
    /* it runs, but not every camera is live (status, start), or not every picture was saved
     * (snapshot) */
    EXIT_NOT_LIVE = 5,
};

#endif
