/* ticker.h: the wait of a program that repeats something at an interval until it is told to stop:
 * timer, signals, keys. */
#ifndef CAMRING_TICKER_H
#define CAMRING_TICKER_H

#include "error.h"

#include <stdbool.h>
#include <stdint.h>

struct ticker {
    int timer, signals;
    bool keys;
};

enum ticker_event {
    TICKER_TICK,    /* the interval is over */
    TICKER_RESIZED, /* the terminal has another size */
    TICKER_SUSPEND, /* Ctrl-Z: the caller puts the terminal in order and calls ticker_suspend */
    TICKER_STOP,    /* a signal that ends programs, or q */
};

/* Catches the signals from now on.  `keys`: q, or the end of standard input, stops.  -1 with err.
 */
int ticker_open(struct ticker *ticker, int64_t interval_ns, bool keys, struct error *err);
enum ticker_event ticker_wait(struct ticker *ticker);
void ticker_suspend(void); /* returns when the process is continued */
void ticker_close(struct ticker *ticker);

#endif
