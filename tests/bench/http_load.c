/* http_load PORT PATH CLIENTS SETTLE SECONDS: many viewers in one process, and what they got.
 *
 * Connects CLIENTS viewers, waits until each has a picture and SETTLE seconds more, says "begin",
 * and judges the pictures that are published in the SECONDS from then to the moment it says "end".
 * Then, when the late ones have had their time, a line of JSON: published          pictures, by
 * their numbers least, median      the share of them that the client with the fewest, and the
 * median one, got p50_ms, p99_ms     from published to the last byte received, over all pictures of
 * all clients worst_p50_ms       the median of the client that has the highest commit_p99_ms from
 * committed in the ring (as ?info=1 tells it) to the last byte received; null: not told lost
 * clients whose connection ended It costs little, so that it can stand beside the server: what
 * needs no look is thrown away in the kernel. */
#include "clip.h"
#include "push_parser.h"

#include "common/clock.h"
#include "common/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 256
#define PEEK_BYTES 1024      /* enough for a head and a stamp */
#define READ_BYTES (1 << 18) /* of parts whose length isn't known */
#define CONNECTING_MAX 50    /* at once: no server's backlog overflows */
#define CONNECT_NS (30 * NS_PER_S)
#define LATE_NS NS_PER_S /* a picture published in the last moment has so long */
#define FPS_MAX 130      /* room for so many samples a second */

struct client {
    int fd; /* -1: over */
    bool served;
    struct parser parser;
    uint64_t number; /* of the newest picture */
    unsigned got;
    int32_t *age_us, *commit_us; /* of the pictures that count */
};

static struct client *client;
static unsigned clients, opened, served, lost, room;
static int epoll;
/* pictures published in between count */
static int64_t begin_ns = CLOCK_NEVER, end_ns = CLOCK_NEVER;
static uint64_t first_number = UINT64_MAX, last_number;
static bool commits = true;
static unsigned port;
static char request[1024];

/* ---- pictures ---- */

/* By the header's own clock, the wall's; -1: it doesn't say. */
static int64_t commit_age_us(const struct parser *parser)
{
    double stamp = parser_number(parser, "X-Timestamp", -1),
           captured = parser_number(parser, "X-Age-Captured", -1);
    double committed = parser_number(parser, "X-Age-Committed", -1);
    if (stamp < 0 || captured < 0 || committed < 0)
        return -1;
    return (int64_t)(clock_read_ns(CLOCK_REALTIME) / 1e3 - (stamp + captured - committed) * 1e6);
}

static void on_picture(struct client *of)
{
    struct clip_stamp stamp;
    int64_t now = clock_now();
    if (!clip_read(of->parser.start, &stamp))
        return; /* drawn by the server itself */
    if (!of->served)
        served++;
    of->served = true;
    if (stamp.number <= of->number)
        return;
    of->number = stamp.number;
    if (stamp.published_ns < begin_ns || stamp.published_ns >= end_ns || of->got == room)
        return;
    first_number = stamp.number < first_number ? stamp.number : first_number;
    last_number = stamp.number > last_number ? stamp.number : last_number;
    int64_t commit_us = commits ? commit_age_us(&of->parser) : -1;
    commits = commit_us >= 0;
    of->commit_us[of->got] = (int32_t)commit_us;
    of->age_us[of->got++] = (int32_t)((now - stamp.published_ns) / NS_PER_US);
}

/* ---- connections ---- */

static void end_client(struct client *of)
{
    close(of->fd);
    of->fd = -1;
    lost++;
}

/* False: it can't be understood. */
static bool feed(struct client *of, const char *data, size_t size)
{
    while (size > 0) {
        ptrdiff_t n = parser_feed(&of->parser, data, size);
        if (n < 0)
            return false;
        if (of->parser.done)
            on_picture(of);
        data += n;
        size -= (size_t)n;
    }
    return true;
}

/* Edge-triggered: until the socket gives less than was asked for. */
static void on_input(struct client *of)
{
    static char data[READ_BYTES];
    for (;;) {
        size_t skip = parser_may_skip(&of->parser);
        bool unmeasured = of->parser.state == PARSER_BODY && !of->parser.measured;
        size_t want = skip > 0 ? skip : unmeasured ? sizeof data : PEEK_BYTES;
        ssize_t n = recv(of->fd, data, want, skip > 0 ? MSG_TRUNC : 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n > 0 && skip > 0) {
            parser_skip(&of->parser, (size_t)n);
            if (of->parser.done)
                on_picture(of);
        } else if (n <= 0 || !feed(of, data, (size_t)n)) {
            end_client(of);
            return;
        }
        if ((size_t)n < want)
            return;
    }
}

static void open_client(struct client *of)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    of->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (of->fd < 0 || connect(of->fd, (struct sockaddr *)&to, sizeof to) < 0)
        fatal("client %u can't connect: %s", opened, strerror(errno));
    if (send(of->fd, request, strlen(request), MSG_NOSIGNAL) < 0)
        fatal("client %u can't ask: %s", opened, strerror(errno));
    of->age_us = calloc(room, sizeof *of->age_us);
    of->commit_us = calloc(room, sizeof *of->commit_us);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = of};
    if (!of->age_us || !of->commit_us || epoll_ctl(epoll, EPOLL_CTL_ADD, of->fd, &event) < 0)
        fatal("no memory for client %u", opened);
    opened++;
}

static void turn(int64_t until_ns)
{
    struct epoll_event event[EVENTS];
    int64_t left = until_ns - clock_now();
    int n = epoll_wait(epoll, event, EVENTS, left > 0 ? (int)(left / NS_PER_MS) + 1 : 0);
    for (int i = 0; i < n; i++) {
        struct client *of = event[i].data.ptr;
        if (of->fd >= 0)
            on_input(of);
    }
}

static void run_until(int64_t ns)
{
    while (clock_now() < ns)
        turn(ns);
}

/* A few at a time, as the server gets round to them. */
static void connect_all(void)
{
    int64_t limit = clock_now() + CONNECT_NS;
    while (served < clients && clock_now() < limit && lost < clients) {
        while (opened < clients && opened < served + lost + CONNECTING_MAX)
            open_client(&client[opened]);
        turn(limit);
    }
    if (served == 0)
        fatal("no client got a picture");
}

/* ---- the account ---- */

static int by_number(const void *a, const void *b)
{
    const int32_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Sorts.  In ms; -1: there is none. */
static double quantile(int32_t *us, size_t count, double q)
{
    if (count == 0)
        return -1;
    qsort(us, count, sizeof *us, by_number);
    return us[(size_t)((double)(count - 1) * q)] / 1e3;
}

static size_t collect(int32_t *all, bool commit)
{
    size_t count = 0;
    for (unsigned i = 0; i < opened; i++) {
        for (unsigned k = 0; k < client[i].got; k++)
            all[count++] = commit ? client[i].commit_us[k] : client[i].age_us[k];
    }
    return count;
}

static void report(void)
{
    uint64_t published = last_number >= first_number ? last_number - first_number + 1 : 0;
    int32_t *all = calloc((size_t)room * clients, sizeof *all), *got = calloc(clients, sizeof *got);
    double worst = -1;
    if (!all || !got)
        fatal("out of memory");
    size_t count = collect(all, false);
    double p50 = quantile(all, count, 0.5), p99 = quantile(all, count, 0.99);
    count = collect(all, true);
    double commit = quantile(all, count, 0.99);
    for (unsigned i = 0; i < opened; i++) {
        double median = quantile(client[i].age_us, client[i].got, 0.5);
        worst = median > worst ? median : worst;
        got[i] = (int32_t)client[i].got * 1000;
    }
    double least = quantile(got, clients, 0), median = quantile(got, clients, 0.5);
    printf("{\"clients\": %u, \"published\": %llu, \"least\": %.4f, \"median\": %.4f, \"p50_ms\": "
           "%.3f, \"p99_ms\": %.3f, "
           "\"worst_p50_ms\": %.3f, \"lost\": %u, ",
           clients, (unsigned long long)published, published ? least / (double)published : 0,
           published ? median / (double)published : 0, p50, p99, worst, lost);
    if (commits && count > 0)
        printf("\"commit_p99_ms\": %.3f}\n", commit);
    else
        puts("\"commit_p99_ms\": null}");
    free(all);
    free(got);
}

static void say(const char *text)
{
    puts(text);
    fflush(stdout);
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < clients + 10)
        fatal("%u clients need more descriptors than there may be: %llu", clients,
              (unsigned long long)limit.rlim_cur);
}

int main(int argc, char **argv)
{
    if (argc != 6)
        fatal("usage: http_load PORT PATH CLIENTS SETTLE SECONDS");
    port = (unsigned)strtoul(argv[1], NULL, 10);
    clients = (unsigned)strtoul(argv[3], NULL, 10);
    double settle = strtod(argv[4], NULL), seconds = strtod(argv[5], NULL);
    snprintf(request, sizeof request,
             "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: http_load\r\n\r\n", argv[2]);
    room = (unsigned)(seconds * FPS_MAX) + 1;
    client = calloc(clients, sizeof *client);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!client || epoll < 0)
        fatal("out of memory");
    raise_descriptor_limit();
    connect_all();
    run_until(clock_now() + (int64_t)(settle * 1e9));
    begin_ns = clock_now();
    say("begin");
    run_until(begin_ns + (int64_t)(seconds * 1e9));
    end_ns = clock_now();
    say("end");
    run_until(end_ns + LATE_NS);
    report();
    return 0;
}
