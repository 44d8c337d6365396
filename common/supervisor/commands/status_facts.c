#include "status_facts.h"

#include "client.h"

#include "common/board.h"
#include "common/camera_rings.h"
#include "common/clock.h"
#include "common/ring.h"
#include "common/usage.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct process {
    pid_t pid;
    bool asked; /* since the last call has begun */
    struct usage usage;
};

struct status_facts {
    char instance[RING_ID_SIZE];
    size_t count;
    struct process *process;
};

struct status_facts *status_facts_create(const char *instance)
{
    struct status_facts *facts = calloc(1, sizeof *facts);
    if (facts)
        memcpy(facts->instance, instance, strlen(instance) + 1);
    return facts;
}

void status_facts_destroy(struct status_facts *facts)
{
    if (facts)
        free(facts->process);
    free(facts);
}

/* ---- processes ---- */

/* NULL: out of memory. */
static struct process *find_process(struct status_facts *facts, pid_t pid)
{
    for (size_t i = 0; i < facts->count; i++)
        if (facts->process[i].pid == pid)
            return &facts->process[i];
    struct process *process =
        reallocarray(facts->process, facts->count + 1, sizeof *facts->process);
    if (!process)
        return NULL;
    facts->process = process;
    process[facts->count] = (struct process){.pid = pid};
    return &process[facts->count++];
}

static void forget_processes(struct status_facts *facts)
{
    size_t kept = 0;
    for (size_t i = 0; i < facts->count; i++)
        if (facts->process[i].asked)
            facts->process[kept++] = facts->process[i];
    facts->count = kept;
    for (size_t i = 0; i < kept; i++)
        facts->process[i].asked = false;
}

static void add_usage(struct status_facts *facts, json_t *json, pid_t pid)
{
    struct process_usage seen;
    struct process *process = pid > 0 ? find_process(facts, pid) : NULL;
    if (process && !process->asked && process_usage(pid, &seen)) {
        usage_count(&process->usage, &seen, clock_now());
        process->asked = true;
    }
    bool known = process && process->asked;
    json_object_set_new(json, "cpu",
                        known ? json_real(round(process->usage.cpu * 1000) / 1000) : json_null());
    json_object_set_new(json, "memory", known ? json_integer(process->usage.memory) : json_null());
}

static void add_processes(struct status_facts *facts, json_t *status)
{
    json_t *process;
    size_t i;
    json_array_foreach(json_object_get(status, "processes"), i, process)
    {
        add_usage(facts, process, (pid_t)json_integer_value(json_object_get(process, "pid")));
    }
}

/* ---- cameras ---- */

static void add_ring(json_t *camera, const char *instance, const char *id)
{
    static struct ring_stat stat;
    char name[RING_NAME_SIZE];
    struct error err;
    camera_ring_name(CAMERA_RING_JPEG, id, name);
    struct ring_reader *reader = ring_reader_open(instance, name, RING_OBSERVER, "status", &err);
    bool known = reader && ring_reader_stat(reader, &stat, &err) == 0 && stat.head > 0;
    json_object_set_new(camera, "fps", known ? json_real(stat.fps) : json_null());
    json_object_set_new(camera, "age_ms",
                        known ? json_integer(stat.age_ns / NS_PER_MS) : json_null());
    json_object_set_new(camera, "frames", json_integer(known ? (json_int_t)stat.head : 0));
    ring_reader_close(reader);
}

static uint64_t add_counter(json_t *camera, const char *name, const _Atomic uint64_t *counter)
{
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    json_object_set_new(camera, name, json_integer((json_int_t)value));
    return value;
}

/* Whether packets come, as /readyz sees it. */
static bool has_fresh_packets(const json_t *camera, const struct board_camera *place)
{
    const char *state = json_string_value(json_object_get(camera, "state"));
    int64_t limit_ns = json_integer_value(json_object_get(camera, "stall_timeout_ms")) * NS_PER_MS;
    int64_t packet_ns = atomic_load_explicit(&place->packet_ns, memory_order_relaxed);
    return state && strcmp(state, "live") == 0 && clock_now() - packet_ns <= limit_ns;
}

static void add_place(struct status_facts *facts, json_t *camera, const struct board_camera *place)
{
    json_object_set_new(camera, "fresh", json_boolean(has_fresh_packets(camera, place)));
    add_counter(camera, "packets", &place->packets);
    add_counter(camera, "captured", &place->captured);
    add_counter(camera, "processed", &place->processed);
    add_counter(camera, "encoded", &place->encoded);
    uint64_t dropped = add_counter(camera, "late", &place->late);
    dropped += add_counter(camera, "aborted", &place->aborted);
    dropped += add_counter(camera, "corrupt", &place->corrupt);
    dropped += add_counter(camera, "no_slot", &place->no_slot);
    dropped += add_counter(camera, "capture_oversize", &place->capture_oversize);
    dropped += add_counter(camera, "oversize", &place->oversize);
    dropped += add_counter(camera, "encode_failed", &place->encode_failed);
    dropped += add_counter(camera, "chain_failed", &place->chain_failed);
    dropped += add_counter(camera, "chain_dropped", &place->chain_dropped);
    json_object_set_new(camera, "dropped", json_integer((json_int_t)dropped));
    json_object_set_new(camera, "viewers", json_integer(board_viewers(place)));
    add_usage(facts, camera, atomic_load_explicit(&place->capture.pid, memory_order_relaxed));
}

static const struct board_camera *find_place(struct board *board, const char *id)
{
    for (unsigned i = 0; i < board_places(board); i++) {
        const struct board_camera *place = board_camera(board, i);
        if (place && strncmp(place->id, id, sizeof place->id) == 0)
            return place;
    }
    return NULL;
}

static void add_cameras(struct status_facts *facts, json_t *status)
{
    struct error err;
    struct board *board = board_inspect(facts->instance, &err);
    json_t *camera;
    size_t i;
    json_array_foreach(json_object_get(status, "cameras"), i, camera)
    {
        const char *id = json_string_value(json_object_get(camera, "id"));
        json_object_del(camera, "settled");
        if (!id)
            continue;
        add_ring(camera, facts->instance, id);
        const struct board_camera *place = board ? find_place(board, id) : NULL;
        if (place)
            add_place(facts, camera, place);
    }
    board_close(board);
}

/* ---- all of it ---- */

json_t *status_facts_take(struct status_facts *facts, int patience_s, bool *not_running,
                          struct error *err)
{
    json_t *request = json_pack("{s:s}", "command", "status"), *status = NULL;
    struct client *client = client_open(facts->instance, err);
    *not_running = !client && (err->code == ENOENT || err->code == ECONNREFUSED);
    if (*not_running)
        error_set(err, err->code, "instance \"%s\" is not running", facts->instance);
    if (client) {
        client_set_patience(client, patience_s);
        status = client_ask(client, request, err);
    }
    if (status) {
        add_cameras(facts, status);
        add_processes(facts, status);
        forget_processes(facts);
    }
    client_close(client);
    json_decref(request);
    return status;
}

bool status_facts_fine(const json_t *status)
{
    const json_t *camera;
    size_t i;
    json_array_foreach(json_object_get(status, "cameras"), i, camera)
    {
        const char *state = json_string_value(json_object_get(camera, "state"));
        if (state && strcmp(state, "ended") == 0)
            continue;
        if (!state || strcmp(state, "live") != 0 || !json_is_true(json_object_get(camera, "fresh")))
            return false;
    }
    return true;
}
