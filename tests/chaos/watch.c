/* watch pin|copy INSTANCE CAMERA WIDTH HEIGHT FPS STALL [HOLD_MS]
 * watch program INSTANCE CAMERA WIDTH HEIGHT FPS STALL HOLD_MS STEP
 * watch http PORT CAMERA WIDTH HEIGHT FPS STALL [repeats] [quality=N] */
#include "watch.h"

#include "common/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAY_NS (500 * NS_PER_MS)

void watch_fault(const struct watch *watch, const char *format, ...)
{
    char what[600];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    printf("FAULT %s: %s\n", watch->camera, what);
    fflush(stdout);
    exit(1);
}

void watch_picture(struct watch *watch, int64_t number, bool again)
{
    int64_t now = clock_now();
    if (watch->frames > 0 && (again ? number < watch->last_number : number <= watch->last_number))
        watch_fault(watch, "picture %lld comes after picture %lld", (long long)number,
                    (long long)watch->last_number);
    if (testcam_number(watch->cam, now) - number > watch->stall_ns / NS_PER_S * watch->fps)
        watch_fault(watch, "picture %lld comes, and %lld is due", (long long)number,
                    (long long)testcam_number(watch->cam, now));
    watch->last_number = number;
    if (now - watch->last_ns > watch->gap_ns)
        watch->gap_ns = now - watch->last_ns;
    watch->last_ns = now;
    watch->frames++;
    watch_tick(watch);
}

void watch_tick(struct watch *watch)
{
    int64_t now = clock_now();
    if (now - watch->last_ns > watch->stall_ns)
        watch_fault(watch, "stalled: no picture for %.1f s after picture %lld",
                    (double)(now - watch->last_ns) / NS_PER_S, (long long)watch->last_number);
    if (now - watch->said_ns < SAY_NS)
        return;
    watch->said_ns = now;
    if (printf("frames %llu gap %lld restarts %llu\n", (unsigned long long)watch->frames,
               (long long)(watch->gap_ns / NS_PER_MS), (unsigned long long)watch->restarts) < 0 ||
        fflush(stdout) != 0)
        exit(0); /* nobody listens any more */
}

void watch_pause(struct watch *watch, int64_t ns)
{
    struct timespec wait = clock_timespec(ns);
    nanosleep(&wait, NULL);
    watch_tick(watch);
}

int main(int argc, char **argv)
{
    if (argc < 8)
        return 2;
    const char *how = argv[1], *where = argv[2];
    struct watch watch = {.camera = argv[3],
                          .width = (unsigned)atoi(argv[4]),
                          .height = (unsigned)atoi(argv[5]),
                          .fps = (unsigned)atoi(argv[6]),
                          .stall_ns = atoi(argv[7]) * NS_PER_S,
                          .last_ns = clock_now()};
    watch.cam = testcam_create(watch.width, watch.height, watch.fps);
    if (!watch.cam)
        return 1;
    if (strcmp(how, "http") == 0)
        watch_http(&watch, (unsigned)atoi(where), (const char *const *)argv + 8);
    else if (strcmp(how, "program") == 0 && argc > 9)
        watch_ring(&watch, where, false, atoi(argv[8]) * NS_PER_MS, argv[9]);
    else if (strcmp(how, "pin") == 0 || strcmp(how, "copy") == 0)
        watch_ring(&watch, where, strcmp(how, "copy") == 0,
                   argc > 8 ? atoi(argv[8]) * NS_PER_MS : 0, NULL);
    return 2;
}
