#include "watched.h"

#include "common/clock.h"
#include "describe.h"
#include "print.h"
#include "reader.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double watched_fps(uint64_t frames, int64_t span_ns, int64_t looks_ns, int64_t age_ns,
                   double before, double in_ring)
{
    double most = age_ns > 0 ? (double)NS_PER_S / (double)age_ns : before;
    if (frames == 0 || span_ns <= 0) /* between two frames, or they have stopped */
        return in_ring <= 0 ? 0 : before < most ? before : most;
    double fps = (double)frames * NS_PER_S / (double)span_ns;
    bool stopped = age_ns > NS_PER_S && fps > 2 * most;
    return stopped && looks_ns > 0 ? (double)frames * NS_PER_S / (double)looks_ns : fps;
}

static void watched_measure(struct watched *watched, int64_t now)
{
    const struct ring_stat *stat = watched->stat;
    int64_t committed_ns = stat->head ? stat->newest.committed_ns : 0;
    bool goes_on = watched->looked_ns > 0 && watched->frame > 0 && stat->head >= watched->frame;
    watched->fps =
        goes_on ? watched_fps(stat->head - watched->frame, committed_ns - watched->committed_ns,
                              now - watched->looked_ns, stat->age_ns, watched->fps, stat->fps)
                : stat->fps;
    watched->frame = stat->head;
    watched->committed_ns = committed_ns;
    watched->looked_ns = now;
}

static void count_readers(struct watched *watched)
{
    const struct ring_stat *stat = watched->stat;
    watched->readers = reader_count(stat);
    watched->troubles = 0;
    watched->missed = 0;
    for (unsigned i = 0; i < stat->rows && i <= RING_MAX_ROWS; i++) {
        if (!reader_used(&stat->row[i]))
            continue;
        watched->missed += stat->row[i].missed;
        watched->troubles += reader_look(stat, &stat->row[i]).trouble;
    }
}

static void watched_sample(struct watched *watched, int64_t now)
{
    free(watched->stat);
    watched->stat = find_stat(&watched->ring, &watched->err);
    watched->gone = !watched->stat && watched->err.code == RING_ERROR_ABSENT;
    watched->seen = !watched->gone;
    if (watched->gone)
        return;
    watched->looks_gone = 0;
    watched->fps = watched->stat ? watched->fps : 0;
    if (watched->stat) {
        watched_measure(watched, now);
        count_readers(watched);
    }
    bool has_age = watched->stat && watched->stat->age_ns >= 0;
    spark_push(&watched->fps_series, watched->stat ? watched->fps : NAN);
    spark_push(&watched->age_series,
               has_age ? (double)watched->stat->age_ns / (double)NS_PER_S : NAN);
}

static void watched_lose(struct watched *watched)
{
    free(watched->stat);
    watched->stat = NULL;
    watched->gone = true;
    watched->looks_gone++;
    watched->looked_ns = 0;
    watched->fps = 0;
    watched->missed = watched->readers = watched->troubles = 0;
    spark_push(&watched->fps_series, NAN);
    spark_push(&watched->age_series, NAN);
}

static void *watched_not_null(void *memory)
{
    if (!memory) {
        print_fault("out of memory");
        exit(1);
    }
    return memory;
}

static int compare_rings(const struct find_ring *a, const struct find_ring *b)
{
    int order = strcmp(a->instance, b->instance);
    return order ? order : strcmp(a->name, b->name);
}

/* The entry of `ring`, added if there is none. */
static struct watched *watched_entry(struct watched_set *set, const struct find_ring *ring)
{
    size_t at = 0;
    while (at < set->count && compare_rings(&set->list[at]->ring, ring) < 0)
        at++;
    if (at < set->count && compare_rings(&set->list[at]->ring, ring) == 0)
        return set->list[at];
    struct watched *watched = watched_not_null(calloc(1, sizeof *watched));
    watched->ring = *ring;
    set->list = watched_not_null(reallocarray(set->list, set->count + 1, sizeof *set->list));
    memmove(set->list + at + 1, set->list + at, (set->count - at) * sizeof *set->list);
    set->list[at] = watched;
    set->count++;
    return watched;
}

static void watched_drop(struct watched *watched)
{
    free(watched->stat);
    free(watched);
}

void watched_look(struct watched_set *set, const char *instance, const char *wanted, unsigned keep)
{
    int64_t now = clock_now();
    struct find_set found = wanted ? find_some(instance, wanted) : find_all(instance);
    for (size_t i = 0; i < set->count; i++)
        set->list[i]->seen = false;
    for (size_t i = 0; i < found.count; i++)
        watched_sample(watched_entry(set, &found.ring[i]), now);
    find_free(&found);

    size_t kept = 0;
    for (size_t i = 0; i < set->count; i++) {
        struct watched *watched = set->list[i];
        if (!watched->seen)
            watched_lose(watched);
        if (watched->looks_gone <= keep)
            set->list[kept++] = watched;
        else
            watched_drop(watched);
    }
    set->count = kept;
}

void watched_free(struct watched_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        watched_drop(set->list[i]);
    free(set->list);
    *set = (struct watched_set){0};
}
