/* DESIGN
 *
 * Like ring_verify (common/ring_verify.h), this distinguishes faults that one pass proves from
 * states that may be temporary.  A lease's word never repeats, so what is read between two loads of
 * the same word, with the lease free, belongs together; and counters that are stored after what
 * they count are read before it. */
#include "instance_check.h"

#include "common/camera_rings.h"
#include "common/clock.h"
#include "find.h"
#include "objects.h"
#include "owner.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOOKS 11 /* with pauses of 1, 2, 4 … 512 ms: time for a supervisor to notice a death */

struct check {
    const char *instance, *wanted;
    struct board *board; /* NULL: none, or unreadable */
    struct object_set objects;
    struct owner owner;
    struct verdict certain, doubtful;
};

static bool is_wanted(const struct check *check, const char *camera, const char *ring)
{
    return !check->wanted || strcmp(check->wanted, camera) == 0 ||
           (ring && strcmp(check->wanted, ring) == 0);
}

/* Whether the check, limited to a ring or not, is about this camera. */
static bool is_about(const struct check *check, const char *camera)
{
    size_t length = strlen(camera);
    return is_wanted(check, camera, NULL) ||
           (strncmp(check->wanted, camera, length) == 0 && check->wanted[length] == '.');
}

/* ---- a camera ---- */

struct account {
    uint64_t word, captured, encoded, taken, finished, booked;
    bool settled; /* the lease was free all the time */
};

static struct account read_account(const struct board_camera *camera)
{
    struct account account = {.word =
                                  atomic_load_explicit(&camera->lease.word, memory_order_acquire)};
    bool is_free = lease_holder(&camera->lease) < 0;
    account.captured = atomic_load(&camera->captured);
    account.encoded = atomic_load(&camera->encoded);
    account.taken = atomic_load(&camera->taken);
    account.finished = atomic_load(&camera->finished);
    account.booked = account.encoded + atomic_load(&camera->late) + atomic_load(&camera->oversize) +
                     atomic_load(&camera->aborted) + atomic_load(&camera->encode_failed) +
                     atomic_load(&camera->chain_failed) + atomic_load(&camera->chain_dropped);
    account.settled = is_free && atomic_load(&camera->lease.word) == account.word;
    return account;
}

static void check_settled(struct check *check, const char *camera, const struct account *account)
{
    if (account->finished != account->taken)
        verdict_add(&check->certain, false, check->instance, NULL, "accounts", camera,
                    "frame %" PRIu64 " was taken up last, frame %" PRIu64
                    " finished, and nobody holds the lease",
                    account->taken, account->finished);
    if (account->booked != account->taken)
        verdict_add(&check->certain, false, check->instance, NULL, "accounts", camera,
                    "%" PRIu64 " frames were taken up or passed over, and %" PRIu64 " are booked",
                    account->taken, account->booked);
}

/* False if it isn't known: nothing was readable, or every attempt was overtaken. */
static bool read_head(const struct ring_stat *stat, uint64_t *head)
{
    *head = stat ? stat->head : 0;
    return stat && (stat->head > 0 || stat->generation == 0);
}

static void check_variants(struct check *check, const struct board_camera *camera)
{
    uint64_t word = atomic_load_explicit(&camera->variant_lease.word, memory_order_acquire);
    bool is_free = lease_holder(&camera->variant_lease) < 0;
    uint64_t taken = atomic_load(&camera->variant_taken);
    uint64_t booked = atomic_load(&camera->variant_encoded) + atomic_load(&camera->variant_failed);
    if (is_free && booked != taken && atomic_load(&camera->variant_lease.word) == word)
        verdict_add(&check->certain, false, check->instance, NULL, "accounts", camera->id,
                    "%" PRIu64 " pictures of variants were taken up, and %" PRIu64 " are booked",
                    taken, booked);
}

static void check_heads(struct check *check, const char *camera, const struct account *account,
                        const struct ring_stat *raw, const struct ring_stat *jpeg)
{
    uint64_t raw_head, jpeg_head;
    bool has_raw = read_head(raw, &raw_head), has_jpeg = read_head(jpeg, &jpeg_head);
    if (has_raw && account->taken > raw_head)
        verdict_add(&check->certain, false, check->instance, NULL, "accounts", camera,
                    "frame %" PRIu64 " was taken up, and the newest raw one is %" PRIu64,
                    account->taken, raw_head);
    if (has_jpeg && account->encoded > jpeg_head)
        verdict_add(&check->certain, false, check->instance, NULL, "accounts", camera,
                    "%" PRIu64 " frames were encoded, and the newest JPEG is %" PRIu64,
                    account->encoded, jpeg_head);
    else if (has_raw && has_jpeg && account->captured > raw_head + jpeg_head - account->encoded)
        verdict_add(&check->certain, false, check->instance, NULL, "accounts", camera,
                    "%" PRIu64 " frames were captured, and %" PRIu64 " published",
                    account->captured, raw_head + jpeg_head - account->encoded);
}

/* The process that is said to have a lease of the camera, or the state that its pictures leave
 * behind, must be one that can. */
static void check_holder(struct check *check, unsigned place, int holder, const char *what)
{
    struct board_camera *camera = board_camera(check->board, place);
    const struct board_child *child =
        holder == LEASE_CAPTURE ? &camera->capture
                                : board_child(check->board, MSG_ENCODER, (unsigned)holder);
    const char *who = holder == LEASE_CAPTURE ? "its capture" : "a worker";
    if (!child)
        verdict_add(&check->certain, false, check->instance, NULL, what, camera->id,
                    "is held by worker %d, whom there can't be", holder);
    else if (!owner_child_alive(child))
        verdict_add(&check->doubtful, !check->owner.supervised, check->instance, NULL, what,
                    camera->id, "is held by %s that is dead", who);
}

static void check_lease(struct check *check, unsigned index, const struct account *account,
                        const struct ring_stat *raw)
{
    struct board_camera *camera = board_camera(check->board, index);
    const struct lease word = {account->word};
    int variants = lease_holder(&camera->variant_lease);
    if (variants >= 0)
        check_holder(check, index, variants, "variant lease");
    uint32_t state = atomic_load(&camera->state_worker);
    if (state > 0) /* every other worker leaves the camera's frames to it */
        check_holder(check, index, (int)(state - 1), "state");
    int holder = lease_holder(&word);
    if (holder < 0) {
        uint64_t again = atomic_load(&camera->lease.word);
        if (raw && raw->row[0].pinned_generation > 0 && again == account->word)
            verdict_add(&check->certain, false, check->instance, raw->name, "pin", "row 0",
                        "pins a frame, and nobody holds the camera's lease");
        return;
    }
    check_holder(check, index, holder, "lease");
}

static struct ring_stat *stat_of(const struct check *check, const char *name)
{
    struct find_ring ring;
    struct error ignored;
    snprintf(ring.instance, sizeof ring.instance, "%s", check->instance);
    snprintf(ring.name, sizeof ring.name, "%s", name);
    return find_stat(&ring, &ignored);
}

static void check_has_ring(struct check *check, const struct board_camera *camera, unsigned number)
{
    char ring[RING_NAME_SIZE];
    camera_ring_name_at(number, camera, ring);
    if (is_wanted(check, camera->id, ring) &&
        !objects_get(&check->objects, OBJECT_CTL, check->instance, ring))
        verdict_add(&check->doubtful, !check->owner.supervised, check->instance, ring, "missing",
                    "", "does not exist, though the board has camera %s", camera->id);
}

static void check_camera(struct check *check, unsigned index)
{
    const struct board_camera *camera = board_camera(check->board, index);
    if (!memchr(camera->id, '\0', sizeof camera->id) || !ring_id_valid(camera->id)) {
        verdict_add(&check->certain, false, check->instance, NULL, "board", "",
                    "camera number %u has no proper name", index);
        return;
    }
    if (!is_about(check, camera->id))
        return;
    struct account account = read_account(camera);
    char raw_name[RING_NAME_SIZE], jpeg_name[RING_NAME_SIZE];
    struct ring_stat *raw = stat_of(check, camera_ring_name(CAMERA_RING_RAW, camera->id, raw_name));
    struct ring_stat *jpeg =
        stat_of(check, camera_ring_name(CAMERA_RING_JPEG, camera->id, jpeg_name));
    if (account.settled)
        check_settled(check, camera->id, &account);
    check_variants(check, camera);
    check_heads(check, camera->id, &account, raw, jpeg);
    check_lease(check, index, &account, raw);
    for (unsigned number = 0; number < CAMERA_RINGS; number++)
        if (camera_ring_exists(number, camera))
            check_has_ring(check, camera, number);
    free(raw);
    free(jpeg);
}

/* ---- the whole ---- */

static bool is_on_board(const struct check *check, const char *camera)
{
    for (unsigned i = 0; i < board_places(check->board); i++) {
        const struct board_camera *place = board_camera(check->board, i);
        if (place && strncmp(place->id, camera, RING_ID_SIZE) == 0)
            return true;
    }
    return false;
}

static void check_board(struct check *check)
{
    const struct object *object = objects_get(&check->objects, OBJECT_BOARD, check->instance, "");
    struct error err = {0};
    if (object && object->owner != geteuid() && object->owner != 0)
        verdict_add(&check->certain, false, check->instance, NULL, "owner", "",
                    "the board belongs to user %u", (unsigned)object->owner);
    else if (object && !(check->board = board_inspect(check->instance, &err)))
        verdict_add(&check->doubtful, false, check->instance, NULL, "unreadable", "", "%.150s",
                    err.text);
    if (!object && check->owner.supervised)
        verdict_add(&check->doubtful, false, check->instance, NULL, "missing", "",
                    "a supervisor runs, and there is no board");
    for (unsigned i = 0; check->board && i < board_places(check->board); i++)
        if (board_camera(check->board, i))
            check_camera(check, i);
}

/* A ring that programs made by themselves needs no camera and no supervisor. */
static void check_ring(struct check *check, const struct object *object)
{
    char camera[RING_ID_SIZE], variant[RING_ID_SIZE];
    find_split(object->ring, camera, variant);
    struct ring_stat *stat = stat_of(check, object->ring);
    bool has_board = objects_get(&check->objects, OBJECT_BOARD, check->instance, "");
    if (!stat || stat->unsupervised)
        goto out;
    if (!has_board && !check->owner.alive)
        verdict_add(&check->doubtful, true, check->instance, object->ring, "orphan", "",
                    "its instance is gone; `clean` removes it");
    else if (check->board && !is_on_board(check, camera))
        verdict_add(&check->doubtful, !check->owner.alive, check->instance, object->ring, "orphan",
                    "", "the board has no camera %s", camera);
out:
    free(stat);
}

static void check_objects(struct check *check)
{
    for (size_t i = 0; i < check->objects.count; i++) {
        const struct object *object = &check->objects.list[i];
        char camera[RING_ID_SIZE] = "", variant[RING_ID_SIZE];
        find_split(object->ring, camera, variant);
        if (object->kind == OBJECT_BOARD || !is_wanted(check, camera, object->ring))
            continue;
        bool stray = object->kind == OBJECT_STRAY ||
                     (object->kind == OBJECT_DATA &&
                      !objects_get(&check->objects, OBJECT_CTL, check->instance, object->ring));
        if (stray)
            verdict_add(&check->doubtful, !check->owner.alive, check->instance,
                        object->ring[0] ? object->ring : NULL, "stray", "", "%s belongs to no ring",
                        object->file);
        else if (object->kind == OBJECT_CTL)
            check_ring(check, object);
    }
}

static void check_once(struct check *check, const char *instance, const char *wanted)
{
    *check = (struct check){.instance = instance, .wanted = wanted};
    verdict_open(&check->certain);
    verdict_open(&check->doubtful);
    check->owner = owner_look(instance);
    check->objects = objects_find(instance);
    check_board(check);
    check_objects(check);
    board_close(check->board);
    objects_free(&check->objects);
}

void instance_check(const char *instance, const char *wanted, struct verdict *out)
{
    struct check first, next;
    int64_t pause = NS_PER_MS;
    check_once(&first, instance, wanted);
    for (int i = 1; i < LOOKS && !verdict_is_empty(&first.doubtful); i++, pause *= 2) {
        struct timespec wait = clock_timespec(pause);
        nanosleep(&wait, NULL);
        check_once(&next, instance, wanted);
        verdict_intersect(&first.doubtful, &next.doubtful);
        if (verdict_is_empty(&first.certain))
            verdict_append(&first.certain, &next.certain);
        verdict_close(&next.certain);
        verdict_close(&next.doubtful);
    }
    verdict_append(out, &first.certain);
    verdict_append(out, &first.doubtful);
    verdict_close(&first.certain);
    verdict_close(&first.doubtful);
}
