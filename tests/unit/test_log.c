/* The log of an instance in the background: log.c on a full pipe, lines and what is folded of them,
 * the process that writes the files, and how they are read. */
#include "common/clock.h"
#include "common/log.h"
#include "common/process.h"
#include "common/supervisor/commands/log_fold.h"
#include "common/supervisor/commands/log_line.h"
#include "common/supervisor/commands/log_reader.h"
#include "common/supervisor/commands/logwriter.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define TIME "2026-01-31T12:00:00.000Z"

static char folder[64], path[96];

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/camring-test-log-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/t.log", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char name[128];
    for (unsigned n = 0; n < 10; n++) {
        snprintf(name, sizeof name, n ? "%s.%u" : "%s", path, n);
        unlink(name);
    }
    return rmdir(folder);
}

/* ---- lines ---- */

static struct log_line line_of(const char *text)
{
    struct log_line line;
    log_line_parse(&line, text, strlen(text));
    return line;
}

static void assert_formats(const char *line, const char *text, const char *json)
{
    char out[LOG_LINE_BYTES];
    struct log_line parsed = line_of(line);
    log_line_format(&parsed, false, out);
    assert_string_equal(out, text);
    log_line_format(&parsed, true, out);
    assert_string_equal(out, json);
}

static void lines_go_from_each_format_to_the_other(void **state)
{
    (void)state;
    static const char text[] = TIME " warn capture door: away: \"no\": it is there",
                      json[] = "{\"time\":\"" TIME "\",\"level\":\"warn\",\"process\":\"capture "
                               "door\",\"message\":\"away: \\\"no\\\": it is there\"}";
    assert_formats(text, text, json);
    assert_formats(json, text, json);
    struct log_line line = line_of(text);
    assert_false(line.json);
    assert_string_equal(line.process, "capture door");
    assert_true(line_of(json).json);
}

static void other_lines_have_only_a_message(void **state)
{
    (void)state;
    static const char *const others[] = {
        "",    "==1==ERROR: AddressSanitizer", TIME,           TIME " loud capture door: x",
        "{}x", TIME " warn nothing",           "{\"time\":3}", TIME " warn"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct log_line line = line_of(others[i]);
        assert_string_equal(line.time, "");
        assert_string_equal(line.message, others[i]);
    }
    assert_formats("plain \"text\"", "plain \"text\"", "{\"message\":\"plain \\\"text\\\"\"}");
    assert_formats("\xff!", "\xff!", "{\"message\":\"?!\"}");
}

static void a_message_that_is_too_long_is_cut(void **state)
{
    (void)state;
    char text[2 * LOG_LINE_BYTES] = TIME " info encoder 0: ", out[LOG_LINE_BYTES];
    memset(text + strlen(text), 1, LOG_LINE_BYTES);
    struct log_line line = line_of(text);
    log_line_format(&line, false, out);
    assert_memory_equal(out, text, 3000);
    log_line_format(&line, true, out);
    assert_non_null(strstr(out, "\"process\":\"encoder 0\",\"message\":\"\\u0001\\u0001"));
    assert_int_equal(out[strlen(out) - 1], '}');
}

static bool about(const char *rest, const char *camera)
{
    char text[256];
    snprintf(text, sizeof text, TIME " info %s", rest);
    struct log_line line = line_of(text);
    return log_line_about(&line, camera);
}

static void a_cameras_lines_are_known(void **state)
{
    (void)state;
    assert_true(about("capture door: live", "door"));
    assert_true(about("supervisor: camera door: added", "door"));
    assert_true(about("supervisor: capture door: process 3 died", "door"));
    assert_true(about("server 0: door: can't read pictures", "door"));
    assert_true(about("supervisor: reader 4 holds a frame of door.raw", "door"));
    assert_false(about("capture door-2: live", "door"));
    assert_false(about("capture backdoor: live", "door"));
    assert_false(about("server 0: the door: x", "door"));
    assert_false(about("capture yard: live, 640x480", "live"));
    assert_false(about("supervisor: reader 4 holds a frame of backdoor.raw", "door"));
    assert_false(about("supervisor: door. Closed", "door"));
    assert_false(about("encoder 0: x", "0"));
}

/* ---- repeats ---- */

static char written[4096];

static void note(const struct log_line *line, void *arg)
{
    (void)arg;
    char text[LOG_LINE_BYTES];
    log_line_format(line, line->json, text);
    assert_true(strlen(written) + strlen(text) + 2 < sizeof written);
    strcat(strcat(written, text), "\n");
}

static void say(struct log_fold *fold, const char *rest, int64_t now_s)
{
    char text[256];
    snprintf(text, sizeof text, "2026-01-31T12:%02d:%02d.000Z %s", (int)now_s / 60, (int)now_s % 60,
             rest);
    struct log_line line = line_of(text);
    if (log_fold_take(fold, &line, now_s * NS_PER_S, note, NULL))
        note(&line, NULL);
}

static void repeats_are_counted(void **state)
{
    (void)state;
    struct log_fold *fold = log_fold_create();
    written[0] = '\0';
    say(fold, "warn capture door: away", 0);
    say(fold, "warn capture yard: away", 1); /* disturbs nothing */
    for (int i = 2; i < 43; i++)
        say(fold, "warn capture door: away", i);
    assert_int_equal(log_fold_due(fold), 60 * NS_PER_S);
    say(fold, "info capture door: away", 50); /* another level is another line */
    say(fold, "info capture door: live", 51);
    log_fold_flush(fold, 52 * NS_PER_S, true, note, NULL);
    assert_string_equal(written,
                        "2026-01-31T12:00:00.000Z warn capture door: away\n"
                        "2026-01-31T12:00:01.000Z warn capture yard: away\n"
                        "2026-01-31T12:00:02.000Z warn capture door: away\n"
                        "2026-01-31T12:00:42.000Z warn capture door: last message repeated 40 "
                        "times\n"
                        "2026-01-31T12:00:50.000Z info capture door: away\n"
                        "2026-01-31T12:00:51.000Z info capture door: live\n");
    assert_int_equal(log_fold_due(fold), CLOCK_NEVER);
    log_fold_destroy(fold);
}

static void a_message_that_stays_is_written_each_minute(void **state)
{
    (void)state;
    struct log_fold *fold = log_fold_create();
    written[0] = '\0';
    for (int i = 0; i < 63; i++) {
        log_fold_flush(fold, i * NS_PER_S, false, note, NULL);
        say(fold, "warn log: x", i);
    }
    log_fold_flush(fold, 63 * NS_PER_S, true, note, NULL);
    assert_string_equal(written, "2026-01-31T12:00:00.000Z warn log: x\n"
                                 "2026-01-31T12:00:01.000Z warn log: x\n"
                                 "2026-01-31T12:00:59.000Z warn log: last message repeated 58 "
                                 "times\n"
                                 "2026-01-31T12:01:00.000Z warn log: x\n"
                                 "2026-01-31T12:01:01.000Z warn log: x\n"
                                 "2026-01-31T12:01:02.000Z warn log: last message repeated 1 "
                                 "time\n");
    log_fold_destroy(fold);
}

static void other_lines_are_never_folded(void **state)
{
    (void)state;
    struct log_fold *fold = log_fold_create();
    struct log_line line = line_of("    #0 0x55 in main");
    assert_true(log_fold_take(fold, &line, 0, note, NULL));
    assert_true(log_fold_take(fold, &line, 0, note, NULL));
    log_fold_destroy(fold);
}

static void more_processes_than_are_remembered(void **state)
{
    (void)state;
    struct log_fold *fold = log_fold_create();
    char text[64];
    written[0] = '\0';
    for (int i = 0; i < 3; i++)
        say(fold, "info first: x", 0);
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, TIME " info p%d: x", i);
        struct log_line line = line_of(text);
        assert_true(log_fold_take(fold, &line, 0, note, NULL));
    }
    assert_non_null(strstr(written, "first: last message repeated 1 time"));
    log_fold_destroy(fold);
}

/* ---- files ---- */

static void put(int fd, const char *line)
{
    assert_int_equal(write(fd, line, strlen(line)), strlen(line));
}

static void finish(struct logwriter *writer)
{
    close(writer->fd);
    writer->fd = -1;
    assert_true(process_await_exit(writer->pidfd, 20000));
    logwriter_close(writer);
}

static void wait_until_read(int fd)
{
    int left;
    while (ioctl(fd, FIONREAD, &left) == 0 && left > 0)
        sched_yield();
}

static struct logwriter start(size_t bytes, unsigned kept)
{
    struct logwriter writer;
    struct error err;
    assert_int_equal(logwriter_start(&writer, path, bytes, kept, &err), 0);
    return writer;
}

/* All lines that are there, as numbers; returns how many. */
static unsigned read_numbers(struct log_reader *reader, unsigned *first, unsigned *last)
{
    const char *text;
    size_t length;
    unsigned count = 0;
    while (log_reader_next(reader, &text, &length)) {
        char line[LOG_LINE_BYTES];
        assert_true(length < sizeof line);
        snprintf(line, sizeof line, "%.*s", (int)length, text);
        unsigned number = (unsigned)strtoul(line_of(line).message, NULL, 10);
        if (count++ == 0)
            *first = number;
        else
            assert_int_equal(number, *last + 1);
        *last = number;
    }
    return count;
}

static void put_numbers(int fd, unsigned first, unsigned end)
{
    char text[128];
    for (unsigned i = first; i < end; i++) {
        snprintf(text, sizeof text, TIME " info test: %u\n", i);
        put(fd, text);
    }
}

static void what_is_on_disk_is_bounded(void **state)
{
    (void)state;
    struct error err;
    struct stat stat_buffer;
    struct logwriter writer = start(10000, 3);
    put_numbers(writer.fd, 0, 3000);
    finish(&writer);
    char name[128];
    for (unsigned n = 0; n <= 3; n++) {
        snprintf(name, sizeof name, n ? "%s.%u" : "%s", path, n);
        assert_int_equal(stat(name, &stat_buffer), 0);
        assert_true(stat_buffer.st_size <= 10000);
    }
    snprintf(name, sizeof name, "%s.4", path);
    assert_int_not_equal(stat(name, &stat_buffer), 0);

    unsigned first = 0, last = 0;
    struct log_reader *reader = log_reader_open(path, &err);
    assert_non_null(reader);
    unsigned count = read_numbers(reader, &first, &last);
    assert_int_equal(last, 2999);
    assert_true(count > 300 && count == last - first + 1);
    log_reader_close(reader);
}

static void a_reader_follows_over_files(void **state)
{
    (void)state;
    struct error err;
    unsigned begin = 1, first = 1, last = 0, count = 0, next = 0;
    struct log_reader *reader = log_reader_open(path, &err);
    assert_int_equal(read_numbers(reader, &first, &last), 0); /* there is no file yet */
    struct logwriter writer = start(1000, LOGWRITER_KEPT);
    while (count < 500) {
        put_numbers(writer.fd, next, next + 10); /* fewer than one file has */
        next += 10;
        while (count < next) {
            assert_int_equal(log_reader_wait(reader, &err), 0);
            count += read_numbers(reader, &begin, &last);
            if (count > 0 && begin == 0)
                first = begin;
        }
    }
    assert_int_equal(first, 0);
    assert_int_equal(last, 499);
    finish(&writer);
    log_reader_close(reader);
}

static void a_reader_that_is_far_behind_skips_files(void **state)
{
    (void)state;
    struct error err;
    unsigned first = 0, last = 0;
    struct logwriter writer = start(1000, LOGWRITER_KEPT);
    put_numbers(writer.fd, 0, 10);
    finish(&writer);
    struct log_reader *reader = log_reader_open(path, &err);
    assert_int_equal(read_numbers(reader, &first, &last), 10);
    writer = start(1000, LOGWRITER_KEPT);
    put_numbers(writer.fd, 10, 1000);
    finish(&writer);
    assert_true(read_numbers(reader, &first, &last) > 0);
    assert_true(first > 10 && last == 999);
    log_reader_close(reader);
}

static void a_file_that_is_removed_is_made_anew(void **state)
{
    (void)state;
    struct error err;
    unsigned first = 0, last = 0;
    struct logwriter writer = start(1000, 1);
    struct log_reader *reader = log_reader_open(path, &err);
    put_numbers(writer.fd, 0, 1);
    while (read_numbers(reader, &first, &last) == 0)
        log_reader_wait(reader, &err);
    unlink(path);
    put_numbers(writer.fd, 1, 2);
    while (read_numbers(reader, &first, &last) == 0)
        log_reader_wait(reader, &err);
    assert_int_equal(last, 1);
    assert_int_equal(access(path, F_OK), 0);
    finish(&writer);
    log_reader_close(reader);
}

static void the_writer_folds_and_keeps_what_is_torn(void **state)
{
    (void)state;
    char text[512] = "", line[128];
    struct logwriter writer = start(10000, 1);
    for (int i = 0; i < 5; i++)
        put(writer.fd, TIME " warn test: same\n");
    put(writer.fd, "a line that never ends");
    finish(&writer);
    FILE *file = fopen(path, "r");
    while (fgets(line, sizeof line, file))
        strcat(text, line);
    fclose(file);
    assert_string_equal(text, TIME " warn test: same\n" TIME
                                   " warn test: same\na line that never ends\n" TIME
                                   " warn test: last message repeated 3 times\n");
}

static void set_limit(const struct logwriter *writer, size_t bytes)
{
    char name[64], line[64];
    int pid = 0;
    snprintf(name, sizeof name, "/proc/self/fdinfo/%d", writer->pidfd);
    FILE *file = fopen(name, "r");
    while (fgets(line, sizeof line, file))
        sscanf(line, "Pid: %d", &pid);
    fclose(file);
    assert_true(pid > 0);
    const struct rlimit limit = {.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
    assert_int_equal(prlimit(pid, RLIMIT_FSIZE, &limit, NULL), 0);
}

/* What a full disk does is done by a limit on the size of files. */
static void lines_that_cannot_be_written_are_counted(void **state)
{
    (void)state;
    signal(SIGXFSZ, SIG_IGN); /* an error instead */
    struct logwriter writer = start(100000, 1);
    set_limit(&writer, 500);
    char text[128];
    const unsigned all = 200;
    for (unsigned i = 0; i < all; i++) {
        if (i == all - 1) {
            wait_until_read(writer.fd);
            set_limit(&writer, 100000);
        }
        snprintf(text, sizeof text, TIME " info test: %04u end\n", i);
        put(writer.fd, text);
        if (i % 10 == 0)
            wait_until_read(writer.fd); /* more than one batch */
    }
    finish(&writer);
    signal(SIGXFSZ, SIG_DFL);

    unsigned found = 0, lost = 0;
    FILE *file = fopen(path, "r");
    while (fgets(text, sizeof text, file)) {
        struct log_line line = line_of(text);
        if (strcmp(line.process, "log") == 0)
            lost += (unsigned)strtoul(line.message, NULL, 10);
        else
            found += strstr(text, " end\n") != NULL;
    }
    fclose(file);
    assert_true(found >= 10 && found < all / 2);
    assert_int_equal(found + lost, all);
}

static void no_folder_no_writer(void **state)
{
    (void)state;
    struct logwriter writer;
    struct error err;
    assert_int_equal(logwriter_start(&writer, "/nowhere/t.log", 1000, 1, &err), -1);
    assert_string_equal(err.text, "cannot open /nowhere/t.log: No such file or directory");
    assert_null(log_reader_open("/nowhere/t.log", &err));
}

/* ---- log.c ---- */

static void a_full_pipe_drops_lines_and_says_so(void **state)
{
    (void)state;
    int fds[2], before = dup(STDERR_FILENO);
    char text[65536];
    assert_int_equal(pipe2(fds, O_NONBLOCK | O_CLOEXEC), 0);
    dup2(fds[1], STDERR_FILENO);
    log_open("test", LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    while (write(fds[1], text, 4096) > 0)
        ;
    log_warn("first");
    log_warn("second");
    while (read(fds[0], text, sizeof text) > 0)
        ;
    log_warn("third");
    ssize_t n = read(fds[0], text, sizeof text - 1);
    dup2(before, STDERR_FILENO);
    close(before), close(fds[0]), close(fds[1]);
    assert_true(n > 0);
    text[n] = '\0';
    assert_null(strstr(text, "first"));
    assert_non_null(strstr(text, "warn test: 2 lines before this one were dropped"));
    assert_non_null(strstr(text, "warn test: third\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_go_from_each_format_to_the_other),
        cmocka_unit_test(other_lines_have_only_a_message),
        cmocka_unit_test(a_message_that_is_too_long_is_cut),
        cmocka_unit_test(a_cameras_lines_are_known),
        cmocka_unit_test(repeats_are_counted),
        cmocka_unit_test(a_message_that_stays_is_written_each_minute),
        cmocka_unit_test(other_lines_are_never_folded),
        cmocka_unit_test(more_processes_than_are_remembered),
        cmocka_unit_test_setup_teardown(what_is_on_disk_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reader_follows_over_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reader_that_is_far_behind_skips_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_is_removed_is_made_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_writer_folds_and_keeps_what_is_torn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lines_that_cannot_be_written_are_counted, set_up,
                                        tear_down),
        cmocka_unit_test(no_folder_no_writer),
        cmocka_unit_test(a_full_pipe_drops_lines_and_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
