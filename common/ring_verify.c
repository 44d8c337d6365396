/* ring_verify.c: what can be checked of a ring from outside.  See ring_verify.h, and ring_layout.h
 * for what is promised. */
#include "ring_verify.h"

#include "clock.h"
#include "process.h"
#include "ring_map.h"
#include "ring_slots.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PASSES 9             /* with pauses of 1, 2, 4 … 128 ms between them */
#define PASSES_FOR_REMAINS 6 /* enough if only what dead processes left is in doubt */
/* tries, at a ring whose generation or head changes during each */
#define PASS_TRIES 1000

struct pass {
    struct ring_ctl *ctl;
    struct ring_map *map;
    bool writer_alive;
    struct ring_findings *out;
};

const char *ring_fault_name(enum ring_fault fault)
{
    static const char *const names[] = {[RING_FAULT_UNREADABLE] = "unreadable",
                                        [RING_FAULT_OWNER] = "owner",
                                        [RING_FAULT_NAME] = "name",
                                        [RING_FAULT_MEMORY] = "memory",
                                        [RING_FAULT_LAYOUT] = "layout",
                                        [RING_FAULT_CLOSED] = "closed",
                                        [RING_FAULT_GENERATION] = "generation",
                                        [RING_FAULT_RETIRED] = "retired",
                                        [RING_FAULT_HEAD] = "head",
                                        [RING_FAULT_SEQUENCE] = "sequence",
                                        [RING_FAULT_DUPLICATE] = "duplicate",
                                        [RING_FAULT_DESCRIPTOR] = "descriptor",
                                        [RING_FAULT_PIN] = "pin",
                                        [RING_FAULT_ROW] = "row",
                                        [RING_FAULT_ACCOUNTS] = "accounts",
                                        [RING_FAULT_UNFINISHED] = "unfinished",
                                        [RING_FAULT_DEAD_READER] = "dead-reader"};
    return names[fault];
}

/* ---- findings ---- */

enum weight {
    CERTAIN, /* proven by this one pass */
    LASTING, /* a fault if every pass finds it */
    LEFT,    /* the same, but no fault: left by a dead process */
};

/* `value`: what must be the same in each pass. */
__attribute__((format(printf, 7, 8))) static void
add_finding(struct pass *pass, enum ring_fault fault, enum weight weight, uint64_t value,
            const char *what, uint64_t place, const char *format, ...)
{
    struct ring_findings *out = pass->out;
    if (out->count == RING_FINDINGS_MAX) {
        out->dropped++;
        return;
    }
    struct ring_finding *finding = &out->list[out->count++];
    *finding = (struct ring_finding){
        .fault = fault, .left = weight == LEFT, .certain = weight == CERTAIN, .value = value};
    if (what)
        snprintf(finding->where, sizeof finding->where, "%s %" PRIu64, what, place);
    va_list args;
    va_start(args, format);
    vsnprintf(finding->text, sizeof finding->text, format, args);
    va_end(args);
}

static bool is_same_finding(const struct ring_finding *a, const struct ring_finding *b)
{
    return a->fault == b->fault && strcmp(a->where, b->where) == 0 &&
           (a->value == b->value || a->certain || b->certain);
}

static bool has_finding(const struct ring_findings *findings, const struct ring_finding *finding)
{
    for (unsigned i = 0; i < findings->count; i++)
        if (is_same_finding(&findings->list[i], finding))
            return true;
    return false;
}

/* Keeps of `out` what is certain or in `next` as well, and adds what is certain in `next`. */
static void merge_findings(struct ring_findings *out, const struct ring_findings *next)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < out->count; i++)
        if (out->list[i].certain || has_finding(next, &out->list[i]))
            out->list[kept++] = out->list[i];
    out->count = kept;
    for (unsigned i = 0; i < next->count && out->count < RING_FINDINGS_MAX; i++)
        if (next->list[i].certain && !has_finding(out, &next->list[i]))
            out->list[out->count++] = next->list[i];
}

/* ---- objects ---- */

static void check_object(struct pass *pass, const struct stat *st, const char *what, uint64_t place)
{
    if (st->st_uid != geteuid() && st->st_uid != 0)
        add_finding(pass, RING_FAULT_OWNER, CERTAIN, 0, what, place, "belongs to user %u",
                    (unsigned)st->st_uid);
    if (st->st_mode & S_IWOTH)
        add_finding(pass, RING_FAULT_OWNER, CERTAIN, 0, what, place,
                    "any user may write it (mode %03o)", (unsigned)st->st_mode & 0777);
}

/* `weight`: CERTAIN where the object never changes in size. */
static void check_memory(struct pass *pass, const struct stat *st, uint64_t bytes,
                         enum weight weight, const char *what, uint64_t place)
{
    uint64_t allocated = (uint64_t)st->st_blocks * 512;
    if (allocated < bytes)
        add_finding(pass, RING_FAULT_MEMORY, weight, 0, what, place,
                    "has memory for %" PRIu64 " of the %" PRIu64 " bytes in use only", allocated,
                    bytes);
}

static bool is_linked(const struct ring_ctl *ctl, const char *path)
{
    struct stat by_fd, by_name;
    return fstat(ctl->fd, &by_fd) == 0 && lstat(path, &by_name) == 0 &&
           by_fd.st_ino == by_name.st_ino;
}

static void check_ctl(struct pass *pass, const char *instance, const char *name)
{
    const struct ring_ctl *ctl = pass->ctl;
    char own[RING_NAME_SIZE], path[RING_PATH_SIZE];
    struct stat st;
    if (fstat(ctl->fd, &st) == 0) {
        check_object(pass, &st, NULL, 0);
        check_memory(pass, &st, ctl->size, CERTAIN, NULL, 0);
    }
    snprintf(own, sizeof own, "%s.%s", ctl->camera, ctl->variant);
    if (strcmp(ctl->instance, instance) != 0 || strcmp(own, name) != 0)
        add_finding(pass, RING_FAULT_NAME, CERTAIN, 0, NULL, 0, "the header says %s of instance %s",
                    own, ctl->instance);
    if (ctl->header->unsupervised > 1)
        add_finding(pass, RING_FAULT_LAYOUT, CERTAIN, 0, NULL, 0, "unsupervised is %" PRIu32,
                    ctl->header->unsupervised);
    if (ctl->header->leased > 1)
        add_finding(pass, RING_FAULT_LAYOUT, CERTAIN, 0, NULL, 0, "leased is %" PRIu32,
                    ctl->header->leased);
    ring_path_ctl(path, instance, name);
    if (atomic_load(&ctl->header->closed) && is_linked(ctl, path))
        add_finding(pass, RING_FAULT_CLOSED, LASTING, 0, NULL, 0,
                    "its owner has closed it, and it is still there");
}

/* The number behind "camring.INSTANCE.CAMERA.VARIANT."; 0 if `file` is no generation of this ring.
 */
static uint32_t generation_of(const char *file, const char *prefix)
{
    size_t length = strlen(prefix);
    char *end, again[16];
    if (strncmp(file, prefix, length) != 0)
        return 0;
    unsigned long number = strtoul(file + length, &end, 10);
    if (number == 0 || number > UINT32_MAX)
        return 0;
    snprintf(again, sizeof again, "%lu", number);
    return strcmp(again, file + length) == 0 ? (uint32_t)number : 0;
}

static void check_linked(struct pass *pass, int directory, const char *file, uint32_t found,
                         uint32_t current)
{
    struct stat st;
    if (fstatat(directory, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    if (found > current + 1 || found + 1 < current)
        add_finding(pass, RING_FAULT_GENERATION, LASTING, 0, "generation", found,
                    "is linked, and the current one is %" PRIu32, current);
    else if (found != current && !pass->writer_alive)
        add_finding(pass, RING_FAULT_UNFINISHED, LEFT, 0, "generation", found,
                    "is linked beside the current one, %" PRIu32
                    ": the writer died as it changed over; the next one unlinks it",
                    current);
    check_object(pass, &st, "generation", found);
}

/* Between reading directory and ctl a writer may change generations: LASTING decides. */
static void check_generations(struct pass *pass, uint32_t current)
{
    const struct ring_ctl *ctl = pass->ctl;
    char prefix[RING_PATH_SIZE];
    snprintf(prefix, sizeof prefix, RING_PREFIX "%s.%s.%s.", ctl->instance, ctl->camera,
             ctl->variant);
    DIR *dir = opendir(RING_DIRECTORY);
    if (!dir)
        return;
    unsigned linked = 0;
    bool has_current = current == 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        uint32_t found = generation_of(entry->d_name, prefix);
        if (found == 0)
            continue;
        linked++;
        has_current |= found == current;
        check_linked(pass, dirfd(dir), entry->d_name, found, current);
    }
    closedir(dir);
    if (linked > 2)
        add_finding(pass, RING_FAULT_GENERATION, LASTING, linked, NULL, 0,
                    "%u generations are linked, of which two is the most", linked);
    if (!has_current)
        add_finding(pass, RING_FAULT_GENERATION, LASTING, 0, "generation", current,
                    "is the current one, and does not exist");
}

/* ---- data ---- */

static uint64_t verify_newest(const struct ring_map *map)
{
    return atomic_load_explicit(&map->header->head, memory_order_acquire) >> 8;
}

static uint64_t read_seq(const struct ring_map *map, uint32_t slot)
{
    return atomic_load_explicit(&map->slots[slot].seq, memory_order_acquire);
}

/* Slots come and go meanwhile: LASTING decides. */
static void check_slot_memory(struct pass *pass)
{
    const struct ring_map *map = pass->map;
    uint64_t bytes = ring_slots_bytes(map, ring_slots_count(pass->ctl, map));
    char path[RING_PATH_SIZE];
    struct stat st;
    ring_path_data(path, pass->ctl, map->generation);
    if (lstat(path, &st) == 0)
        check_memory(pass, &st, bytes, LASTING, "generation", map->generation);
}

static void check_header(struct pass *pass)
{
    const struct ring_data_header *header = pass->map->header;
    uint32_t state = atomic_load(&header->state);
    if (header->payload_offset % 4096 || header->slot_bytes % 4096)
        add_finding(pass, RING_FAULT_LAYOUT, CERTAIN, 0, NULL, 0,
                    "payloads at %" PRIu64 ", %" PRIu64 " bytes each, are not page-aligned",
                    header->payload_offset, header->slot_bytes);
    if (state == RING_RETIRED)
        add_finding(pass, RING_FAULT_RETIRED, CERTAIN, 0, "generation", pass->map->generation,
                    "is the current one, and marked retired");
    else if (state != RING_LIVE)
        add_finding(pass, RING_FAULT_LAYOUT, CERTAIN, 0, NULL, 0, "state is %" PRIu32, state);
}

/* A slot is not loaned while head names it: reading head, slot and the same head again proves a
 * fault. */
static void check_head(struct pass *pass)
{
    const struct ring_map *map = pass->map;
    for (int i = 0; i < PASS_TRIES; i++) {
        uint64_t head = atomic_load_explicit(&map->header->head, memory_order_acquire);
        uint64_t number = head >> 8;
        uint32_t slot = head & 0xff;
        if (number == 0 || slot == RING_NO_SLOT)
            return;
        if (slot >= map->slot_count) {
            add_finding(pass, RING_FAULT_HEAD, CERTAIN, 0, NULL, 0,
                        "names slot %" PRIu32 " of %" PRIu32, slot, map->slot_count);
            return;
        }
        uint64_t seq = read_seq(map, slot);
        if (atomic_load_explicit(&map->header->head, memory_order_acquire) != head)
            continue;
        if (seq == 2 * number && !ring_slots_exist(pass->ctl, map, slot))
            add_finding(pass, RING_FAULT_HEAD, LASTING, head, NULL, 0,
                        "names slot %" PRIu32 ", which has no memory", slot);
        else if (seq != 2 * number)
            add_finding(pass, RING_FAULT_HEAD, CERTAIN, 0, NULL, 0,
                        "names frame %" PRIu64 " in slot %" PRIu32
                        ", whose sequence number is %" PRIu64,
                        number, slot, seq);
        return;
    }
}

/* `seq` was read before head: frame n is stored when head is at n - 1, and head only rises. */
static void check_finished(struct pass *pass, uint32_t slot, uint64_t seq)
{
    const struct ring_map *map = pass->map;
    uint64_t number = seq / 2, head = verify_newest(map);
    struct ring_frame frame;
    if (number > head + 1)
        add_finding(pass, RING_FAULT_SEQUENCE, CERTAIN, 0, "slot", slot,
                    "holds frame %" PRIu64 ", and the newest is %" PRIu64, number, head);
    else if (number == head + 1 && !pass->writer_alive)
        add_finding(pass, RING_FAULT_UNFINISHED, LEFT, seq, "slot", slot,
                    "holds frame %" PRIu64
                    ", whose writer died before it published it; the next one clears it",
                    number);
    if (!ring_map_descriptor(map, slot, number, &frame))
        return;
    if (frame.number != number)
        add_finding(pass, RING_FAULT_DESCRIPTOR, CERTAIN, 0, "slot", slot,
                    "holds frame %" PRIu64 ", described as frame %" PRIu64, number, frame.number);
    else if (!ring_frame_valid(&frame, map->slot_bytes))
        add_finding(pass, RING_FAULT_DESCRIPTOR, CERTAIN, 0, "slot", slot,
                    "frame %" PRIu64 " is described as %" PRIu32 "x%" PRIu32 ", format %" PRIu32
                    ", %" PRIu32 " bytes, which no slot of %zu can hold",
                    number, frame.width, frame.height, frame.format, frame.bytes, map->slot_bytes);
}

/* Frame numbers never repeat and a cleared slot never gets its old one back, so the third load
 * proves that both held it at once. */
static void verify_duplicates(struct pass *pass, const uint64_t *seq)
{
    const struct ring_map *map = pass->map;
    for (uint32_t i = 0; i < map->slot_count; i++)
        for (uint32_t j = i + 1; seq[i] > 0 && !(seq[i] & 1) && j < map->slot_count; j++)
            if (seq[j] == seq[i] && read_seq(map, i) == seq[i])
                add_finding(pass, RING_FAULT_DUPLICATE, CERTAIN, 0, "slot", j,
                            "holds frame %" PRIu64 ", as slot %" PRIu32 " does", seq[i] / 2, i);
}

static void check_slots(struct pass *pass)
{
    const struct ring_map *map = pass->map;
    uint64_t seq[RING_MAX_SLOTS] = {0};
    for (uint32_t i = 0; i < map->slot_count; i++)
        seq[i] = read_seq(map, i);
    verify_duplicates(pass, seq);
    for (uint32_t i = 0; i < map->slot_count; i++) {
        if (seq[i] & 1 && seq[i] != RING_SEQ_WRITING)
            add_finding(pass, RING_FAULT_SEQUENCE, CERTAIN, 0, "slot", i,
                        "has the odd sequence number %" PRIu64, seq[i]);
        else if (seq[i] & 1 && !pass->writer_alive)
            add_finding(pass, RING_FAULT_UNFINISHED, LEFT, 0, "slot", i,
                        "was being written when its writer died; the next one clears it");
        else if (seq[i] > 0 && !(seq[i] & 1))
            check_finished(pass, i, seq[i]);
    }
}

/* ---- rows ---- */

static bool verify_is_stopped(int32_t pid)
{
    char state = process_state(pid);
    return state == 'T' || state == 't';
}

static void check_pin(struct pass *pass, unsigned number, uint64_t pin)
{
    uint32_t generation = (uint32_t)(pin >> 32), slot = (uint32_t)pin - 1;
    uint32_t current = atomic_load_explicit(&pass->ctl->header->generation, memory_order_acquire);
    uint32_t slots =
        pass->map && pass->map->generation == generation ? pass->map->slot_count : RING_MAX_SLOTS;
    if (generation == 0 || generation > current)
        add_finding(pass, RING_FAULT_PIN, CERTAIN, 0, "row", number,
                    "pins generation %" PRIu32 ", and the current one is %" PRIu32, generation,
                    current);
    else if (slot >= slots)
        add_finding(pass, RING_FAULT_PIN, CERTAIN, 0, "row", number,
                    "pins slot %" PRId64 " of %" PRIu32, (int64_t)(pin & UINT32_MAX) - 1, slots);
}

/* A writer that takes a slot, finds the pin, and dies or is stopped before it has given the slot
 * back, leaves its seq odd, and the next writer sets it to empty. The frame is unchanged all the
 * same. */
static bool is_put_back_late(const struct pass *pass, uint64_t seq)
{
    int32_t writer = atomic_load(&pass->map->header->writer_pid);
    return seq == 0 ||
           (seq == RING_SEQ_WRITING && (!pass->writer_alive || verify_is_stopped(writer)));
}

/* The reader sets `frame`, before ABI 2.2 `last`, once it has seen that its pin holds; from then on
 * no other frame may come into the slot. */
static void check_pinned_slot(struct pass *pass, unsigned number, const struct ring_row *row,
                              uint64_t pin)
{
    const struct ring_map *map = pass->map;
    uint32_t slot = (uint32_t)pin - 1;
    if (!map || pin >> 32 != map->generation || slot >= map->slot_count)
        return;
    uint64_t seq = read_seq(map, slot),
             frame = atomic_load_explicit(&row->frame, memory_order_acquire),
             last = atomic_load_explicit(&row->last, memory_order_acquire);
    if (seq != 2 * frame && seq != 2 * last && !is_put_back_late(pass, seq) &&
        atomic_load_explicit(&row->pin, memory_order_acquire) == pin)
        add_finding(pass, RING_FAULT_PIN, LASTING, pin, "row", number,
                    "pins frame %" PRIu64 " in slot %" PRIu32 ", whose sequence number is %" PRIu64,
                    frame ? frame : last, slot, seq);
}

static void check_accounts(struct pass *pass, unsigned number, const struct ring_row *row)
{
    uint64_t taken = atomic_load_explicit(&row->taken, memory_order_acquire);
    uint64_t joined = atomic_load_explicit(&row->joined, memory_order_acquire);
    uint64_t last = atomic_load_explicit(&row->last, memory_order_acquire);
    if (last < joined || taken > last - joined)
        add_finding(pass, RING_FAULT_ACCOUNTS, LASTING, taken, "row", number,
                    "took %" PRIu64 " frames between frame %" PRIu64 " and frame %" PRIu64, taken,
                    joined, last);
    if (pass->map && last > verify_newest(pass->map))
        add_finding(pass, RING_FAULT_ACCOUNTS, LASTING, last, "row", number,
                    "had frame %" PRIu64 ", and the newest is %" PRIu64, last,
                    verify_newest(pass->map));
}

static void find_dead(struct pass *pass, unsigned number, const struct ring_row *row, int32_t pid,
                      uint64_t pin)
{
    char who[sizeof row->who + 1] = "", held[40] = "";
    memcpy(who, row->who, sizeof row->who);
    for (char *c = who; *c; c++)
        *c = *c >= ' ' && *c <= '~' ? *c : '?';
    if (pin)
        snprintf(held, sizeof held, " with slot %" PRIu32 " pinned", (uint32_t)pin - 1);
    add_finding(pass, RING_FAULT_DEAD_READER, LEFT, (uint64_t)pid, "row", number,
                "belongs to %s (process %" PRId32
                "), which died%s; it waits for the reaper, or the next reader",
                who, pid, held);
}

/* A slot word of an older generation means nothing any more. */
static void check_row_slot(struct pass *pass, unsigned number, uint64_t word, bool locked,
                           int32_t pid)
{
    uint32_t state = (uint32_t)word;
    bool current = pass->map && word >> 32 == pass->map->generation;
    if (state > RING_SLOT_UNWANTED ||
        (word != 0 && (pass->ctl->kind != RING_RAW || state == RING_SLOT_NONE)))
        add_finding(pass, RING_FAULT_ROW, CERTAIN, 0, "row", number,
                    "has a slot of state %" PRIu32 " in generation %" PRIu64, state, word >> 32);
    else if (current && state == RING_SLOT_USABLE && pid == 0 && !locked)
        add_finding(pass, RING_FAULT_ROW, LASTING, word, "row", number,
                    "belongs to nobody, and keeps its slot");
    else if (current && state == RING_SLOT_PENDING && !locked && pid == 0)
        add_finding(
            pass, RING_FAULT_UNFINISHED, LEFT, word, "row", number,
            "has a slot that was being allocated or given back when a process died; the writer"
            " goes on with it");
}

static void check_own_row(struct pass *pass, unsigned number, uint32_t of, int32_t pid)
{
    const struct ring_row *own = of < pass->ctl->rows ? &pass->ctl->header->rows[of] : NULL;
    if (of > 0 && (!own || atomic_load_explicit(&own->of, memory_order_acquire) > 0 ||
                   atomic_load_explicit(&own->pid, memory_order_acquire) != pid))
        add_finding(pass, RING_FAULT_ROW, LASTING, of, "row", number,
                    "holds a frame for the reader of row %" PRIu32 ", which is another", of);
}

static void check_row(struct pass *pass, unsigned number)
{
    const struct ring_row *row = &pass->ctl->header->rows[number];
    int32_t pid = atomic_load_explicit(&row->pid, memory_order_acquire);
    uint64_t pin = atomic_load_explicit(&row->pin, memory_order_acquire);
    uint32_t waker = atomic_load_explicit(&row->waker, memory_order_relaxed);
    bool locked = ring_lock_taken(pass->ctl->fd, (int)number);
    if (pin)
        check_pin(pass, number, pin);
    if (waker > RING_MAX_WAKERS)
        add_finding(pass, RING_FAULT_ROW, CERTAIN, 0, "row", number,
                    "asks for waker %" PRIu32 " of %d", waker - 1, RING_MAX_WAKERS);
    if (pid < 0 || row->who[sizeof row->who - 1])
        add_finding(pass, RING_FAULT_ROW, LASTING, 0, "row", number,
                    "has an owner without a proper %s", pid < 0 ? "process number" : "name");
    check_row_slot(pass, number, atomic_load_explicit(&row->slot, memory_order_acquire), locked,
                   pid);
    if (pid == 0 && pin && !locked)
        add_finding(pass, RING_FAULT_PIN, LASTING, pin, "row", number,
                    "pins slot %" PRIu32 " and belongs to nobody", (uint32_t)pin - 1);
    if (pid > 0 && locked)
        check_own_row(pass, number, atomic_load_explicit(&row->of, memory_order_acquire), pid);
    if (pid > 0 && !locked)
        find_dead(pass, number, row, pid, pin);
    /* a stopped process may stay in the middle of it */
    if (pid > 0 && locked && !verify_is_stopped(pid)) {
        check_accounts(pass, number, row);
        if (pin)
            check_pinned_slot(pass, number, row, pin);
    }
}

/* Row 0 goes with the camera's lease, whose holder is on the board. Without a supervisor there is
 * neither. */
static void check_encoder_row(struct pass *pass)
{
    uint64_t pin = atomic_load_explicit(&pass->ctl->header->rows[0].pin, memory_order_acquire);
    if (pin)
        check_pin(pass, 0, pin);
    if (pin && pass->ctl->header->unsupervised)
        add_finding(pass, RING_FAULT_PIN, CERTAIN, 0, "row", 0,
                    "pins slot %" PRIu32 ", and this ring has no encoders", (uint32_t)pin - 1);
}

/* ---- passes ---- */

static bool verify_is_alive(const struct ring_ctl *ctl, const struct ring_map *map)
{
    if (ring_lock_taken(ctl->fd, RING_LOCK_WRITER))
        return true;
    int32_t pid = map ? atomic_load(&map->header->writer_pid) : 0;
    /* the lease's writers hold no lock */
    return pid > 0 && process_start_time(pid) == atomic_load(&map->header->writer_start);
}

/* Checks everything that belongs to generation `generation`. False, and the findings don't count,
 * if another one has become current meanwhile. */
static bool pass_generation(struct pass *pass, uint32_t generation)
{
    struct error err = {0};
    pass->map = generation ? ring_map_data(pass->ctl, generation, RING_INSPECT, &err) : NULL;
    pass->writer_alive = verify_is_alive(pass->ctl, pass->map);
    check_generations(pass, generation);
    if (generation && !pass->map && err.code != RING_ERROR_ABSENT && err.code != RING_ERROR_OWNER)
        add_finding(pass, RING_FAULT_UNREADABLE, LASTING, 0, "generation", generation, "%.150s",
                    err.text);
    if (pass->map) {
        check_header(pass);
        check_slot_memory(pass);
        check_head(pass);
        check_slots(pass);
    }
    check_encoder_row(pass);
    for (unsigned i = 1; i < pass->ctl->rows; i++)
        check_row(pass, i);
    ring_map_drop(pass->map);
    pass->map = NULL;
    return atomic_load_explicit(&pass->ctl->header->generation, memory_order_acquire) == generation;
}

static int pass_once(const char *instance, const char *name, struct ring_findings *out,
                     struct error *err)
{
    struct pass pass = {.out = out};
    out->count = out->dropped = 0;
    pass.ctl = ring_map_ctl_any(instance, name, false, err);
    if (!pass.ctl && err->code == RING_ERROR_ABSENT)
        return -1;
    if (!pass.ctl) {
        add_finding(&pass, err->code == RING_ERROR_OWNER ? RING_FAULT_OWNER : RING_FAULT_UNREADABLE,
                    LASTING, 0, NULL, 0, "%.150s", err->text);
        return 0;
    }
    check_ctl(&pass, instance, name);
    unsigned before = out->count;
    for (int i = 0; i < PASS_TRIES; i++) {
        out->count = before;
        if (pass_generation(
                &pass, atomic_load_explicit(&pass.ctl->header->generation, memory_order_acquire)))
            break;
        out->count = before;
    }
    ring_map_ctl_close(pass.ctl);
    return 0;
}

static bool in_doubt(const struct ring_findings *findings, bool remains_too)
{
    for (unsigned i = 0; i < findings->count; i++)
        if (!findings->list[i].certain && (remains_too || !findings->list[i].left))
            return true;
    return false;
}

int ring_verify(const char *instance, const char *name, struct ring_findings *out,
                struct error *err)
{
    struct ring_findings *next = malloc(sizeof *next);
    if (!next) {
        error_set(err, RING_ERROR_SYSTEM, "out of memory");
        return -1;
    }
    int r = pass_once(instance, name, out, err);
    int64_t pause = NS_PER_MS;
    for (int i = 1; i < PASSES && r == 0 && in_doubt(out, i < PASSES_FOR_REMAINS);
         i++, pause *= 2) {
        struct timespec wait = clock_timespec(pause);
        nanosleep(&wait, NULL);
        r = pass_once(instance, name, next, err);
        merge_findings(out, next);
    }
    free(next);
    return r;
}
