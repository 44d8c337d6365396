/* ring_verify: each kind of damage is found and named, what the dead left is told from damage, and
 * a healthy ring, however busy, is never accused. */
#include "ring_fixture.h"

#include "common/clock.h"
#include "common/ring_map.h"
#include "common/ring_verify.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

static struct ring_findings found;

/* A ring with a writer, a reader in row 1 and five frames. */
struct ring {
    struct ring_writer *writer;
    struct ring_reader *reader;
    struct ring_ctl *ctl; /* by which the test does damage */
    struct ring_map *map;
};

static void look_at(struct ring *ring)
{
    struct error err;
    ring->ctl = ring_map_ctl(fixture_instance, "cam.raw", true, &err);
    assert_non_null(ring->ctl);
    ring->map = ring_map_data(ring->ctl, atomic_load(&ring->ctl->header->generation), true, &err);
    assert_non_null(ring->map);
}

static struct ring make_ring(void)
{
    struct ring ring = {.writer = fixture_writer(0)};
    struct ring_frame frame;
    const uint8_t *data;
    struct error err;
    ring.reader = fixture_reader(RING_MEMBER);
    for (uint64_t n = 1; n <= 5; n++) {
        assert_int_equal(fixture_publish(ring.writer, n), n);
        if (n == 1 || n == 3) {
            assert_int_equal(ring_reader_acquire(ring.reader, 0, &frame, &data, &err), RING_GOT);
            ring_reader_release(ring.reader);
        }
    }
    look_at(&ring);
    return ring;
}

static void close_writer(struct ring *ring)
{
    ring_writer_close(ring->writer);
    ring->writer = NULL;
    atomic_store(&ring->map->header->writer_pid, 0); /* this process lives on, its writer is gone */
}

static void free_ring(struct ring *ring)
{
    ring_reader_close(ring->reader);
    ring_writer_close(ring->writer);
    ring_map_drop(ring->map);
    ring_ctl_close(ring->ctl);
}

static void verify(void)
{
    struct error err = {0};
    assert_int_equal(ring_verify(fixture_instance, "cam.raw", &found, &err), 0);
}

static void print_findings(void)
{
    for (unsigned i = 0; i < found.count; i++)
        print_error("%s%s: %s: %s\n", ring_fault_name(found.list[i].fault),
                    found.list[i].left ? " (left)" : "", found.list[i].where, found.list[i].text);
}

static void assert_clean(void)
{
    verify();
    if (found.count > 0)
        print_findings();
    assert_int_equal(found.count + found.dropped, 0);
}

/* Exactly one finding: this one. */
static void assert_found(enum ring_fault fault, bool left, const char *where, const char *word)
{
    verify();
    if (found.count != 1)
        print_findings();
    assert_int_equal(found.count, 1);
    assert_string_equal(ring_fault_name(found.list[0].fault), ring_fault_name(fault));
    assert_int_equal(found.list[0].left, left);
    assert_string_equal(found.list[0].where, where);
    if (!strstr(found.list[0].text, word))
        print_error("\"%s\" is not in: %s\n", word, found.list[0].text);
    assert_non_null(strstr(found.list[0].text, word));
}

static uint32_t slot_of(const struct ring *ring, uint64_t number)
{
    for (uint32_t i = 0; i < ring->map->slot_count; i++)
        if (ring->map->slots[i].seq == 2 * number)
            return i;
    fail_msg("no slot holds frame %llu", (unsigned long long)number);
    return 0;
}

static uint32_t empty_slot(const struct ring *ring)
{
    return slot_of(ring, 0);
}

static char *where(const char *what, uint64_t place)
{
    static char text[24];
    snprintf(text, sizeof text, "%s %llu", what, (unsigned long long)place);
    return text;
}

static void path_of(char *path, const char *suffix)
{
    snprintf(path, RING_PATH_SIZE, RING_DIRECTORY "/" RING_PREFIX "%s.cam.raw%s", fixture_instance,
             suffix);
}

/* ---- rings that are all right ---- */

static void a_ring_is_all_right_at_every_age(void **state)
{
    (void)state;
    struct error err = {0};
    assert_clean(); /* no generation yet */
    struct ring_writer *writer = fixture_writer(0);
    assert_clean(); /* no frame yet */
    struct ring_reader *reader = fixture_reader(RING_MEMBER), *copier = fixture_reader(RING_MEMBER);
    struct ring_frame frame;
    struct ring_buffer buffer = {0};
    const uint8_t *data;
    for (uint64_t n = 1; n <= 40; n++) {
        assert_int_equal(fixture_publish(writer, n), n);
        if (n % 3 == 0)
            assert_int_equal(ring_reader_acquire(reader, 0, &frame, &data, &err), RING_GOT);
        if (n % 7 == 0)
            assert_int_equal(ring_reader_copy(copier, 0, &buffer, &frame, &err), RING_GOT);
        assert_clean();
        if (n % 3 == 0) {
            n++;
            assert_int_equal(fixture_publish(writer, n), n);
            assert_clean(); /* with a pinned frame that is not the newest */
            ring_reader_release(reader);
        }
    }
    struct ring_loan loan;
    assert_true(ring_loan(writer, &loan));
    assert_clean(); /* in the middle of writing */
    ring_loan_release(writer, &loan);
    assert_int_equal(ring_reader_acquire(reader, 0, &frame, &data, &err), RING_GOT);
    assert_int_equal(ring_writer_reserve(writer, 3 * FIXTURE_BYTES, 0, &err), 0);
    assert_clean(); /* a pin on a retired generation */
    ring_reader_release(reader);
    ring_reader_close(reader);
    ring_reader_close(copier);
    ring_writer_close(writer);
    free(buffer.data);
}

static void a_ring_that_is_not_there_is_absent(void **state)
{
    (void)state;
    struct error err = {0};
    assert_int_equal(ring_verify(fixture_instance, "no.raw", &found, &err), -1);
    assert_int_equal(err.code, RING_ERROR_ABSENT);
}

/* ---- damage ---- */

static void damaged_objects_are_named(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    char ctl[RING_PATH_SIZE], data[RING_PATH_SIZE];
    path_of(ctl, "");
    path_of(data, ".1");

    ring.ctl->header->magic ^= 1;
    assert_found(RING_FAULT_UNREADABLE, false, "", "magic");
    ring.ctl->header->magic ^= 1;
    ring.map->header->slot_count++;
    assert_found(RING_FAULT_UNREADABLE, false, "generation 1", "contradicts");
    ring.map->header->slot_count--;
    ring.map->header->abi_major++;
    assert_found(RING_FAULT_UNREADABLE, false, "generation 1", "ABI");
    ring.map->header->abi_major--;
    assert_int_equal(truncate(data, 100), 0);
    verify();
    assert_int_equal(found.list[0].fault, RING_FAULT_UNREADABLE);
    free_ring(&ring);
}

static void others_may_not_write(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    char path[RING_PATH_SIZE];
    path_of(path, "");
    assert_int_equal(chmod(path, 0606), 0);
    assert_found(RING_FAULT_OWNER, false, "", "606");
    assert_int_equal(chmod(path, 0600), 0);
    path_of(path, ".1");
    assert_int_equal(chmod(path, 0602), 0);
    assert_found(RING_FAULT_OWNER, false, "generation 1", "602");
    assert_int_equal(chmod(path, 0600), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 12345, -1), 0);
        assert_found(RING_FAULT_OWNER, false, "generation 1", "user 12345");
        assert_int_equal(chown(path, 0, -1), 0);
    }
    assert_clean();
    free_ring(&ring);
}

static void a_header_may_not_name_another_ring(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    char from[RING_PATH_SIZE], to[RING_PATH_SIZE];
    struct error err;
    path_of(from, "");
    snprintf(to, sizeof to, RING_DIRECTORY "/" RING_PREFIX "%s.other.raw", fixture_instance);
    assert_int_equal(link(from, to), 0);
    assert_int_equal(ring_verify(fixture_instance, "other.raw", &found, &err), 0);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.list[0].fault, RING_FAULT_NAME);
    assert_non_null(strstr(found.list[0].text, "cam.raw"));
    unlink(to);
    free_ring(&ring);
}

static void memory_that_is_not_there_is_told(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    char path[RING_PATH_SIZE];
    path_of(path, ".1");
    int fd = open(path, O_RDWR);
    off_t last_page = (off_t)(ring.map->size - 4096);
    assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, last_page, 4096), 0);
    assert_found(RING_FAULT_MEMORY, false, "generation 1", "only");
    close(fd);
    free_ring(&ring);
}

static void header_words_have_their_values(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    ring.ctl->header->unsupervised = 7;
    assert_found(RING_FAULT_LAYOUT, false, "", "unsupervised is 7");
    ring.ctl->header->unsupervised = 0;
    ring.map->header->payload_offset += 64 * ring.map->slot_count;
    ring.map->header->slot_bytes -= 64;
    verify();
    assert_true(found.count > 0 && found.list[0].fault == RING_FAULT_LAYOUT);
    assert_non_null(strstr(found.list[0].text, "not page-aligned"));
    ring.map->header->payload_offset -= 64 * ring.map->slot_count;
    ring.map->header->slot_bytes += 64;
    atomic_store(&ring.map->header->state, 9);
    assert_found(RING_FAULT_LAYOUT, false, "", "state is 9");
    atomic_store(&ring.map->header->state, RING_RETIRED);
    assert_found(RING_FAULT_RETIRED, false, "generation 1", "marked retired");
    atomic_store(&ring.map->header->state, RING_LIVE);
    atomic_store(&ring.ctl->header->closed, 1);
    assert_found(RING_FAULT_CLOSED, false, "", "still there");
    free_ring(&ring);
}

static void touch(const char *suffix)
{
    char path[RING_PATH_SIZE];
    path_of(path, suffix);
    close(open(path, O_CREAT | O_RDWR, 0600));
}

static void generations_are_two_at_most(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    char path[RING_PATH_SIZE], away[RING_PATH_SIZE];
    touch(".3"); /* one beyond what may be in the making */
    assert_found(RING_FAULT_GENERATION, false, "generation 3", "the current one is 1");
    path_of(path, ".3");
    unlink(path);
    touch(".2");
    assert_clean(); /* which a living writer may be making */
    close_writer(&ring);
    assert_found(RING_FAULT_UNFINISHED, true, "generation 2", "the writer died");
    path_of(path, ".2");
    unlink(path);
    touch(".name");
    touch(".01");
    assert_clean(); /* no generations */
    path_of(path, ".1");
    path_of(away, ".away");
    assert_int_equal(rename(path, away), 0);
    assert_found(RING_FAULT_GENERATION, false, "generation 1", "does not exist");
    free_ring(&ring);
}

static void three_generations_are_one_too_many(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    struct error err;
    assert_int_equal(ring_writer_reserve(ring.writer, 3 * FIXTURE_BYTES, 0, &err), 0);
    assert_clean();
    touch(".1");
    touch(".3");
    assert_found(RING_FAULT_GENERATION, false, "", "3 generations are linked");
    free_ring(&ring);
}

static void head_names_a_finished_slot(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    uint64_t head = atomic_load(&ring.map->header->head);
    uint32_t newest = slot_of(&ring, 5);
    atomic_store(&ring.map->header->head, ring_head_pack(5, 200));
    assert_found(RING_FAULT_HEAD, false, "", "names slot 200");
    atomic_store(&ring.map->header->head, ring_head_pack(5, slot_of(&ring, 4)));
    assert_found(RING_FAULT_HEAD, false, "", "whose sequence number is 8");
    atomic_store(&ring.map->header->head, head);
    atomic_store(&ring.map->slots[newest].seq, RING_SEQ_WRITING);
    assert_found(RING_FAULT_HEAD, false, "", "whose sequence number is 1");
    atomic_store(&ring.map->slots[newest].seq, 10);
    assert_clean();
    free_ring(&ring);
}

static void sequence_numbers_are_those_a_writer_stores(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    uint32_t slot = empty_slot(&ring);
    _Atomic uint64_t *seq = &ring.map->slots[slot].seq;
    ring.map->slots[slot].frame = ring.map->slots[slot_of(&ring, 5)].frame;
    ring.map->slots[slot].frame.number = 7;
    atomic_store(seq, 14);
    assert_found(RING_FAULT_SEQUENCE, false, where("slot", slot), "the newest is 5");
    atomic_store(seq, 13);
    assert_found(RING_FAULT_SEQUENCE, false, where("slot", slot), "odd sequence number 13");

    atomic_store(seq, RING_SEQ_WRITING);
    assert_clean();
    /* one of another container: only its lock tells */
    int32_t pid = atomic_exchange(&ring.map->header->writer_pid, 0);
    assert_clean();
    atomic_store(&ring.map->header->writer_pid, pid);
    ring.map->slots[slot].frame.number = 6;
    atomic_store(seq, 12); /* between the two stores of a commit */
    assert_clean();
    close_writer(&ring);
    assert_found(RING_FAULT_UNFINISHED, true, where("slot", slot), "before it published it");
    atomic_store(seq, RING_SEQ_WRITING);
    assert_found(RING_FAULT_UNFINISHED, true, where("slot", slot), "when its writer died");
    free_ring(&ring);
}

static void a_frame_is_in_one_slot(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    uint32_t slot = empty_slot(&ring), other = slot_of(&ring, 4);
    ring.map->slots[slot].frame = ring.map->slots[other].frame;
    atomic_store(&ring.map->slots[slot].seq, 8);
    assert_found(RING_FAULT_DUPLICATE, false, where("slot", slot > other ? slot : other),
                 "holds frame 4, as slot");
    free_ring(&ring);
}

static void descriptions_are_checked(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    uint32_t slot = slot_of(&ring, 4);
    struct ring_frame *frame = &ring.map->slots[slot].frame, good = *frame;
    frame->number = 2;
    assert_found(RING_FAULT_DESCRIPTOR, false, where("slot", slot), "described as frame 2");
    *frame = good;
    frame->bytes = UINT32_MAX;
    assert_found(RING_FAULT_DESCRIPTOR, false, where("slot", slot), "4294967295 bytes");
    *frame = good;
    frame->format = 77;
    assert_found(RING_FAULT_DESCRIPTOR, false, where("slot", slot), "format 77");
    *frame = good;
    assert_clean();
    free_ring(&ring);
}

static void pins_name_what_can_be_pinned(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    _Atomic uint64_t *pin = &ring.ctl->header->rows[1].pin;
    atomic_store(pin, ring_pin_pack(2, 0));
    assert_found(RING_FAULT_PIN, false, "row 1", "pins generation 2");
    atomic_store(pin, ring_pin_pack(1, 249));
    assert_found(RING_FAULT_PIN, false, "row 1", "pins slot 249");
    atomic_store(pin, UINT64_C(1) << 32);
    assert_found(RING_FAULT_PIN, false, "row 1", "pins slot -1");
    atomic_store(pin, 0);

    _Atomic uint64_t *nobodys = &ring.ctl->header->rows[2].pin;
    atomic_store(nobodys, ring_pin_pack(1, 0));
    assert_found(RING_FAULT_PIN, false, "row 2", "belongs to nobody");
    atomic_store(nobodys, 0);

    ring.ctl->header->unsupervised = 1;
    atomic_store(&ring.ctl->header->rows[0].pin, ring_pin_pack(1, 0));
    assert_found(RING_FAULT_PIN, false, "row 0", "no encoders");
    ring.ctl->header->unsupervised = 0;
    assert_clean(); /* the lease's holder at work */
    free_ring(&ring);
}

static void a_pinned_frame_stays(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    struct ring_frame frame;
    const uint8_t *data;
    struct error err;
    assert_int_equal(ring_reader_acquire(ring.reader, 0, &frame, &data, &err), RING_GOT);
    uint32_t slot = slot_of(&ring, 5);
    assert_int_equal(fixture_publish(ring.writer, 6), 6);
    assert_clean();
    /* a writer that does not look at pins */
    atomic_store(&ring.map->slots[slot].seq, RING_SEQ_WRITING);
    assert_found(RING_FAULT_PIN, false, "row 1", "whose sequence number is 1");
    free_ring(&ring);
}

/* The writer's predecessor died between two stores of one loan: it had taken the slot up and not
 * put it back yet. */
static void a_pinned_slot_may_lose_its_number(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    struct ring_frame frame;
    const uint8_t *data;
    struct error err;
    assert_int_equal(ring_reader_acquire(ring.reader, 0, &frame, &data, &err), RING_GOT);
    uint32_t slot = slot_of(&ring, 5);
    assert_int_equal(fixture_publish(ring.writer, 6), 6);
    atomic_store(&ring.map->slots[slot].seq, RING_SEQ_WRITING);
    close_writer(&ring);
    char where[24];
    snprintf(where, sizeof where, "slot %u", slot);
    assert_found(RING_FAULT_UNFINISHED, true, where, "was being written");
    ring.writer = fixture_writer(0);
    assert_int_equal(atomic_load(&ring.map->slots[slot].seq), 0);
    assert_clean();
    for (uint64_t n = 7; n < 30; n++)
        assert_int_equal(fixture_publish(ring.writer, n), n);
    assert_true(fixture_holds(data, 5));
    assert_clean();
    free_ring(&ring);
}

static void rows_are_checked(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    struct ring_row *row = &ring.ctl->header->rows[1];
    atomic_store(&row->waker, 1000);
    assert_found(RING_FAULT_ROW, false, "row 1", "waker 999");
    atomic_store(&row->waker, 0);
    row->who[15] = 'x';
    assert_found(RING_FAULT_ROW, false, "row 1", "name");
    row->who[15] = '\0';
    free_ring(&ring);
}

/* What another process is about to put right is no fault. */
static void a_passing_state_is_no_fault(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    atomic_store(&ring.ctl->header->closed, 1);
    atomic_store(&ring.ctl->header->rows[2].pin, ring_pin_pack(1, 0));
    pid_t child = fork();
    if (child == 0) {
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        atomic_store(&ring.ctl->header->closed, 0);
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        atomic_store(&ring.ctl->header->rows[2].pin, 0);
        _exit(0);
    }
    verify();
    assert_int_equal(waitpid(child, NULL, 0), child);
    print_findings();
    assert_int_equal(found.count, 0);
    free_ring(&ring);
}

static void accounts_add_up(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    struct ring_row *row = &ring.ctl->header->rows[1];
    uint64_t taken = atomic_load(&row->taken), joined = atomic_load(&row->joined),
             last = atomic_load(&row->last);
    assert_true(taken == 2 && joined == 0 && last == 3);
    atomic_store(&row->taken, 4);
    assert_found(RING_FAULT_ACCOUNTS, false, "row 1", "took 4 frames between frame 0 and frame 3");
    atomic_store(&row->taken, taken);
    atomic_store(&row->joined, 4);
    assert_found(RING_FAULT_ACCOUNTS, false, "row 1", "between frame 4 and frame 3");
    atomic_store(&row->joined, joined);
    atomic_store(&row->last, 9);
    assert_found(RING_FAULT_ACCOUNTS, false, "row 1", "had frame 9, and the newest is 5");
    atomic_store(&row->last, last);
    assert_clean();
    free_ring(&ring);
}

/* ---- what the dead leave ---- */

static void die_with_a_pin(void)
{
    struct error err;
    struct ring_frame frame;
    const uint8_t *data;
    struct ring_reader *reader =
        ring_reader_open(fixture_instance, "cam.raw", RING_MEMBER, "bad\033[2J", &err);
    if (!reader || ring_reader_acquire(reader, 0, &frame, &data, &err) != RING_GOT)
        _exit(1);
    kill(getpid(), SIGKILL);
}

static void a_dead_reader_is_told_from_damage(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    pid_t child = fork();
    if (child == 0)
        die_with_a_pin();
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_found(RING_FAULT_DEAD_READER, true, "row 2", "pinned; it waits");
    assert_non_null(strstr(found.list[0].text, "bad?[2J")); /* nothing that a terminal would obey */
    assert_int_equal(ring_ctl_reap(ring.ctl), 1);
    assert_clean();
    free_ring(&ring);
}

static void many_faults_are_counted(void **state)
{
    (void)state;
    struct ring ring = make_ring();
    for (unsigned i = 1; i <= FIXTURE_ROWS; i++)
        atomic_store(&ring.ctl->header->rows[i].waker, 1000);
    for (uint32_t i = 0; i < ring.map->slot_count; i++)
        atomic_store(&ring.map->slots[i].seq, 2001 + 2 * i);
    verify();
    assert_int_equal(found.count, FIXTURE_ROWS + ring.map->slot_count + 1 /* head */);
    free_ring(&ring);
}

/* ---- healthy and busy ---- */

enum { RUNS = 1000, GROWTHS = 150 };

/* Each is a process of its own that works until it is killed. */

static void write_and_grow(unsigned seed)
{
    struct error err;
    struct ring_writer *writer = ring_writer_open(fixture_instance, "cam.raw", true, &err);
    if (!writer)
        _exit(1);
    size_t bytes = FIXTURE_BYTES;
    for (unsigned n = seed;; n++) {
        if (n % 64 == 0 && bytes < GROWTHS * FIXTURE_BYTES)
            bytes += FIXTURE_BYTES;
        struct ring_loan loan, aborted;
        if (ring_writer_reserve(writer, bytes, 2, &err) < 0 || !ring_loan(writer, &loan))
            continue;
        bool second = n % 5 == 0 && ring_loan(writer, &aborted);
        struct ring_frame frame = fixture_frame();
        ring_commit(writer, &loan, &frame);
        ring_loan_release(writer, &loan);
        if (second)
            ring_loan_release(writer, &aborted);
    }
}

static void pin(unsigned seed)
{
    struct error err;
    struct ring_frame frame = {0};
    const uint8_t *data;
    struct ring_reader *reader =
        ring_reader_open(fixture_instance, "cam.raw", RING_MEMBER, "pin", &err);
    for (unsigned n = seed; reader; n++) {
        uint32_t heard = ring_reader_listen(reader);
        if (ring_reader_acquire(reader, frame.number, &frame, &data, &err) != RING_GOT) {
            ring_reader_wait(reader, heard, CLOCK_NEVER);
            continue;
        }
        if (n % 8 == 0)
            sched_yield();
        ring_reader_release(reader);
    }
    _exit(1);
}

static void come_and_go(unsigned seed)
{
    (void)seed;
    struct error err;
    struct ring_frame frame = {0};
    struct ring_buffer buffer = {0};
    for (;;) {
        struct ring_reader *reader =
            ring_reader_open(fixture_instance, "cam.raw", RING_MEMBER, "guest", &err);
        if (reader)
            ring_reader_copy(reader, 0, &buffer, &frame, &err);
        ring_reader_close(reader);
        sched_yield();
    }
}

static void (*const works[])(unsigned seed) = {write_and_grow, pin, pin, come_and_go};
#define WORKERS (sizeof works / sizeof works[0])

static pid_t start(size_t i, unsigned seed)
{
    pid_t child = fork();
    if (child == 0)
        works[i](seed);
    return child;
}

static void end(pid_t child)
{
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static uint64_t head_now(void)
{
    struct ring_reader *reader = fixture_reader(RING_OBSERVER);
    uint64_t head;
    while ((head = ring_reader_head(reader)) ==
           0) /* nothing yet, or generations change faster than they can be mapped */
        sched_yield();
    ring_reader_close(reader);
    return head;
}

static void a_busy_ring_is_never_accused(void **state)
{
    (void)state;
    pid_t workers[WORKERS];
    for (size_t i = 0; i < WORKERS; i++)
        workers[i] = start(i, 1);
    uint64_t before = head_now();
    unsigned accused = 0;
    unsigned run = 0;
    uint64_t frames = 0;
    for (; (run < RUNS || frames < 10 * RUNS) && accused == 0; run++) {
        verify();
        accused += found.count + found.dropped;
        frames = head_now() - before;
    }
    for (size_t i = 0; i < WORKERS; i++)
        end(workers[i]);
    print_message("%llu frames in %u looks\n", (unsigned long long)frames, run);
    print_findings();
    assert_int_equal(accused, 0);
}

/* Workers are killed and started anew all the time: what they leave is never called broken. */
static void a_ring_of_mortals_is_never_accused(void **state)
{
    (void)state;
    pid_t workers[WORKERS];
    for (size_t i = 0; i < WORKERS; i++)
        workers[i] = start(i, 1);
    unsigned accused = 0;
    for (unsigned run = 0; run < RUNS / 5 && accused == 0; run++) {
        end(workers[run % WORKERS]);
        if (run % 3)
            workers[run % WORKERS] = start(run % WORKERS, run);
        verify();
        for (unsigned i = 0; i < found.count; i++)
            accused += !found.list[i].left;
        if (run % 3 == 0)
            workers[run % WORKERS] = start(run % WORKERS, run);
    }
    for (size_t i = 0; i < WORKERS; i++)
        end(workers[i]);
    if (accused > 0)
        print_findings();
    assert_int_equal(accused, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_create, fixture_destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_ring_is_all_right_at_every_age),
        TEST(a_ring_that_is_not_there_is_absent),
        TEST(damaged_objects_are_named),
        TEST(others_may_not_write),
        TEST(a_header_may_not_name_another_ring),
        TEST(memory_that_is_not_there_is_told),
        TEST(header_words_have_their_values),
        TEST(generations_are_two_at_most),
        TEST(three_generations_are_one_too_many),
        TEST(head_names_a_finished_slot),
        TEST(sequence_numbers_are_those_a_writer_stores),
        TEST(a_frame_is_in_one_slot),
        TEST(descriptions_are_checked),
        TEST(pins_name_what_can_be_pinned),
        TEST(a_pinned_frame_stays),
        TEST(a_pinned_slot_may_lose_its_number),
        TEST(rows_are_checked),
        TEST(a_passing_state_is_no_fault),
        TEST(accounts_add_up),
        TEST(a_dead_reader_is_told_from_damage),
        TEST(many_faults_are_counted),
        TEST(a_busy_ring_is_never_accused),
        TEST(a_ring_of_mortals_is_never_accused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
