/* Rings whose memory is not what a camring program wrote: what the fuzz targets (tests/fuzz/)
 * found, and what they can't find.
 */
#include "common/ring_layout.h"

#include "ring_fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* An object of the ring, to be written to; `suffix` is what its name has after the ring's. */
static void *map_object(const char *suffix, size_t *size)
{
    char path[128];
    struct stat st;
    snprintf(path, sizeof path, RING_DIRECTORY "/" RING_PREFIX "%s.cam.raw%s", fixture_instance,
             suffix);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(fstat(fd, &st), 0);
    void *base = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    assert_ptr_not_equal(base, MAP_FAILED);
    *size = (size_t)st.st_size;
    return base;
}

static void last_generation_is_followed_by_the_first(void **state)
{
    (void)state;
    size_t size;
    struct ring_ctl_header *ctl = map_object("", &size);
    atomic_store(&ctl->generation, UINT32_MAX);
    struct ring_writer *writer = fixture_writer(0);
    assert_int_equal(atomic_load(&ctl->generation), 1);
    assert_int_equal(fixture_publish(writer, 1), 1);
    ring_writer_close(writer);
    munmap(ctl, size);
}

static void assert_refused(void)
{
    struct error err = {0};
    assert_null(ring_reader_open(fixture_instance, "cam.raw", RING_OBSERVER, "", &err));
    assert_int_equal(err.code, RING_ERROR_CORRUPT);
    assert_null(ring_writer_open(fixture_instance, "cam.raw", true, &err));
    assert_int_equal(err.code, RING_ERROR_CORRUPT);
    assert_null(ring_ctl_open(fixture_instance, "cam.raw", &err));
    assert_int_equal(err.code, RING_ERROR_CORRUPT);
}

/* Otherwise whoever opens it would read, or unlink, the other ring's frames. */
static void header_that_names_another_ring_is_refused(void **state)
{
    (void)state;
    struct error err;
    struct ring_create other = {.instance = fixture_instance,
                                .camera = "other",
                                .variant = "raw",
                                .kind = RING_RAW,
                                .rows = FIXTURE_ROWS};
    assert_int_equal(ring_create(&other, &err), 0);
    struct ring_writer *writer = ring_writer_open(fixture_instance, "other.raw", true, &err);
    assert_int_equal(ring_writer_reserve(writer, FIXTURE_BYTES, 0, &err), 0);

    size_t size;
    struct ring_ctl_header *ctl = map_object("", &size);
    atomic_store(&ctl->generation, 1);
    snprintf(ctl->camera, sizeof ctl->camera, "other");
    assert_refused();
    ring_unlink(fixture_instance, "cam.raw");
    struct ring_reader *reader =
        ring_reader_open(fixture_instance, "other.raw", RING_OBSERVER, "", &err);
    struct ring_stat *stat = calloc(1, sizeof *stat);
    assert_int_equal(ring_reader_stat(reader, stat, &err), 0); /* its frames are still there */
    assert_int_equal(stat->generation, 1);
    free(stat);
    ring_reader_close(reader);
    ring_writer_close(writer);
    munmap(ctl, size);
}

/* Under UBSan: no arithmetic on times may overflow. */
static void times_of_commit_may_be_anything(void **state)
{
    (void)state;
    static const int64_t times[] = {INT64_MAX, INT64_MIN, -1, 0, INT64_MAX / 2 + 1};
    struct ring_writer *writer = fixture_writer(0);
    fixture_publish(writer, 1);
    fixture_publish(writer, 2);
    size_t size;
    uint8_t *data = map_object(".1", &size);
    struct ring_slot *slots = (struct ring_slot *)(void *)(data + sizeof(struct ring_data_header));
    struct ring_reader *reader = fixture_reader(RING_OBSERVER);
    struct ring_stat *stat = calloc(1, sizeof *stat);
    struct error err;
    for (size_t i = 0; i < 5; i++)
        for (size_t j = 0; j < 5; j++) {
            slots[0].frame.committed_ns = times[i];
            slots[1].frame.committed_ns = times[j];
            assert_int_equal(ring_reader_stat(reader, stat, &err), 0);
            assert_true(stat->fps >= 0);
        }
    free(stat);
    ring_reader_close(reader);
    ring_writer_close(writer);
    munmap(data, size);
}

static _Atomic bool stop;

static void *move_head(void *arg)
{
    struct ring_data_header *header = arg;
    for (uint64_t number = 1000; !atomic_load(&stop); number++)
        atomic_store(&header->head, ring_head_pack(number, 0));
    return NULL;
}

/* A head that moves as fast as it can and never names a frame that is there. */
static void acquire_ends_however_fast_head_moves(void **state)
{
    (void)state;
    struct ring_writer *writer = fixture_writer(0);
    fixture_publish(writer, 1);
    size_t size;
    void *data = map_object(".1", &size);
    struct ring_reader *reader = fixture_reader(RING_MEMBER);
    struct ring_frame frame;
    const uint8_t *payload;
    struct error err;
    pthread_t thread;
    atomic_store(&stop, false);
    assert_int_equal(pthread_create(&thread, NULL, move_head, data), 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(ring_reader_acquire(reader, 1, &frame, &payload, &err) == RING_GOT, false);
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    ring_reader_close(reader);
    ring_writer_close(writer);
    munmap(data, size);
}

#define HOSTILE_TEST(f) cmocka_unit_test_setup_teardown(f, fixture_create, fixture_destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOSTILE_TEST(last_generation_is_followed_by_the_first),
        HOSTILE_TEST(header_that_names_another_ring_is_refused),
        HOSTILE_TEST(times_of_commit_may_be_anything),
        HOSTILE_TEST(acquire_ends_however_fast_head_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
