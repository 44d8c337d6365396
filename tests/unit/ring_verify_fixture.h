/* ring_verify_fixture.h: a ring to be damaged, and what is found in it. */
#ifndef RING_VERIFY_FIXTURE_H
#define RING_VERIFY_FIXTURE_H

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

static inline void look_at(struct ring *ring)
{
    struct error err;
    ring->ctl = ring_map_ctl(fixture_instance, "cam.raw", true, &err);
    assert_non_null(ring->ctl);
    ring->map =
        ring_map_data(ring->ctl, atomic_load(&ring->ctl->header->generation), RING_WRITE, &err);
    assert_non_null(ring->map);
}

static inline struct ring make_ring(void)
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

static inline void close_writer(struct ring *ring)
{
    ring_writer_close(ring->writer);
    ring->writer = NULL;
    atomic_store(&ring->map->header->writer_pid, 0); /* this process lives on, its writer is gone */
}

static inline void free_ring(struct ring *ring)
{
    ring_reader_close(ring->reader);
    ring_writer_close(ring->writer);
    ring_map_drop(ring->map);
    ring_ctl_close(ring->ctl);
}

static inline void verify(void)
{
    struct error err = {0};
    assert_int_equal(ring_verify(fixture_instance, "cam.raw", &found, &err), 0);
}

static inline void print_findings(void)
{
    for (unsigned i = 0; i < found.count; i++)
        print_error("%s%s: %s: %s\n", ring_fault_name(found.list[i].fault),
                    found.list[i].left ? " (left)" : "", found.list[i].where, found.list[i].text);
}

static inline void assert_clean(void)
{
    verify();
    if (found.count > 0)
        print_findings();
    assert_int_equal(found.count + found.dropped, 0);
}

/* Exactly one finding: this one. */
static inline void assert_found(enum ring_fault fault, bool left, const char *where,
                                const char *word)
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

static inline uint32_t slot_of(const struct ring *ring, uint64_t number)
{
    for (uint32_t i = 0; i < ring->map->slot_count; i++)
        if (ring->map->slots[i].seq == 2 * number)
            return i;
    fail_msg("no slot holds frame %llu", (unsigned long long)number);
    return 0;
}

static inline uint32_t empty_slot(const struct ring *ring)
{
    return slot_of(ring, 0);
}

static inline char *where(const char *what, uint64_t place)
{
    static char text[24];
    snprintf(text, sizeof text, "%s %llu", what, (unsigned long long)place);
    return text;
}

static inline void path_of(char *path, const char *suffix)
{
    snprintf(path, RING_PATH_SIZE, RING_DIRECTORY "/" RING_PREFIX "%s.cam.raw%s", fixture_instance,
             suffix);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_create, fixture_destroy)

#endif
