#include "logwriter.h"

#include "log_fold.h"

#include "common/clock.h"
#include "common/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PIPE_BYTES (1 << 20) /* a wish: the system may allow a user less */
#define FINISH_MS 3000
#define BATCH_BYTES (64 << 10)
#define INPUT_BYTES (32 << 10) /* a longer line is cut into several */

struct output {
    char path[PATH_MAX];
    size_t bytes; /* of a file, at most */
    unsigned kept;
    int file;
    uint64_t lost; /* lines that could not be written, and that no line in a file tells of */
    bool torn;     /* the last line was written only in part */
    char batch[BATCH_BYTES];
    size_t used;
    /* the batch has a line that tells of so many lost lines, and that ends there; 0: it has not */
    uint64_t told;
    size_t told_end;
};

/* ---- files ---- */

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
}

/* Renames FILE.2 to FILE.3 and so on, and starts a new FILE.  If that fails, FILE is emptied, so
 * that the size on disk stays bounded. */
static void logwriter_rotate(struct output *output)
{
    char from[PATH_MAX + 16], to[PATH_MAX + 16];
    for (unsigned n = output->kept; n > 0; n--) {
        snprintf(from, sizeof from, n > 1 ? "%s.%u" : "%s", output->path, n - 1);
        snprintf(to, sizeof to, "%s.%u", output->path, n);
        rename(from, to);
    }
    int file = open_file(output->path);
    struct stat stat;
    if (file < 0 || fstat(file, &stat) != 0 || stat.st_size > 0) {
        if (ftruncate(output->file, 0) != 0)
            output->lost++;
        if (file >= 0)
            close(file);
        return;
    }
    close(output->file);
    output->file = file;
}

/* Makes sure that `length` bytes fit into the file, and that it has not been removed. */
static void make_room(struct output *output, size_t length)
{
    struct stat stat;
    if (fstat(output->file, &stat) != 0)
        return;
    if (stat.st_nlink == 0) {
        int file = open_file(output->path);
        if (file >= 0) {
            close(output->file);
            output->file = file;
        }
    } else if ((size_t)stat.st_size + length > output->bytes) {
        logwriter_rotate(output);
    }
}

static unsigned count_lines(const char *text, size_t length)
{
    unsigned lines = 0;
    for (size_t i = 0; i < length; i++)
        lines += text[i] == '\n';
    return lines;
}

/* Lines from the first one that was not written completely are lost. */
static void note_written(struct output *output, size_t written)
{
    size_t rest = output->used - written;
    output->lost += count_lines(output->batch + written, rest);
    if (rest > 0 && written > 0)
        output->torn = output->batch[written - 1] != '\n';
    if (output->told && written >= output->told_end)
        output->lost -= output->told;
    else if (output->told)
        output->lost--; /* the line that tells of them is none of them */
    output->used = output->told = 0;
}

static void write_out(struct output *output)
{
    if (output->used == 0)
        return;
    make_room(output, output->used);
    if (output->torn && write(output->file, "\n", 1) == 1)
        output->torn = false;
    ssize_t written = output->torn ? -1 : write(output->file, output->batch, output->used);
    note_written(output, written > 0 ? (size_t)written : 0);
}

static void add_text(struct output *output, const char *text, size_t length)
{
    size_t most = output->bytes < sizeof output->batch ? output->bytes : sizeof output->batch;
    if (output->used + length + 1 > most)
        write_out(output);
    memcpy(output->batch + output->used, text, length);
    output->batch[output->used + length] = '\n';
    output->used += length + 1;
}

static void writer_add_line(const struct log_line *line, void *arg)
{
    char text[LOG_LINE_BYTES];
    log_line_format(line, line->json, text);
    add_text(arg, text, strlen(text));
}

/* Adds a line that says how many were lost, with the time and format of `like`. */
static void add_loss(struct output *output, const struct log_line *like)
{
    struct log_line line = *like;
    if (output->lost == 0 || output->told > 0)
        return;
    snprintf(line.level, sizeof line.level, "warn");
    snprintf(line.process, sizeof line.process, "log");
    snprintf(line.message, sizeof line.message, "%llu lines before this could not be written",
             (unsigned long long)output->lost);
    writer_add_line(&line, output);
    output->told = output->lost;
    output->told_end = output->used;
}

/* ---- lines ---- */

struct input {
    int pipe;
    char text[INPUT_BYTES];
    size_t used;
};

static void writer_take_line(struct log_fold *fold, struct output *output, const char *text,
                             size_t length)
{
    struct log_line line;
    log_line_parse(&line, text, length);
    if (line.time[0])
        add_loss(output, &line);
    if (log_fold_take(fold, &line, clock_now(), writer_add_line, output))
        add_text(output, text, length);
}

/* Takes all whole lines.  A full buffer without a newline is also taken as a line, and at the `end`
 * what is left. */
static void take_lines(struct input *input, struct log_fold *fold, struct output *output, bool end)
{
    char *text = input->text, *stop = text + input->used, *new_line;
    while (text < stop && (new_line = memchr(text, '\n', (size_t)(stop - text)))) {
        writer_take_line(fold, output, text, (size_t)(new_line - text));
        text = new_line + 1;
    }
    size_t rest = (size_t)(stop - text);
    if (rest > 0 && (end || rest == sizeof input->text)) {
        writer_take_line(fold, output, text, rest);
        rest = 0;
    }
    memmove(input->text, text, rest);
    input->used = rest;
}

/* False at the end. */
static bool read_some(struct input *input, struct log_fold *fold)
{
    struct pollfd wait = {.fd = input->pipe, .events = POLLIN};
    int64_t due = log_fold_due(fold), left = due - clock_now();
    int timeout = due == CLOCK_NEVER ? -1 : left > 0 ? (int)(left / NS_PER_MS) + 1 : 0;
    if (poll(&wait, 1, timeout) <= 0)
        return true;
    ssize_t n = read(input->pipe, input->text + input->used, sizeof input->text - input->used);
    if (n > 0)
        input->used += (size_t)n;
    return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

static void logwriter_run(struct output *output, int pipe)
{
    static struct input input;
    struct log_fold *fold = log_fold_create();
    input.pipe = pipe;
    bool more = fold != NULL;
    while (more) {
        more = read_some(&input, fold);
        take_lines(&input, fold, output, !more);
        log_fold_flush(fold, clock_now(), !more, writer_add_line, output);
        write_out(output);
    }
    log_fold_destroy(fold);
}

/* ---- the process ---- */

/* Lets go of everything that was inherited: terminal, working directory, descriptors. */
static void become_writer(struct output *output, int in)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    setsid();
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int kept[] = {fcntl(in, F_DUPFD, 64), fcntl(output->file, F_DUPFD, 64)};
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
    dup2(kept[0], STDERR_FILENO + 1);
    dup2(kept[1], STDERR_FILENO + 2);
    syscall(SYS_close_range, STDERR_FILENO + 3, ~0U, 0);
    output->file = STDERR_FILENO + 2;
    if (chdir("/") != 0)
        _exit(1);
    prctl(PR_SET_NAME, "camring-log");
    logwriter_run(output, STDERR_FILENO + 1);
    _exit(0);
}

int logwriter_start(struct logwriter *writer, const char *path, size_t bytes, unsigned kept,
                    struct error *err)
{
    static struct output output;
    output = (struct output){.bytes = bytes, .kept = kept, .file = open_file(path)};
    int pipe_fds[2] = {-1, -1};
    snprintf(output.path, sizeof output.path, "%s", path);
    *writer = (struct logwriter){.fd = -1, .pidfd = -1};
    if (output.file < 0) {
        error_set(err, errno, "cannot open %s: %s", path, strerror(errno));
        return -1;
    }
    fflush(NULL);
    pid_t pid = pipe2(pipe_fds, O_CLOEXEC) == 0 ? fork() : -1;
    if (pid == 0)
        become_writer(&output, pipe_fds[0]);
    if (pid > 0)
        writer->pidfd = process_pidfd(pid);
    if (writer->pidfd >= 0) {
        fcntl(pipe_fds[1], F_SETPIPE_SZ, PIPE_BYTES);
        fcntl(pipe_fds[1], F_SETFL, O_NONBLOCK);
        writer->fd = pipe_fds[1];
    } else {
        error_set(err, errno, "cannot start the log's writer: %s", strerror(errno));
        close(pipe_fds[1]);
    }
    close(pipe_fds[0]);
    close(output.file);
    return writer->fd >= 0 ? 0 : -1;
}

void logwriter_close(struct logwriter *writer)
{
    if (writer->fd >= 0)
        close(writer->fd);
    if (writer->pidfd >= 0)
        close(writer->pidfd);
    *writer = (struct logwriter){.fd = -1, .pidfd = -1};
}

void logwriter_finish(struct logwriter *writer)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null >= 0)
        dup2(null, STDERR_FILENO);
    close(null);
    close(writer->fd);
    writer->fd = -1;
    process_await_exit(writer->pidfd, FINISH_MS);
    logwriter_close(writer);
}
