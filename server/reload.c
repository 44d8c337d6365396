#include "server/reload.h"

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

#define SETTLE_US 50000 /* who replaces one file often replaces another right after it */
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
    struct reload_target target;
    struct identity identity[2];
    void *loaded; /* by the job that is under way */
    char *faults;
    bool changed;
};

struct reload {
    /* first: a job is its reload. While it is under way the items are the worker's */
    struct worker_job job;
    struct worker *worker;
    int inotify;
    struct event *readable, *settled;
    bool busy, again;
    unsigned items;
    struct item item[RELOAD_MAX];
    unsigned watches;
    int watch[WATCHES_MAX];
};

/* ---- watching ---- */

struct watching {
    struct reload *reload;
    unsigned count;
    int watch[WATCHES_MAX];
};

static void watch(struct watching *watching, const char *path)
{
    int number = inotify_add_watch(watching->reload->inotify, *path ? path : "/", EVENTS);
    if (number >= 0 && watching->count < WATCHES_MAX)
        watching->watch[watching->count++] = number;
}

/* Puts what the link at `way`, whose name begins behind `parent`, stands for in the place of it.
 * `rest` follows the link. False: too long or gone. */
static bool follow(char way[PATH_MAX], size_t parent, const char *rest)
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

/* Watches every folder in which a change would lead `path` to another file, and the file, which may
 * be changed from behind a mount. */
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
            watch(watching, way);
        if (!there || link || last) {
            char kept = way[slash];
            way[slash] = '\0';
            watch(watching, way);
            way[slash] = kept;
        }
        if (!there || (last && !link))
            return;
        if (!link) {
            way[end] = '/';
            slash = end;
        } else if (follow(way, slash, rest)) {
            slash = 0;
            links++;
        } else {
            return;
        }
    }
}

static void watch_all(struct reload *reload)
{
    struct watching now = {.reload = reload};
    for (unsigned i = 0; i < reload->items; i++)
        for (unsigned j = 0; j < 2; j++)
            if (reload->item[i].target.path[j][0])
                watch_way(&now, reload->item[i].target.path[j]);
    for (unsigned i = 0; i < reload->watches; i++) {
        bool kept = false;
        for (unsigned j = 0; j < now.count; j++)
            kept = kept || now.watch[j] == reload->watch[i];
        if (!kept)
            inotify_rm_watch(reload->inotify, reload->watch[i]);
    }
    memcpy(reload->watch, now.watch, sizeof now.watch);
    reload->watches = now.count;
}

/* ---- loading ---- */

static struct identity identify(const char *path)
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

static bool is_same(const struct identity *a, const struct identity *b)
{
    return a->failure == b->failure && a->device == b->device && a->inode == b->inode &&
           a->size == b->size && same_time(a->modified, b->modified) &&
           same_time(a->changed, b->changed);
}

/* The identity is taken before the content is read: what changes in between is seen at the next
 * look. */
static void look(struct item *item)
{
    item->changed = false;
    for (unsigned i = 0; i < 2; i++) {
        struct identity now = identify(item->target.path[i]);
        item->changed = item->changed || !is_same(&now, &item->identity[i]);
        item->identity[i] = now;
    }
}

static void load(struct item *item)
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

static void run(struct worker_job *job)
{
    struct reload *reload = (struct reload *)job;
    watch_all(reload);
    for (unsigned i = 0; i < reload->items; i++) {
        look(&reload->item[i]);
        if (reload->item[i].changed)
            load(&reload->item[i]);
    }
}

static void say_faults(const struct item *item)
{
    unsigned lines = 0;
    char *rest = NULL, *line = item->faults ? strtok_r(item->faults, "\n", &rest) : NULL;
    for (; line && lines < FAULTS_SHOWN; line = strtok_r(NULL, "\n", &rest), lines++)
        log_error("%s", line);
}

/* True if there is something new. */
static bool finish(struct item *item)
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

static void begin(struct reload *reload)
{
    reload->busy = true;
    reload->again = false;
    worker_post(reload->worker, &reload->job);
}

static void done(struct worker_job *job)
{
    struct reload *reload = (struct reload *)job;
    reload->busy = false;
    for (unsigned i = 0; i < reload->items; i++) {
        if (!reload->item[i].changed)
            continue;
        if (finish(&reload->item[i]))
            log_info("%s: read again", reload->item[i].target.name);
        else
            log_error("%s: those from before stay", reload->item[i].target.name);
    }
    if (reload->again)
        begin(reload);
}

/* ---- events ---- */

static void on_settled(int fd, short what, void *arg)
{
    struct reload *reload = arg;
    (void)fd;
    (void)what;
    loop_begin("changed files");
    if (reload->busy)
        reload->again = true;
    else
        begin(reload);
}

static void on_readable(int fd, short what, void *arg)
{
    struct reload *reload = arg;
    char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    (void)what;
    loop_begin("inotify");
    while (read(fd, events, sizeof events) > 0)
        ;
    if (!event_pending(reload->settled, EV_TIMEOUT, NULL))
        event_add(reload->settled, &(struct timeval){.tv_usec = SETTLE_US});
}

struct reload *reload_create(struct event_base *base, struct worker *worker)
{
    struct reload *reload = calloc(1, sizeof *reload);
    if (!reload || (reload->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) < 0)
        fatal("can't watch files: %s", strerror(errno));
    reload->job = (struct worker_job){.run = run, .done = done};
    reload->worker = worker;
    reload->readable = event_new(base, reload->inotify, EV_READ | EV_PERSIST, on_readable, reload);
    reload->settled = evtimer_new(base, on_settled, reload);
    if (!reload->readable || !reload->settled || event_add(reload->readable, NULL) < 0)
        fatal("can't watch files");
    return reload;
}

void reload_destroy(struct reload *reload)
{
    event_free(reload->readable);
    event_free(reload->settled);
    close(reload->inotify);
    free(reload);
}

void reload_add(struct reload *reload, const struct reload_target *target)
{
    if (reload->items == RELOAD_MAX)
        fatal("too many kinds of files to watch");
    struct item *item = &reload->item[reload->items++];
    item->target = *target;
    watch_all(reload);
    look(item);
    load(item);
    finish(item);
}
