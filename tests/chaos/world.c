#include "world.h"

#include "common/bell.h"
#include "common/camera_rings.h"
#include "common/channel.h"
#include "common/clock.h"
#include "encoder/pool.h"
#include "picture.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT_NS (5 * NS_PER_S)

struct world world;

/* ---- start and end ---- */

static void add_filter(struct conf_chain *chain, const char *graph)
{
    struct conf_step *step = &chain->steps[chain->count++];
    step->kind = CONF_STEP_FILTER;
    if (!conf_chain_store(chain, graph, strlen(graph) + 1, &step->filter.graph))
        abort();
}

/* One that is waited for longer than any test lasts. */
static void add_program(struct conf_chain *chain)
{
    static const char name[] = "detector";
    struct conf_step *step = &chain->steps[chain->count++];
    step->kind = CONF_STEP_EXTERNAL;
    step->external.timeout_ns = CONF_TIMEOUT_MAX;
    if (!conf_chain_store(chain, name, sizeof name, &step->external.name))
        abort();
}

void world_configure(void)
{
    static char name[RING_ID_SIZE]; /* the same in processes that are forked later */
    if (!name[0])
        snprintf(name, sizeof name, "kill%d", (int)getpid());
    world.camera =
        (struct conf_camera){.id = "cam", .jpeg_quality = 90, .stall_timeout_ns = 3600 * NS_PER_S};
    if (world.filter)
        add_filter(&world.camera.chain, world.filter);
    if (world.has_program)
        add_program(&world.camera.chain);
    if (world.filter && world.has_program)
        add_filter(&world.camera.chain, world.filter);
    world.conf =
        (struct conf){.camera_count = 1, .cameras = &world.camera, .shm_reader_rows = WORLD_ROWS};
    memcpy(world.conf.instance, name, sizeof name);
}

bool world_start(struct error *err)
{
    world_configure();
    world.instance = instance_acquire(world.conf.instance, err);
    world.board = world.instance ? board_create(world.conf.instance, 2, err) : NULL;
    if (!world.board || instance_guard_board(world.instance, err) != 0)
        return false;
    world.places = camera_places_create(world.board);
    if (!world.places || !camera_places_join(world.places, &world.conf, 0, err))
        return false;
    world.place = board_camera(world.board, 0);
    static int wakers[RING_MAX_WAKERS];
    for (unsigned i = 0; i < RING_MAX_WAKERS; i++)
        wakers[i] = i == 0 ? world.waker : -1;
    world.recover =
        (struct recover){.instance = world.conf.instance, .board = world.board, .wakers = wakers};
    return true;
}

bool world_give_place_on(struct error *err)
{
    camera_places_leave(world.places, world.conf.instance, camera_places_at(world.places, 0));
    return camera_places_join(world.places, &world.conf, 0, err);
}

/* The names of this world's objects, in order, one a line. */
static void list_objects(char *out, size_t size)
{
    char prefix[64];
    struct dirent **entries;
    size_t used = 0;
    int count = scandir("/dev/shm", &entries, NULL, alphasort);
    int length = snprintf(prefix, sizeof prefix, "camring.%s", world.conf.instance);
    out[0] = '\0';
    for (int i = 0; i < count; i++) {
        if (strncmp(entries[i]->d_name, prefix, (size_t)length) == 0 && used < size)
            used += (size_t)snprintf(out + used, size - used, "%s\n", entries[i]->d_name + length);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

bool world_end(void)
{
    char found[1024];
    camera_places_destroy(world.places);
    world.places = NULL;
    board_close(world.board);
    instance_release(world.instance);
    world.board = NULL;
    world.instance = NULL;
    list_objects(found, sizeof found);
    if (found[0])
        fprintf(stderr, "left in /dev/shm:\n%s", found);
    return !found[0];
}

static uint32_t generation_of(const char *ring)
{
    static struct ring_stat stat; /* large */
    struct error err;
    struct ring_reader *reader =
        ring_reader_open(world.conf.instance, ring, RING_OBSERVER, "", &err);
    bool known = reader && ring_reader_stat(reader, &stat, &err) == 0;
    ring_reader_close(reader);
    return known ? stat.generation : 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

bool world_is_tidy(void)
{
    char objects[2 * CAMERA_RINGS][RING_NAME_SIZE + 16], found[1024], wanted[1024];
    size_t used = (size_t)snprintf(wanted, sizeof wanted, "\n"), count = 0;
    for (unsigned number = 0; number < CAMERA_RINGS; number++) {
        char ring[RING_NAME_SIZE];
        if (!camera_ring_exists(number, world.place))
            continue;
        camera_ring_name_at(number, world.place, ring);
        snprintf(objects[count++], sizeof *objects, "%s", ring);
        uint32_t generation = generation_of(ring);
        if (generation > 0)
            snprintf(objects[count++], sizeof *objects, "%s.%u", ring, generation);
    }
    qsort(objects, count, sizeof *objects, by_name);
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(wanted + used, sizeof wanted - used, ".%s\n", objects[i]);
    list_objects(found, sizeof found);
    if (strcmp(found, wanted) != 0)
        fprintf(stderr, "in /dev/shm:\n%sand not:\n%s", found, wanted);
    return strcmp(found, wanted) == 0;
}

/* ---- followers ---- */

struct follower {
    struct bell told; /* rung whenever one of the rest has changed */
    _Atomic uint64_t last;
    _Atomic bool attached, closed, faulty;
    char fault[600];
    pid_t pid;
};

static void give_up(struct follower *self, const char *what, const char *detail)
{
    snprintf(self->fault, sizeof self->fault, "%s%s", what, detail);
    atomic_store(&self->faulty, true);
    bell_ring(&self->told, BELL_ALL);
    _exit(1);
}

static void note(struct follower *self, const struct ring_frame *frame, const uint8_t *data)
{
    if (!picture_check(frame, data))
        give_up(self, "a torn picture", "");
    if (frame->number <= atomic_load(&self->last))
        give_up(self, "a number that does not rise", "");
}

static enum ring_result take(struct follower *self, struct ring_reader *reader,
                             enum follower_kind kind, struct error *err)
{
    static struct ring_buffer buffer;
    struct ring_frame frame;
    const uint8_t *data;
    uint64_t last = atomic_load(&self->last);
    enum ring_result result = kind == FOLLOWER_PINS
                                  ? ring_reader_acquire(reader, last, &frame, &data, err)
                                  : ring_reader_copy(reader, last, &buffer, &frame, err);
    if (result != RING_GOT)
        return result;
    note(self, &frame, kind == FOLLOWER_PINS ? data : buffer.data);
    ring_reader_release(reader);
    atomic_store(&self->last, frame.number);
    bell_ring(&self->told, BELL_ALL);
    return result;
}

static void await(struct ring_reader *reader, enum follower_kind kind, uint32_t heard)
{
    if (kind == FOLLOWER_PINS) {
        ring_reader_wait(reader, heard, CLOCK_NEVER);
        return;
    }
    struct pollfd waker = {.fd = world.waker, .events = POLLIN};
    poll(&waker, 1, -1);
    bell_drain(world.waker);
}

static void follow(struct follower *self, const char *ring, enum follower_kind kind)
{
    struct error err;
    struct ring_reader *reader =
        ring_reader_open(world.conf.instance, ring, RING_MEMBER, "follower", &err);
    if (!reader)
        give_up(self, "could not attach: ", err.text);
    if (kind == FOLLOWER_COPIES)
        ring_reader_want(reader, 0);
    atomic_store(&self->attached, true);
    for (;;) {
        uint32_t heard = ring_reader_listen(reader);
        enum ring_result result = take(self, reader, kind, &err);
        if (result == RING_NONE)
            await(reader, kind, heard);
        if (result == RING_FAILED && err.code != RING_ERROR_CLOSED)
            give_up(self, "could not read: ", err.text);
        if (result == RING_FAILED) {
            atomic_store(&self->closed, true);
            bell_ring(&self->told, BELL_ALL);
            _exit(0);
        }
    }
}

/* A process that does not outlive this one. */
static pid_t fork_for_life(void)
{
    pid_t parent = getpid(), pid = fork();
    if (pid < 0)
        abort();
    if (pid == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent))
        _exit(1);
    return pid;
}

static void end_process(pid_t pid)
{
    if (pid <= 1) /* kill would take it for a group, or for everybody */
        abort();
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

struct follower *follower_start(const char *ring, enum follower_kind kind)
{
    struct follower *follower =
        mmap(NULL, sizeof *follower, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (follower == MAP_FAILED)
        abort();
    pid_t pid = fork_for_life();
    if (pid == 0)
        follow(follower, ring, kind);
    follower->pid = pid;
    while (!atomic_load(&follower->attached) &&
           !atomic_load(&follower->faulty)) /* rows are taken in the same order each time */
        sched_yield();
    return follower;
}

static bool await_progress(struct follower *follower, uint64_t number, bool closed)
{
    int64_t deadline = clock_now() + LIMIT_NS;
    for (;;) {
        uint32_t heard = bell_read(&follower->told);
        if (atomic_load(&follower->faulty))
            return false;
        if (closed ? atomic_load(&follower->closed) : atomic_load(&follower->last) >= number)
            return true;
        if (!bell_wait(&follower->told, heard, deadline)) {
            snprintf(follower->fault, sizeof follower->fault,
                     "sleeps at frame %llu, while %llu is there",
                     (unsigned long long)follower->last, (unsigned long long)number);
            return false;
        }
    }
}

bool follower_has(struct follower *follower, uint64_t number)
{
    return await_progress(follower, number, false);
}

bool follower_is_told(struct follower *follower)
{
    return await_progress(follower, 0, true);
}

uint64_t follower_last(const struct follower *follower)
{
    return atomic_load(&follower->last);
}

const char *follower_fault(const struct follower *follower)
{
    return follower->fault;
}

void follower_end(struct follower *follower)
{
    if (!follower)
        return;
    end_process(follower->pid);
    munmap(follower, sizeof *follower);
}

/* ---- the other worker ---- */

pid_t survivor_start(unsigned worker)
{
    _Atomic int64_t *deadline = &board_child(world.board, MSG_ENCODER, worker)->deadline_ns;
    atomic_store(deadline, 0);
    pid_t pid = fork_for_life();
    if (pid != 0) {
        while (atomic_load(deadline) !=
               CLOCK_NEVER) /* which it promises once it has looked and found nothing */
            sched_yield();
        return pid;
    }
    static struct channel_setup setup;
    setup.hello = (struct msg_hello){.kind = MSG_ENCODER, .number = worker};
    snprintf(setup.hello.instance, sizeof setup.hello.instance, "%s", world.conf.instance);
    static struct msg_camera camera;
    camera = (struct msg_camera){.at = {.place = 0, .epoch = board_epoch(world.board, 0)},
                                 .conf = world.camera};
    setup.cameras = &camera;
    setup.camera_count = 1;
    for (unsigned i = 0; i < RING_MAX_WAKERS; i++)
        setup.wakers[i] = i == 0 ? world.waker : -1;
    struct inbox *inbox = inbox_create();
    struct pool *pool = inbox ? pool_create(&setup, world.board, inbox) : NULL;
    static const atomic_bool never;
    if (pool)
        pool_run(pool, &never);
    _exit(1);
}

void survivor_end(pid_t pid)
{
    end_process(pid);
}
