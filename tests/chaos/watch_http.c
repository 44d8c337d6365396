/* Through HTTP: the multipart stream of a browser, every JPEG decoded. */
#include "watch.h"

#include "common/clock.h"
#include "jpeg_gray.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RETRY_NS (20 * NS_PER_MS)
#define LOOK_MS 200
#define LINE_MAX_BYTES 1000
#define PART_MAX (8 << 20)

struct http {
    struct watch *watch;
    unsigned port;
    int fd;
    char buffer[1 << 16];
    size_t from, to; /* what of it is not read yet */
    uint8_t *part;   /* PART_MAX bytes */
    uint64_t last_frame;
    uint64_t pictures; /* of this connection */
    bool repeats;
    const char *query; /* "quality=90", or empty */
    struct jpeg_gray gray;
};

static bool open_connection(struct http *http)
{
    char request[300];
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)http->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    http->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    http->from = http->to = 0;
    http->last_frame = http->pictures = 0;
    int length = snprintf(request, sizeof request,
                          "GET /cameras/%s/stream.mjpeg?headers=length&info=1%s%s "
                          "HTTP/1.1\r\nHost: localhost\r\n\r\n",
                          http->watch->camera, http->query[0] ? "&" : "", http->query);
    return http->fd >= 0 && connect(http->fd, (struct sockaddr *)&to, sizeof to) == 0 &&
           send(http->fd, request, (size_t)length, MSG_NOSIGNAL) == length;
}

/* Reads some more.  False: the connection has ended. */
static bool fill(struct http *http)
{
    struct pollfd wait = {.fd = http->fd, .events = POLLIN};
    while (poll(&wait, 1, LOOK_MS) <= 0)
        watch_tick(http->watch);
    ssize_t n = read(http->fd, http->buffer, sizeof http->buffer);
    http->from = 0;
    http->to = n > 0 ? (size_t)n : 0;
    return n > 0;
}

static bool read_line(struct http *http, char line[LINE_MAX_BYTES])
{
    for (size_t used = 0; used < LINE_MAX_BYTES;) {
        if (http->from == http->to && !fill(http))
            return false;
        char c = http->buffer[http->from++];
        if (c == '\n') {
            line[used > 0 && line[used - 1] == '\r' ? used - 1 : used] = '\0';
            return true;
        }
        line[used++] = c;
    }
    watch_fault(http->watch, "http: a line of more than %d bytes", LINE_MAX_BYTES);
}

static bool read_bytes(struct http *http, size_t size)
{
    for (size_t done = 0, step; done < size; done += step) {
        if (http->from == http->to && !fill(http))
            return false;
        step = http->to - http->from < size - done ? http->to - http->from : size - done;
        memcpy(http->part + done, http->buffer + http->from, step);
        http->from += step;
    }
    return true;
}

static bool read_status(struct http *http)
{
    char line[LINE_MAX_BYTES];
    if (!read_line(http, line))
        return false;
    if (strncmp(line, "HTTP/1.1 200 ", 13) != 0)
        watch_fault(http->watch, "http: %s", line);
    do
        if (!read_line(http, line))
            return false;
    while (line[0]);
    return true;
}

/* Part's header up to its empty line.  A placeholder has no frame number. */
static bool read_head(struct http *http, size_t *length, uint64_t *frame)
{
    char line[LINE_MAX_BYTES];
    bool named = false;
    *length = *frame = 0;
    for (;;) {
        if (!read_line(http, line))
            return false;
        if (strncmp(line, "--", 2) == 0)
            named = true;
        else if (strncasecmp(line, "Content-Length: ", 16) == 0)
            *length = strtoul(line + 16, NULL, 10);
        else if (strncasecmp(line, "X-Frame: ", 9) == 0)
            *frame = strtoull(line + 9, NULL, 10);
        else if (!line[0] && named)
            break;
        else if (line[0] && !named)
            watch_fault(http->watch, "http: \"%s\" where a boundary should be", line);
    }
    if (*length == 0 || *length > PART_MAX)
        watch_fault(http->watch, "http: a part of %zu bytes", *length);
    return true;
}

static void check(struct http *http, size_t length, uint64_t frame)
{
    struct watch *watch = http->watch;
    unsigned long long n = frame;
    uint16_t code;
    if (!jpeg_gray_decode(http->part, length, &http->gray))
        watch_fault(watch, "torn: the JPEG of frame %llu: %s", n, http->gray.fault);
    if (frame == 0)
        return; /* "no signal" */
    if (frame < http->last_frame || (frame == http->last_frame && !http->repeats))
        watch_fault(watch, "http: frame %llu comes after frame %llu", n,
                    (unsigned long long)http->last_frame);
    http->last_frame = frame;
    if (http->gray.width != watch->width || http->gray.height != watch->height)
        watch_fault(watch, "http: frame %llu is %ux%u", n, http->gray.width, http->gray.height);
    if (!testcam_read_code(watch->cam, http->gray.pixels, http->gray.width, &code))
        watch_fault(watch, "torn: the JPEG of frame %llu has no valid number", n);
    int64_t number = testcam_unwrap(code, testcam_number(watch->cam, clock_now()));
    if (!testcam_check_jpeg(watch->cam, number, http->gray.pixels))
        watch_fault(watch, "torn: the JPEG of frame %llu is not picture %lld", n,
                    (long long)number);
    /* A new connection begins with the newest picture, had before or not. */
    watch_picture(watch, number, http->repeats || http->pictures++ == 0);
}

void watch_http(struct watch *watch, unsigned port, const char *const *words)
{
    static struct http http; /* large */
    http = (struct http){.watch = watch, .port = port, .query = ""};
    for (; *words; words++) {
        http.repeats |= strcmp(*words, "repeats") == 0;
        if (strncmp(*words, "quality=", 8) == 0)
            http.query = *words;
    }
    http.part = malloc(PART_MAX);
    if (!http.part)
        watch_fault(watch, "out of memory");
    for (;; watch->restarts++) {
        size_t length;
        uint64_t frame;
        bool open = open_connection(&http) && read_status(&http);
        while (open && read_head(&http, &length, &frame) && read_bytes(&http, length))
            check(&http, length, frame);
        if (http.fd >= 0)
            close(http.fd);
        watch_pause(watch, RETRY_NS);
    }
}
