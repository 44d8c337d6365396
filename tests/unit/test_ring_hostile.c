/* The ring: what is told of it, its names, and memory that is not what it should be. */
#include "ring_fixture.h"

#include "common/clock.h"
#include "common/ring_layout.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

/* ---- hostile memory ---- */

static int attach_code(void)
{
    struct error err = {0};
    struct ring_reader *reader =
        ring_reader_open(fixture_instance, "cam.raw", RING_OBSERVER, "", &err);
    if (!reader)
        return err.code;
    struct ring_buffer buffer = {0};
    struct ring_frame frame;
    int code = ring_reader_copy(reader, 0, &buffer, &frame, &err) == RING_FAILED ? err.code : 0;
    free(buffer.data);
    ring_reader_close(reader);
    return code;
}

static void poke(const char *suffix, size_t at, uint32_t value)
{
    char path[200];
    fixture_path(path, suffix);
    int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, &value, 4, (off_t)at), 4);
    close(fd);
}

static void poke_past(unsigned which, uint64_t past)
{
    size_t at = offsetof(struct ring_data_header, past) + which * sizeof past;
    poke(".1", at, (uint32_t)past);
    poke(".1", at + 4, (uint32_t)(past >> 32));
}

static void rate_is_that_of_the_last_seconds(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(0);
    struct ring_reader *reader = fixture_reader(RING_OBSERVER);
    struct ring_stat *stat = malloc(sizeof *stat);
    struct error err;
    assert_int_equal(fixture_publish(writer, 1), 1);
    assert_int_equal(ring_reader_stat(reader, stat, &err), 0);
    assert_true(stat->fps == 0); /* of one frame nothing can be said */
    for (uint64_t n = 2; n <= 51; n++)
        fixture_publish(writer, n);
    assert_int_equal(ring_reader_stat(reader, stat, &err), 0);
    poke_past(0, ring_past_pack(1, stat->newest.committed_ns - 2 * NS_PER_S));
    poke_past(1, ring_past_pack(26, stat->newest.committed_ns - NS_PER_S));
    assert_int_equal(ring_reader_stat(reader, stat, &err), 0);
    assert_true(stat->fps > 24.99 && stat->fps < 25.01);
    fixture_publish(writer, 52); /* a second is over: the older of the two is forgotten */
    assert_int_equal(ring_reader_stat(reader, stat, &err), 0);
    assert_true(stat->fps > 25.5 && stat->fps < 26.01);
    free(stat);
    ring_reader_close(reader);
    ring_writer_close(writer);
}

static void attach_names_what_is_wrong(void **state)
{
    (void)state;
    struct error err;
    assert_null(ring_reader_open(fixture_instance, "none.raw", RING_OBSERVER, "", &err));
    assert_int_equal(err.code, RING_ERROR_ABSENT);
    assert_int_equal(attach_code(), 0);
    struct ring_writer *writer = fixture_writer(0);
    fixture_publish(writer, 1);
    assert_int_equal(attach_code(), 0);
    poke(".1", offsetof(struct ring_data_header, slot_count), 249);
    assert_int_equal(attach_code(), RING_ERROR_CORRUPT);
    poke(".1", offsetof(struct ring_data_header, abi_major), 99);
    assert_int_equal(attach_code(), RING_ERROR_ABI);
    poke(".1", offsetof(struct ring_data_header, magic), 0);
    assert_int_equal(attach_code(), RING_ERROR_CORRUPT);
    poke("", offsetof(struct ring_ctl_header, byte_order), 0x04030201);
    assert_int_equal(attach_code(), RING_ERROR_ABI);
    char path[200];
    fixture_path(path, "");
    assert_int_equal(truncate(path, 10), 0);
    assert_int_equal(attach_code(), RING_ERROR_CORRUPT);
    ring_writer_close(writer);
}

/* A copy with holes, as cp and tar make them: with /dev/shm full, reading one would be SIGBUS. */
static void holes_are_not_attached_to(void **state)
{
    (void)state;
    static const char *const objects[] = {"", ".1"};
    struct ring_writer *writer = fixture_writer(0);
    fixture_publish(writer, 1);
    ring_writer_close(writer);
    for (int i = 1; i >= 0; i--) {
        char path[200];
        fixture_path(path, objects[i]);
        int fd = open(path, O_RDWR);
        assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, i * 4096, 4096),
                         0);
        close(fd);
        assert_int_equal(attach_code(), RING_ERROR_CORRUPT);
    }
}

/* Random damage to header, head and descriptors: an error or a frame that fits, never a crash or a
 * read outside (ASan looks on). */
static void random_damage_never_crashes_a_reader(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(0);
    fixture_publish(writer, 1);
    ring_writer_close(writer);
    char path[200];
    fixture_path(path, ".1");
    int fd = open(path, O_RDWR);
    uint8_t good[sizeof(struct ring_data_header) + 8 * sizeof(struct ring_slot)], bad[sizeof good];
    assert_int_equal(pread(fd, good, sizeof good, 0), sizeof good);
    srandom(20);
    struct ring_stat *stat = malloc(sizeof *stat);
    for (int round = 0; round < 3000; round++) {
        memcpy(bad, good, sizeof good);
        for (long hits = 1 + random() % 4; hits > 0; hits--)
            bad[random() % (long)sizeof bad] = (uint8_t)random();
        assert_int_equal(pwrite(fd, bad, sizeof bad, 0), sizeof bad);
        attach_code();
        struct error err;
        struct ring_reader *reader = fixture_reader(RING_OBSERVER);
        ring_reader_stat(reader, stat, &err);
        ring_reader_close(reader);
    }
    free(stat);
    close(fd);
}

static void count_ring(const char *instance, const char *name, void *arg)
{
    (void)instance;
    if (strcmp(name, "cam.raw") == 0)
        ++*(int *)arg;
}

static void rings_are_listed_by_instance(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(0); /* its data object must not count */
    int count = 0;
    ring_list(fixture_instance, count_ring, &count);
    assert_int_equal(count, 1);
    ring_list("no-such-instance", count_ring, &count);
    assert_int_equal(count, 1);
    ring_writer_close(writer);
}

static void ids_are_checked(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "door", "0", "cam-1_x",
                                       "abcdefghijklmnopqrstuvwxyz012345"};
    static const char *const bad[] = {
        "", "-a", "_a", "Door", "a.b", "a/b", "a b", "abcdefghijklmnopqrstuvwxyz0123456", "ä"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(ring_id_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(ring_id_valid(bad[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RING_TEST(rate_is_that_of_the_last_seconds),
        RING_TEST(attach_names_what_is_wrong),
        RING_TEST(holes_are_not_attached_to),
        RING_TEST(random_damage_never_crashes_a_reader),
        RING_TEST(rings_are_listed_by_instance),
        cmocka_unit_test(ids_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
