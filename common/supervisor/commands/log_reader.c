#include "log_reader.h"

#include "logwriter.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_BYTES (64 << 10) /* a longer line is cut into several */

struct log_reader {
    char path[PATH_MAX];
    int inotify;
    int file;      /* -1: none was found yet */
    int number;    /* the file's number when it was last looked up; 0 is FILE itself */
    bool is_ended; /* it was already renamed when its end was reached: nothing will be added */
    char text[TEXT_BYTES];
    size_t begin, end; /* of the bytes in `text` that are not taken yet */
};

/* FILE for 0, FILE.1 and so on for older ones. */
static void reader_file_name(const struct log_reader *reader, unsigned n,
                             char out[static PATH_MAX + 16])
{
    snprintf(out, PATH_MAX + 16, n ? "%s.%u" : "%s", reader->path, n);
}

static int open_numbered(const struct log_reader *reader, unsigned n)
{
    char path[PATH_MAX + 16];
    reader_file_name(reader, n, path);
    return open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

/* The current number of the file that is being read; -1: it has been removed. */
static int find_number(const struct log_reader *reader)
{
    struct stat mine, other;
    if (fstat(reader->file, &mine) != 0)
        return -1;
    for (unsigned n = 0; n <= LOGWRITER_KEPT; n++) {
        char path[PATH_MAX + 16];
        reader_file_name(reader, n, path);
        if (stat(path, &other) == 0 && other.st_dev == mine.st_dev && other.st_ino == mine.st_ino)
            return (int)n;
    }
    return -1;
}

/* Switches to the file with that number; false if there is none. */
static bool read_from(struct log_reader *reader, int number)
{
    int file = open_numbered(reader, (unsigned)number);
    if (file < 0)
        return false;
    if (reader->file >= 0)
        close(reader->file);
    reader->file = file;
    reader->number = number;
    reader->is_ended = false;
    return true;
}

static bool read_from_oldest(struct log_reader *reader)
{
    for (int number = LOGWRITER_KEPT; number >= 0; number--)
        if (read_from(reader, number))
            return true;
    return false;
}

/* Called at the end of a file.  True: try again, in the same file or in the next one, which is open
 * now.  A file that has been renamed is read to its end once more, because lines may have been
 * added between the last read and the renaming. */
static bool reader_next_file(struct log_reader *reader)
{
    if (reader->file < 0)
        return read_from_oldest(reader);
    int number = find_number(reader);
    if (number == 0)
        return false;
    if (!reader->is_ended) {
        reader->is_ended = true;
        return true;
    }
    if (number < 0) /* it was the oldest and has been replaced, or a user has removed it */
        return reader->number == LOGWRITER_KEPT ? read_from_oldest(reader) : read_from(reader, 0);
    reader->number = number;
    int next = open_numbered(reader, (unsigned)number - 1);
    if (next < 0) /* the log writer is about to create it; that is an event */
        return false;
    if (find_number(reader) == number) {
        close(reader->file);
        reader->file = next;
        reader->number = number - 1;
        reader->is_ended = false;
    } else {
        close(next); /* the files have been renamed meanwhile: try again */
    }
    return true;
}

struct log_reader *log_reader_open(const char *path, struct error *err)
{
    char folder[PATH_MAX];
    struct log_reader *reader = calloc(1, sizeof *reader);
    if (!reader) {
        error_set(err, ENOMEM, "out of memory");
        return NULL;
    }
    snprintf(reader->path, sizeof reader->path, "%s", path);
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = '\0';
    reader->file = -1;
    reader->inotify = inotify_init1(IN_CLOEXEC);
    if (reader->inotify >= 0 &&
        inotify_add_watch(reader->inotify, folder, IN_MODIFY | IN_CREATE | IN_MOVED_TO) >= 0)
        return reader;
    error_set(err, errno, "cannot watch %s: %s", folder, strerror(errno));
    log_reader_close(reader);
    return NULL;
}

void log_reader_close(struct log_reader *reader)
{
    if (!reader)
        return;
    if (reader->file >= 0)
        close(reader->file);
    if (reader->inotify >= 0)
        close(reader->inotify);
    free(reader);
}

/* Takes a line out of `text`.  Not `whole`: a rest without a newline is taken, too; a full buffer
 * always is. */
static bool reader_take_line(struct log_reader *reader, bool whole, const char **line,
                             size_t *length)
{
    char *begin = reader->text + reader->begin;
    size_t used = reader->end - reader->begin;
    char *new_line = used ? memchr(begin, '\n', used) : NULL;
    if (!new_line && (used == 0 || (whole && used < sizeof reader->text)))
        return false;
    *line = begin;
    *length = new_line ? (size_t)(new_line - begin) : used;
    reader->begin += *length + (new_line != NULL);
    return true;
}

bool log_reader_next(struct log_reader *reader, const char **line, size_t *length)
{
    while (!reader_take_line(reader, true, line, length)) {
        memmove(reader->text, reader->text + reader->begin, reader->end - reader->begin);
        reader->end -= reader->begin;
        reader->begin = 0;
        ssize_t n = reader->file < 0 ? 0
                                     : read(reader->file, reader->text + reader->end,
                                            sizeof reader->text - reader->end);
        if (n > 0) {
            reader->end += (size_t)n;
            continue;
        }
        if (reader->is_ended && reader_take_line(reader, false, line, length))
            return true;
        if (!reader_next_file(reader))
            return false;
    }
    return true;
}

int log_reader_wait(struct log_reader *reader, struct error *err)
{
    char events[4096] __attribute__((aligned(8)));
    ssize_t n;
    do
        n = read(reader->inotify, events, sizeof events);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        error_set(err, errno, "cannot wait for the log: %s", strerror(errno));
    return n < 0 ? -1 : 0;
}
