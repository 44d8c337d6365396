/* bench.h: what a system has to do to be measured.  bench.c has main, the pace, the payload and the
 * figures, the same for all; a program is bench.c and one bench_SYSTEM.c. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bench_place {
    const char *folder; /* the run's own, for sockets */
    char name[24];      /* the run's own, for everything that needs a name */
    size_t bytes;       /* of a message */
    unsigned readers;
};

/* The functions die (bench_die) if they can't. */
struct bench_system {
    void (*writer_open)(const struct bench_place *place);
    uint8_t *(*loan)(void); /* room for one message */
    void (*publish)(void);  /* the last loan */
    void (*writer_close)(void);
    void (*reader_open)(const struct bench_place *place);
    /* blocks; the newest message, which stays until give_back; NULL: time is up */
    const uint8_t *(*take)(int timeout_ms);
    void (*give_back)(void);
    void (*reader_close)(void);
};

extern const struct bench_system bench_system;

void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
int64_t bench_now(void);

#endif
