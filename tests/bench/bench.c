/* bench_SYSTEM writer|reader FOLDER NAME BYTES READERS MESSAGES WARMUP RATE
 *
 * The writer fills one message after the other, RATE in a second, each at its time, so that no
 * message waits for another; stamps it with the time it was full; and publishes it.  A reader
 * blocks until it has a message, reads its first and last bytes, and takes the time.  Both say
 * "ready" when they can begin; the writer begins, and ends, at a line on standard input. What they
 * found they write to standard output, as JSON.  The first WARMUP messages don't count. */
#include "bench.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S INT64_C(1000000000)
#define TIMEOUT_MS 3000 /* without a message: the last one was missed */

/* A message's first bytes. */
struct stamp {
    uint64_t number; /* from 0 */
    int64_t full_ns;
};

static struct bench_place place;
static unsigned messages, warmup, rate;

void bench_die(const char *format, ...)
{
    va_list args;
    fprintf(stderr, "%s: ", program_invocation_short_name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

int64_t bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static int64_t filling_ns; /* CPU time that filling messages took */

static int64_t thread_cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* Of all of the process's threads. */
static int64_t cpu_ns(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (int64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * NS_PER_S +
           (int64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000;
}

static void say(const char *text)
{
    puts(text);
    fflush(stdout);
}

static void await_line(void)
{
    char line[16];
    if (!fgets(line, sizeof line, stdin))
        exit(1);
}

static void sleep_until(int64_t ns)
{
    struct timespec t = {.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

static void write_one(uint64_t number)
{
    uint8_t *data = bench_system.loan();
    int64_t begin = thread_cpu_ns();
    memset(data + sizeof(struct stamp), (int)(number & 0xff), place.bytes - sizeof(struct stamp));
    filling_ns += thread_cpu_ns() - begin;
    struct stamp stamp = {.number = number, .full_ns = bench_now()};
    memcpy(data, &stamp, sizeof stamp);
    bench_system.publish();
}

static void run_writer(void)
{
    bench_system.writer_open(&place);
    say("ready");
    await_line();
    int64_t cpu = 0, start = bench_now() + NS_PER_S / rate;
    for (uint64_t i = 0; i < warmup + messages; i++) {
        sleep_until(start + (int64_t)i * NS_PER_S / rate);
        if (i == warmup) {
            cpu = cpu_ns();
            filling_ns = 0;
        }
        write_one(i);
    }
    printf("{\"cpu_ns\": %lld, \"filling_ns\": %lld}\n", (long long)(cpu_ns() - cpu),
           (long long)filling_ns);
    say("");
    await_line();
    bench_system.writer_close();
}

static int by_time(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void run_reader(void)
{
    int64_t *latency = calloc(messages, sizeof *latency), cpu = -1;
    unsigned got = 0, wrong = 0;
    bench_system.reader_open(&place);
    say("ready");
    for (uint64_t number = 0; number + 1 < warmup + messages;) {
        const volatile uint8_t *data = bench_system.take(TIMEOUT_MS);
        if (!data)
            break;
        struct stamp stamp;
        memcpy(&stamp, (const void *)(uintptr_t)data, sizeof stamp);
        uint8_t last = data[place.bytes - 1];
        int64_t now = bench_now();
        bench_system.give_back();
        number = stamp.number;
        wrong += last != (uint8_t)number;
        if (number < warmup || got == messages)
            continue;
        if (cpu < 0)
            cpu = cpu_ns();
        latency[got++] = now - stamp.full_ns;
    }
    cpu = cpu_ns() - cpu;
    qsort(latency, got, sizeof *latency, by_time);
    printf("{\"cpu_ns\": %lld, \"got\": %u, \"wrong\": %u, \"p50_ns\": %lld, \"p90_ns\": %lld}\n",
           (long long)cpu, got, wrong, got ? (long long)latency[got / 2] : -1,
           got ? (long long)latency[got * 9 / 10] : -1);
    say("");
    bench_system.reader_close();
    free(latency);
}

int main(int argc, char **argv)
{
    if (argc != 9)
        bench_die("writer|reader FOLDER NAME BYTES READERS MESSAGES WARMUP RATE");
    place.folder = argv[2];
    snprintf(place.name, sizeof place.name, "%s", argv[3]);
    place.bytes = strtoul(argv[4], NULL, 10);
    place.readers = (unsigned)strtoul(argv[5], NULL, 10);
    messages = (unsigned)strtoul(argv[6], NULL, 10);
    warmup = (unsigned)strtoul(argv[7], NULL, 10);
    rate = (unsigned)strtoul(argv[8], NULL, 10);
    if (place.bytes <= sizeof(struct stamp) || messages == 0 || rate == 0)
        bench_die("nothing to measure");
    prctl(PR_SET_TIMERSLACK, 1000UL);
    if (strcmp(argv[1], "writer") == 0)
        run_writer();
    else
        run_reader();
    return 0;
}
