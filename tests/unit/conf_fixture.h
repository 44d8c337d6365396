/* conf_fixture.h: loads a configuration from text, and says which faults it is to have. */
#ifndef CONF_FIXTURE_H
#define CONF_FIXTURE_H

#include "common/clock.h"
#include "common/conf.h"
#include "common/conf_private.h"
#include "common/scheme.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char *faults; /* of the last load */

static const char everything[] =
    "instance: two\n"
    "http:\n"
    "  listen: [\"127.0.0.1:8081\", \"[::1]:8082\", 'localhost:1', \"0.0.0.0:65535\"]\n"
    "  workers: 2\n"
    "  max_clients: 50\n"
    "  client_timeout: 1.5s\n"
    "  allow_open_bind: yes\n"
    "encoder: {workers: 3}\n"
    "restart: {burst: 7, window: 1m, max: 1h}\n"
    "shm: {max_bytes: 512M, reader_rows: 20}\n"
    "log: {level: debug, format: json}\n"
    "debug: true\n"
    "max_connecting: 4\n"
    "cameras:\n"
    "  door: RTSP://user:pa$$ss@10.0.0.5/ch0\n"
    "  yard:\n"
    "    source: http://10.0.0.6/video.mjpg\n"
    "    rtsp_transport: auto\n"
    "    max_size: 1920x1080\n"
    "    fps: 12.5\n"
    "    tls_verify: false\n"
    "    stall_timeout: 2\n"
    "    reconnect: {every: 1s, for: 0, max: 2m, jitter: 5}\n"
    "    jpeg: {quality: 91, passthrough: off}\n"
    "    offline: last\n"
    "  gate: \"file:/tmp/${CONF_TEST_NAME}.mp4?loop=1\"\n"
    "defaults:\n"
    "  offline: close\n"
    "  reconnect: {max: 20s}\n"
    "  jpeg:\n"
    "    quality: 50\n";

static inline struct conf *load_bytes(const char *text, size_t size)
{
    size_t length;
    free(faults);
    faults = NULL;
    FILE *stream = open_memstream(&faults, &length);
    char *exact = malloc(size + 1); /* so that ASan sees a read past the end */
    assert_non_null(exact);
    char *start = exact + 1;
    memcpy(start, text, size);
    struct conf *conf = conf_parse(start, size, "f", stream);
    free(exact);
    fclose(stream);
    assert_int_equal(conf == NULL, length > 0);
    return conf;
}

static inline struct conf *load(const char *text)
{
    return load_bytes(text, strlen(text));
}

static inline struct conf *load_good(const char *text)
{
    struct conf *conf = load(text);
    assert_string_equal(faults, "");
    return conf;
}

static inline void expect_faults(const char *text, const char *expected)
{
    struct conf *conf = load(text);
    assert_string_equal(faults, expected);
    assert_null(conf);
}

/* Exactly one fault, at that place, with those words. */
static inline void expect_fault(const char *text, const char *place, const char *words)
{
    struct conf *conf = load(text);
    assert_null(conf);
    if (strncmp(faults, place, strlen(place)) != 0 || !strstr(faults, words) ||
        strchr(faults, '\n')[1])
        fail_msg("expected one fault %s with \"%s\", got:\n%s", place, words, faults);
}

static inline void write_file(const char *path, const char *text, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static inline int teardown(void **state)
{
    (void)state;
    free(faults);
    return 0;
}

#endif
