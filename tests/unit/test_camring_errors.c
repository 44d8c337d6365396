/* The public interface: each way to fail has its own code and says what is wrong. */
#include "camring_fixture.h"

#include <fcntl.h>
#include <sys/resource.h>

static void names_are_checked(void **state)
{
    (void)state;
    expect_no_attach("none", 0, CAMRING_ABSENT, "no such ring");
    static const char *const nonsense[] = {"", ".", "a.b.c", "A", "a/b", "../x", "a.", ".b", "x y"};
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++)
        expect_no_attach(nonsense[i], 0, CAMRING_USAGE, "no name of a ring");
    expect_no_attach(NULL, 0, CAMRING_USAGE, "no name of a ring");
    expect_no_attach("prog", 1u << 31, CAMRING_USAGE, "flags");
    assert_null(camring_attach("no/where", "prog", 0, &error));
    assert_non_null(strstr(error.text, "no name of an instance"));
    assert_null(camring_attach(instance, "prog", 0, NULL)); /* error is optional */
    assert_null(camring_writer_open(instance, "prog.raw", CAMRING_KIND_RAW, 201, &error));
    assert_int_equal(error.code, CAMRING_USAGE);
    assert_null(camring_writer_open(instance, "prog.raw", CAMRING_KIND_RAW, 0, &error));
    assert_int_equal(error.code, CAMRING_ABSENT); /* it is not made */
    assert_null(camring_attach(instance, "prog", 0, &error));
    assert_null(camring_writer_open(instance, "prog.raw", 2, 1, &error));
    assert_int_equal(error.code, CAMRING_USAGE);
    assert_null(camring_writer_open(instance, "../prog", CAMRING_KIND_RAW, 1, &error));
    assert_int_equal(error.code, CAMRING_USAGE);
}

static void camera_alone_names_the_ring_of_its_kind(void **state)
{
    (void)state;
    struct camring_writer *raw = camring_writer_open(instance, "prog", CAMRING_KIND_RAW, 1, &error);
    struct camring_writer *jpeg =
        camring_writer_open(instance, "prog", CAMRING_KIND_JPEG, 1, &error);
    assert_true(raw && jpeg);
    struct camring_reader *readers[2] = {camring_attach(instance, "prog.raw", 0, &error),
                                         camring_attach(instance, "prog.jpeg", 0, &error)};
    assert_true(readers[0] && readers[1]);
    camring_detach(readers[0]);
    camring_detach(readers[1]);
    camring_writer_close(raw, 0);
    assert_null(camring_writer_open(instance, "prog.raw", CAMRING_KIND_JPEG, 1,
                                    &error)); /* the ring is of another kind */
    assert_int_equal(error.code, CAMRING_USAGE);
    camring_writer_close(camring_writer_open(instance, "prog", CAMRING_KIND_RAW, 1, &error), 1);
    camring_writer_close(jpeg, 1);
}

static void null_handles_are_errors_or_nothing(void **state)
{
    (void)state;
    struct camring_frame frame;
    struct camring_stat stat;
    camring_detach(NULL);
    camring_release(NULL);
    camring_drop(NULL);
    camring_abort(NULL);
    camring_writer_close(NULL, 1);
    assert_null(camring_hold(NULL));
    assert_int_equal(camring_next(NULL, &frame, 0, &error), -1);
    assert_int_equal(error.code, CAMRING_USAGE);
    assert_int_equal(camring_next(NULL, &frame, 0, NULL), -1);
    assert_int_equal(camring_fd(NULL, &error), -1);
    assert_int_equal(camring_reader_stat(NULL, &stat, &error), -1);
    assert_int_equal(camring_writer_stat(NULL, &stat, &error), -1);
    assert_int_equal(camring_commit(NULL, &frame, &error), -1);
    assert_null(camring_loan(NULL, 1, &error));

    struct camring_writer *writer = make_writer();
    struct camring_reader *reader = make_reader(0);
    assert_int_equal(camring_next(reader, NULL, 0, &error), -1);
    assert_int_equal(camring_reader_stat(reader, NULL, &error), -1);
    assert_int_equal(camring_writer_stat(writer, NULL, &error), -1);
    assert_null(camring_loan(writer, 0, &error));
    assert_int_equal(error.code, CAMRING_USAGE);
    assert_non_null(camring_loan(writer, 1, &error));
    assert_null(camring_loan(writer, 1, &error)); /* one at a time */
    assert_int_equal(error.code, CAMRING_USAGE);
    assert_int_equal(camring_commit(writer, NULL, &error), -1);
    assert_int_equal(error.code, CAMRING_USAGE);
    camring_abort(writer);
    camring_release(reader); /* there is none: nothing happens */
    camring_release(reader);
    assert_null(camring_hold(reader));
    camring_detach(reader);
    camring_writer_close(writer, 1);
}

/* ---- each way not to get a ring ---- */

/* Overwrites four bytes of a ring's object: `suffix` is "" for ctl, ".1" for the data of
 * generation 1. */
static uint32_t poke(const char *suffix, size_t at, uint32_t value)
{
    char path[100];
    uint32_t before;
    snprintf(path, sizeof path, RING_DIRECTORY "/" RING_PREFIX "%s.prog.raw%s", instance, suffix);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, &before, sizeof before, (off_t)at), sizeof before);
    assert_int_equal(pwrite(fd, &value, sizeof value, (off_t)at), sizeof value);
    close(fd);
    return before;
}

static void ring_without_a_frame_can_be_attached_to_or_told(void **state)
{
    (void)state;
    struct camring_writer *writer = make_writer();
    expect_no_attach("prog", CAMRING_READY, CAMRING_EMPTY, "no frame yet");
    struct camring_reader *reader = make_reader(0);
    struct camring_frame frame;
    assert_int_equal(camring_next(reader, &frame, 0, &error), 0);
    produce(writer, 1);
    assert_int_equal(camring_next(reader, &frame, 0, &error), 1);
    camring_detach(make_reader(CAMRING_READY));
    camring_detach(make_reader(CAMRING_READY | CAMRING_OBSERVE));
    camring_detach(reader);
    camring_writer_close(writer, 1);
}

static void other_abi_and_damage_are_told_apart(void **state)
{
    (void)state;
    struct camring_writer *writer = make_writer();
    produce(writer, 1);
    size_t abi = offsetof(struct ring_ctl_header, abi_major),
           order = offsetof(struct ring_ctl_header, byte_order);
    uint32_t before = poke("", abi, RING_ABI_MAJOR + 1);
    expect_no_attach("prog", 0, CAMRING_ABI, "another version (ABI 3.0, this is 2.2)");
    poke("", abi, 1); /* whose slots all existed */
    expect_no_attach("prog", 0, CAMRING_ABI, "another version (ABI 1.0, this is 2.2)");
    assert_null(camring_writer_open(instance, "prog.raw", CAMRING_KIND_RAW, 2, &error));
    assert_int_equal(error.code, CAMRING_ABI);
    poke("", abi, before);
    before = poke("", order, 0x04030201);
    expect_no_attach("prog", 0, CAMRING_ABI, "byte order");
    poke("", order, before);
    before = poke(".1", offsetof(struct ring_data_header, abi_major), RING_ABI_MAJOR + 1);
    expect_no_attach("prog", 0, CAMRING_ABI, "another version");
    poke(".1", offsetof(struct ring_data_header, abi_major), before);

    before = poke("", offsetof(struct ring_ctl_header, magic), 7);
    expect_no_attach("prog", 0, CAMRING_CORRUPT, "wrong magic");
    poke("", offsetof(struct ring_ctl_header, magic), before);
    before = poke("", offsetof(struct ring_ctl_header, generation),
                  7); /* a generation that doesn't exist */
    expect_no_attach("prog", 0, CAMRING_CORRUPT, "its frames are not");
    poke("", offsetof(struct ring_ctl_header, generation), before);
    camring_detach(make_reader(CAMRING_READY));
    camring_writer_close(writer, 1);
}

static bool attach_as_somebody_else(void *arg)
{
    (void)arg;
    return setgid(65534) == 0 && setuid(65534) == 0 &&
           !camring_attach(instance, "prog", 0, &error) && error.code == CAMRING_OWNER &&
           !camring_attach(instance, "prog", CAMRING_OBSERVE, &error) &&
           error.code == CAMRING_OWNER &&
           !camring_writer_open(instance, "prog.raw", CAMRING_KIND_RAW, 1, &error) &&
           error.code == CAMRING_OWNER;
}

static bool leave_a_ring_as_somebody_else(void *arg)
{
    (void)arg;
    if (setgid(65534) != 0 || setuid(65534) != 0)
        return false;
    struct camring_writer *writer = make_writer();
    produce(writer, 1);
    camring_writer_close(writer, 0);
    return true;
}

/* Root could open it, but is not let: who owns memory can cut it off under its readers. */
static void rings_of_other_users_are_refused(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    struct camring_writer *writer = make_writer();
    in_child(attach_as_somebody_else, NULL);
    camring_writer_close(writer, 1);
    in_child(leave_a_ring_as_somebody_else, NULL);
    expect_no_attach("prog", 0, CAMRING_OWNER, "belongs to user 65534");
    expect_no_attach("prog", CAMRING_OBSERVE, CAMRING_OWNER, "belongs to user 65534");
    assert_null(camring_writer_open(instance, "prog.raw", CAMRING_KIND_RAW, 1, &error));
    assert_int_equal(error.code, CAMRING_OWNER);
    ring_unlink_all(instance);
}

static void retired_ring_is_told_to_all_who_ask(void **state)
{
    (void)state;
    struct camring_frame frame;
    struct camring_stat stat;
    struct camring_writer *writer = make_writer();
    produce(writer, 1);
    struct camring_reader *reader = make_reader(0), *observer = make_reader(CAMRING_OBSERVE);
    camring_writer_close(writer, 1);
    struct camring_reader *both[] = {reader, observer};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(camring_next(both[i], &frame, -1, &error), -1);
        assert_int_equal(error.code, CAMRING_CLOSED);
        assert_int_equal(camring_reader_stat(both[i], &stat, &error), -1);
        assert_int_equal(error.code, CAMRING_CLOSED);
    }
    assert_int_equal(camring_fd(reader, &error), -1);
    assert_int_not_equal(error.code, CAMRING_OK);
    /* another ring of that name: the reader's is still the old one */
    camring_writer_close(make_writer(), 0);
    assert_int_equal(camring_fd(reader, &error), -1);
    assert_int_equal(error.code, CAMRING_CLOSED);
    camring_detach(reader);
    camring_detach(observer);
    ring_unlink_all(instance);
    expect_no_attach("prog", 0, CAMRING_ABSENT, "no such ring");
}

/* Its owner died between the two steps of retiring it. */
static void name_of_a_ring_retired_by_half_is_used_anew(void **state)
{
    (void)state;
    struct camring_writer *writer = make_writer();
    produce(writer, 1);
    camring_writer_close(writer, 0);
    poke("", offsetof(struct ring_ctl_header, closed), 1);
    expect_no_attach("prog", 0, CAMRING_CLOSED, "closed");
    writer = make_writer();
    struct camring_reader *reader = make_reader(0);
    assert_int_equal(produce(writer, 2), 1);
    struct camring_frame frame;
    assert_int_equal(camring_next(reader, &frame, 0, &error), 1);
    camring_detach(reader);
    camring_writer_close(writer, 1);
}

static void producer_whose_ring_was_removed_is_told_and_harms_no_other(void **state)
{
    (void)state;
    struct camring_stat stat;
    struct camring_writer *first = make_writer();
    produce(first, 1);
    ring_unlink(instance, "prog.raw");
    struct camring_writer *second = make_writer();
    assert_null(camring_loan(first, 100, &error));
    assert_int_equal(error.code, CAMRING_CLOSED);
    assert_int_equal(camring_writer_stat(first, &stat, &error), -1);
    assert_int_equal(error.code, CAMRING_CLOSED);
    camring_writer_close(first, 1);
    assert_int_equal(produce(second, 1), 1);
    camring_detach(make_reader(CAMRING_READY));
    camring_writer_close(second, 1);
}

static void full_and_busy_rings_are_told(void **state)
{
    (void)state;
    struct camring_writer *writer = make_writer();
    assert_null(camring_writer_open(instance, "prog.raw", CAMRING_KIND_RAW, 2, &error));
    assert_int_equal(error.code, CAMRING_BUSY);
    struct camring_stat stat;
    struct camring_reader *readers[2];
    for (int i = 0; i < 2; i++)
        readers[i] = make_reader(0);
    expect_no_attach("prog", 0, CAMRING_ROWS, "all 2 reader rows are taken");
    camring_detach(make_reader(CAMRING_OBSERVE)); /* needs no row */
    assert_int_equal(camring_reader_stat(readers[0], &stat, &error), 0);
    assert_true(stat.published == 0 && stat.age_ns == -1 && stat.readers == 2 && stat.rows == 2);
    assert_null(camring_loan(writer, SIZE_MAX / 4, &error));
    assert_int_equal(error.code, CAMRING_SPACE);
    for (int i = 0; i < 2; i++)
        camring_detach(readers[i]);
    assert_int_equal(camring_writer_stat(writer, &stat, &error), 0);
    assert_true(stat.readers == 0 && stat.writer_alive);
    camring_writer_close(writer, 1);
}

static void encoders_ring_has_no_second_writer(void **state)
{
    (void)state;
    struct error err;
    struct ring_create options = {
        .instance = instance, .camera = "prog", .kind = RING_JPEG, .rows = 1, .leased = true};
    options.variant = "jpeg";
    assert_int_equal(ring_create(&options, &err), 0);
    assert_null(camring_writer_open(instance, "prog.jpeg", CAMRING_KIND_JPEG, 1, &error));
    assert_int_equal(error.code, CAMRING_BUSY);
    options.variant = "out";
    options.kind = RING_RAW;
    assert_int_equal(ring_create(&options, &err), 0);
    assert_null(camring_writer_open(instance, "prog.out", CAMRING_KIND_RAW, 1, &error));
    assert_int_equal(error.code, CAMRING_BUSY);
    ring_unlink_all(instance);
}

static bool attach_without_descriptors(void *arg)
{
    (void)arg;
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_NOFILE, &none);
    return !camring_attach(instance, "prog", 0, &error) && error.code == CAMRING_SYSTEM &&
           strstr(error.text, "Too many open files");
}

static void failed_system_call_is_named(void **state)
{
    (void)state;
    struct camring_writer *writer = make_writer();
    in_child(attach_without_descriptors, NULL);
    camring_writer_close(writer, 1);
}

/* ---- what is committed ---- */

static void expect_no_commit(struct camring_writer *writer, struct camring_frame frame,
                             const char *words)
{
    uint8_t *data = camring_loan(writer, 1000, &error);
    assert_non_null(data);
    for (int i = 0; i < 3; i++)
        frame.plane[i] = data + (uintptr_t)frame.plane[i];
    assert_int_equal(camring_commit(writer, &frame, &error), -1);
    if (error.code != CAMRING_USAGE || !strstr(error.text, words))
        fail_msg("expected \"%s\", got %d: %s", words, error.code, error.text);
    assert_int_equal(camring_commit(writer, &frame, &error), -1); /* the loan is gone */
    assert_non_null(strstr(error.text, "no loan"));
}

#define AT(offset) ((const uint8_t *)(uintptr_t)(offset))

static void frames_that_do_not_fit_their_loan_are_refused(void **state)
{
    (void)state;
    struct camring_writer *writer = make_writer();
    struct camring_frame good = {.format = CAMRING_I420,
                                 .width = 8,
                                 .height = 8,
                                 .stride = {8, 4, 4},
                                 .plane = {AT(0), AT(64), AT(80)}};
    struct camring_frame bad = good;
    bad.width = bad.height = 1000;
    expect_no_commit(writer, bad, "inside the loan");
    bad = good;
    bad.plane[2] = AT(-1);
    expect_no_commit(writer, bad, "inside the loan");
    bad = good;
    bad.stride[1] = UINT32_MAX;
    expect_no_commit(writer, bad, "inside the loan");
    bad = good;
    bad.stride[0] = 7;
    expect_no_commit(writer, bad, "strides");
    bad = good;
    bad.width = 0;
    expect_no_commit(writer, bad, "width and height");
    bad = good;
    bad.height = 16385;
    expect_no_commit(writer, bad, "width and height");
    bad = good;
    bad.format = 9;
    expect_no_commit(writer, bad, "format");
    bad = good;
    bad.format = CAMRING_JPEG;
    expect_no_commit(writer, bad, "format");
    bad = good;
    bad.matrix = 2;
    expect_no_commit(writer, bad, "matrix");
    assert_int_equal(produce(writer, 1), 1);
    camring_writer_close(writer, 1);

    writer = camring_writer_open(instance, "prog", CAMRING_KIND_JPEG, 1, &error);
    struct camring_frame jpeg = {.format = CAMRING_JPEG, .width = 8, .height = 8, .bytes = 10};
    bad = jpeg;
    bad.plane[0] = AT(1);
    expect_no_commit(writer, bad, "begin where the loan does");
    bad = jpeg;
    bad.bytes = 1 << 20;
    expect_no_commit(writer, bad, "longer than the loan");
    bad = jpeg;
    bad.bytes = 0;
    expect_no_commit(writer, bad, "too small");
    expect_no_commit(writer, good, "format");
    camring_writer_close(writer, 1);
}

static void commit_fills_in_what_was_left_out(void **state)
{
    (void)state;
    struct camring_writer *writer = make_writer();
    uint8_t *data = camring_loan(writer, 5000, &error);
    struct camring_frame frame = {.format = CAMRING_I420,
                                  .width = 7,
                                  .height = 5,
                                  .stride = {16, 16, 16},
                                  .plane = {data, data + 1000, data + 2000}};
    assert_int_equal(camring_commit(writer, &frame, &error), 0);
    assert_int_equal(frame.bytes, 2000 + 2 * 16 + 4);
    assert_true(frame.camera_ns == -1 && frame.captured_ns > 0 &&
                frame.captured_ns <= frame.committed_ns && frame.number == 1);
    struct camring_reader *observer = make_reader(CAMRING_OBSERVE);
    struct camring_frame got;
    assert_int_equal(camring_next(observer, &got, 0, &error), 1);
    assert_true(got.width == 7 && got.stride[2] == 16 && got.plane[2] - got.plane[0] == 2000 &&
                got.bytes == frame.bytes);
    assert_true(got.captured_ns == frame.captured_ns && got.committed_ns == frame.committed_ns);
    camring_detach(observer);
    camring_writer_close(writer, 1);
}

/* A writer that lies about the length must not make an observer read behind its copy. */
static void frame_shorter_than_its_planes_is_refused(void **state)
{
    (void)state;
    camring_writer_close(make_writer(), 0);
    struct error err;
    struct ring_loan loan;
    struct ring_writer *writer = ring_writer_open(instance, "prog.raw", true, &err);
    assert_int_equal(ring_writer_reserve(writer, 10000, 0, &err), 0);
    assert_true(ring_loan(writer, &loan));
    struct ring_frame frame = {
        .format = RING_I420, .width = 64, .height = 48, .bytes = 10, .stride = {64, 32, 32}};
    if (ring_commit(writer, &loan, &frame)) {
        struct camring_reader *observer = make_reader(CAMRING_OBSERVE);
        struct camring_frame got;
        assert_int_equal(camring_next(observer, &got, 0, &error), -1);
        assert_int_equal(error.code, CAMRING_CORRUPT);
        camring_detach(observer);
    }
    ring_loan_release(writer, &loan);
    ring_writer_close(writer);
    ring_unlink_all(instance);
}

/* A head that names a frame which its slot doesn't hold is no picture that was overtaken: nobody
 * must wait for another. */
static void head_that_lies_is_corrupt_for_readers_with_and_without_a_row(void **state)
{
    (void)state;
    struct camring_writer *writer = make_writer();
    produce(writer, 7);
    camring_writer_close(writer, 0);
    char path[128];
    snprintf(path, sizeof path, "/dev/shm/camring.%s.prog.raw.1", instance);
    int fd = open(path, O_RDWR);
    const uint64_t head = ring_head_pack(5, 2);
    assert_int_equal(pwrite(fd, &head, sizeof head, offsetof(struct ring_data_header, head)),
                     sizeof head);
    close(fd);
    for (unsigned flags = 0; flags <= CAMRING_OBSERVE; flags += CAMRING_OBSERVE) {
        struct camring_reader *reader = make_reader(flags);
        struct camring_frame frame;
        assert_int_equal(camring_next(reader, &frame, 0, &error), -1);
        assert_int_equal(error.code, CAMRING_CORRUPT);
        camring_detach(reader);
    }
}

/* A name must not pass to another ring before the first is closed, but memory that others can write
 * promises nothing. */
static void helper_on_another_ring_ends_all_the_same(void **state)
{
    (void)state;
    char path[128];
    struct error err;
    struct ring_create options = {
        .instance = instance, .camera = "prog", .variant = "raw", .kind = RING_RAW, .rows = 2};
    snprintf(path, sizeof path, "/dev/shm/camring.%s.prog.raw", instance);
    for (int i = 0; i < 20; i++) { /* the helper is met before and in its wait */
        assert_int_equal(ring_create(&options, &err), 0);
        struct camring_reader *reader = make_reader(0);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(ring_create(&options, &err), 0);
        assert_true(camring_fd(reader, &error) >= 0);
        usleep(i % 2 * 2000);
        camring_detach(reader);
        assert_int_equal(unlink(path), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CAMRING_TEST(names_are_checked),
        CAMRING_TEST(camera_alone_names_the_ring_of_its_kind),
        CAMRING_TEST(null_handles_are_errors_or_nothing),
        CAMRING_TEST(ring_without_a_frame_can_be_attached_to_or_told),
        CAMRING_TEST(other_abi_and_damage_are_told_apart),
        CAMRING_TEST(rings_of_other_users_are_refused),
        CAMRING_TEST(retired_ring_is_told_to_all_who_ask),
        CAMRING_TEST(name_of_a_ring_retired_by_half_is_used_anew),
        CAMRING_TEST(producer_whose_ring_was_removed_is_told_and_harms_no_other),
        CAMRING_TEST(full_and_busy_rings_are_told),
        CAMRING_TEST(encoders_ring_has_no_second_writer),
        CAMRING_TEST(failed_system_call_is_named),
        CAMRING_TEST(frames_that_do_not_fit_their_loan_are_refused),
        CAMRING_TEST(commit_fills_in_what_was_left_out),
        CAMRING_TEST(frame_shorter_than_its_planes_is_refused),
        CAMRING_TEST(head_that_lies_is_corrupt_for_readers_with_and_without_a_row),
        CAMRING_TEST(helper_on_another_ring_ends_all_the_same),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
