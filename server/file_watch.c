#include "server/file_watch.h"

#include "common/log.h"
#include "server/loop.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

/* a certificate and its key, say, are often replaced one right after the other */
#define SETTLE_US 50000
#define LINKS_MAX 40
#define WATCHES_MAX 64
#define FAULTS_SHOWN 5 /* lines */
#define EVENTS                                                                                     \
    (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB |            \
     IN_DELETE_SELF | IN_MOVE_SELF)

/* Which file stands at a path, and in what state. */
struct identity {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
    int failure; /* errno */
};

struct item {
    struct file_watch_target target;
    struct identity identity[2];
    void *loaded; /* by the job that is under way */
    char *faults;
    bool changed;
};

struct file_watch {
    /* first: a job is its file_watch. While it is under way the items are the worker's */
    struct worker_job job;
    struct worker *worker;
    int inotify;
    struct event *readable, *settled;
    bool busy, again;
    unsigned items;
    struct item item[FILE_WATCH_MAX];
    unsigned watches;
    int watch[WATCHES_MAX];
};

/* ---- watching ---- */

struct watching {
    struct file_watch *files;
    unsigned count;
    int watch[WATCHES_MAX];
};

static void file_watch_add_path(struct watching *watching, const char *path)
{
    int number = inotify_add_watch(watching->files->inotify, *path ? path : "/", EVENTS);
    if (number >= 0 && watching->count < WATCHES_MAX)
        watching->watch[watching->count++] = number;
}

/* Replaces the symbolic link at the end of `way` (its name begins after the first `parent` bytes)
 * by its target, and appends `rest`, the remaining path. False: too long, or the link is gone. */
static bool resolve_link(char way[PATH_MAX], size_t parent, const char *rest)
{
    char target[PATH_MAX], joined[PATH_MAX];
    ssize_t length = readlink(way, target, sizeof target - 1);
    if (length <= 0)
        return false;
    target[length] = '\0';
    int used = target[0] == '/'
                   ? snprintf(joined, sizeof joined, "%s%s", target, rest)
                   : snprintf(joined, sizeof joined, "%.*s/%s%s", (int)parent, way, target, rest);
    if (used < 0 || (size_t)used >= sizeof joined)
        return false;
    memcpy(way, joined, (size_t)used + 1);
    return true;
}

/* Watches every folder in which a change would make `path` name another file, and the file itself,
 * which may be changed through another mount. */
static void watch_way(struct watching *watching, const char *path)
{
    char way[PATH_MAX], rest[PATH_MAX];
    size_t slash = 0;
    snprintf(way, sizeof way, "%s", path);
    for (unsigned links = 0; links < LINKS_MAX;) {
        struct stat stat;
        size_t end = slash + 1 + strcspn(way + slash + 1, "/");
        bool last = way[end] == '\0';
        snprintf(rest, sizeof rest, "%s", way + end);
        way[end] = '\0';
        bool there = lstat(way, &stat) == 0, link = there && S_ISLNK(stat.st_mode);
        if (last && there && !link)
            file_watch_add_path(watching, way);
        if (!there || link || last) {
            char kept = way[slash];
            way[slash] = '\0';
            file_watch_add_path(watching, way);
            way[slash] = kept;
        }
        if (!there || (last && !link))
            return;
        if (!link) {
            way[end] = '/';
            slash = end;
        } else if (resolve_link(way, slash, rest)) {
            slash = 0;
            links++;
        } else {
            return;
        }
    }
}

static void watch_all(struct file_watch *files)
{
    struct watching now = {.files = files};
    for (unsigned i = 0; i < files->items; i++)
        for (unsigned j = 0; j < 2; j++)
            if (files->item[i].target.path[j][0])
                watch_way(&now, files->item[i].target.path[j]);
    for (unsigned i = 0; i < files->watches; i++) {
        bool kept = false;
        for (unsigned j = 0; j < now.count; j++)
            kept = kept || now.watch[j] == files->watch[i];
        if (!kept)
            inotify_rm_watch(files->inotify, files->watch[i]);
    }
    memcpy(files->watch, now.watch, sizeof now.watch);
    files->watches = now.count;
}

/* ---- loading ---- */

static struct identity identify_file(const char *path)
{
    struct stat stat_;
    if (!*path)
        return (struct identity){0};
    if (stat(path, &stat_) < 0)
        return (struct identity){.failure = errno};
    return (struct identity){.device = stat_.st_dev,
                             .inode = stat_.st_ino,
                             .size = stat_.st_size,
                             .modified = stat_.st_mtim,
                             .changed = stat_.st_ctim};
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool file_watch_is_same(const struct identity *a, const struct identity *b)
{
    return a->failure == b->failure && a->device == b->device && a->inode == b->inode &&
           a->size == b->size && same_time(a->modified, b->modified) &&
           same_time(a->changed, b->changed);
}

/* The identity is read before the content: a change in between is noticed by the next check. */
static void file_watch_look(struct item *item)
{
    item->changed = false;
    for (unsigned i = 0; i < 2; i++) {
        struct identity now = identify_file(item->target.path[i]);
        item->changed = item->changed || !file_watch_is_same(&now, &item->identity[i]);
        item->identity[i] = now;
    }
}

static void file_watch_load(struct item *item)
{
    size_t size;
    item->faults = NULL;
    item->loaded = NULL;
    FILE *faults = open_memstream(&item->faults, &size);
    if (!faults)
        return;
    item->loaded = item->target.load(item->target.arg, faults);
    fclose(faults);
}

static void file_watch_run(struct worker_job *job)
{
    struct file_watch *files = (struct file_watch *)job;
    watch_all(files);
    for (unsigned i = 0; i < files->items; i++) {
        file_watch_look(&files->item[i]);
        if (files->item[i].changed)
            file_watch_load(&files->item[i]);
    }
}

static void say_faults(const struct item *item)
{
    unsigned lines = 0;
    char *rest = NULL, *line = item->faults ? strtok_r(item->faults, "\n", &rest) : NULL;
    for (; line && lines < FAULTS_SHOWN; line = strtok_r(NULL, "\n", &rest), lines++)
        log_error("%s", line);
}

/* True if a file has changed. */
static bool file_watch_finish(struct item *item)
{
    bool loaded = item->loaded != NULL;
    if (loaded)
        item->target.apply(item->target.arg, item->loaded);
    else
        say_faults(item);
    free(item->faults);
    item->faults = NULL;
    item->loaded = NULL;
    return loaded;
}

static void file_watch_begin(struct file_watch *files)
{
    files->busy = true;
    files->again = false;
    worker_post(files->worker, &files->job);
}

static void file_watch_done(struct worker_job *job)
{
    struct file_watch *files = (struct file_watch *)job;
    files->busy = false;
    for (unsigned i = 0; i < files->items; i++) {
        if (!files->item[i].changed)
            continue;
        if (file_watch_finish(&files->item[i]))
            log_info("%s: read again", files->item[i].target.name);
        else
            log_error("%s: those from before stay", files->item[i].target.name);
    }
    if (files->again)
        file_watch_begin(files);
}

/* ---- events ---- */

static void on_settled(int fd, short what, void *arg)
{
    struct file_watch *files = arg;
    (void)fd;
    (void)what;
    loop_begin("changed files");
    if (files->busy)
        files->again = true;
    else
        file_watch_begin(files);
}

static void file_watch_on_readable(int fd, short what, void *arg)
{
    struct file_watch *files = arg;
    char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    (void)what;
    loop_begin("inotify");
    while (read(fd, events, sizeof events) > 0)
        ;
    if (!event_pending(files->settled, EV_TIMEOUT, NULL))
        event_add(files->settled, &(struct timeval){.tv_usec = SETTLE_US});
}

struct file_watch *file_watch_create(struct event_base *base, struct worker *worker)
{
    struct file_watch *files = calloc(1, sizeof *files);
    if (!files || (files->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) < 0)
        fatal("can't watch files: %s", strerror(errno));
    files->job = (struct worker_job){.run = file_watch_run, .done = file_watch_done};
    files->worker = worker;
    files->readable =
        event_new(base, files->inotify, EV_READ | EV_PERSIST, file_watch_on_readable, files);
    files->settled = evtimer_new(base, on_settled, files);
    if (!files->readable || !files->settled || event_add(files->readable, NULL) < 0)
        fatal("can't watch files");
    return files;
}

void file_watch_destroy(struct file_watch *files)
{
    event_free(files->readable);
    event_free(files->settled);
    close(files->inotify);
    free(files);
}

void file_watch_add(struct file_watch *files, const struct file_watch_target *target)
{
    if (files->items == FILE_WATCH_MAX)
        fatal("too many kinds of files to watch");
    struct item *item = &files->item[files->items++];
    item->target = *target;
    watch_all(files);
    file_watch_look(item);
    file_watch_load(item);
    file_watch_finish(item);
}
