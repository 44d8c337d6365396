/* The table of a camera's rings, walked: what it says of each is what is made, counted and removed.
 */
#include "common/camera_rings.h"
#include "common/jpeg.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SERVERS 3
#define READERS 5
#define PLAIN CAMERA_RING_STAGE_IN /* rings that a camera has without external steps */

static struct conf conf;
static struct conf_camera camera;
static struct board *board;
static struct board_camera *place;

static int set_up(void **state)
{
    (void)state;
    struct error err;
    conf = (struct conf){.shm_reader_rows = READERS};
    camera = (struct conf_camera){.id = "door", .chain.count = 1};
    snprintf(conf.instance, sizeof conf.instance, "unit-rings-%d", (int)getpid());
    board = board_create(conf.instance, 1, &err);
    assert_non_null(board);
    assert_int_equal(board_join(board, "door", &err), 0);
    place = board_camera(board, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    board_close(board);
    board_unlink(conf.instance);
    ring_unlink_all(conf.instance);
    return 0;
}

/* A chain of external steps of these names, each with `before` other steps before it. */
static void use_stages(const char *const *names, unsigned count, unsigned before)
{
    camera.chain = (struct conf_chain){0};
    for (unsigned i = 0; i < count; i++) {
        for (unsigned n = 0; n < before; n++)
            camera.chain.steps[camera.chain.count++].kind = CONF_STEP_GRAY;
        struct conf_step *step = &camera.chain.steps[camera.chain.count++];
        step->kind = CONF_STEP_EXTERNAL;
        assert_true(
            conf_chain_store(&camera.chain, names[i], strlen(names[i]) + 1, &step->external.name));
    }
}

/* How many objects of the camera there are in shared memory. */
static unsigned objects(void)
{
    char prefix[64];
    unsigned count = 0;
    int length = snprintf(prefix, sizeof prefix, "camring.%s.door.", conf.instance);
    DIR *dir = opendir("/dev/shm");
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        count += strncmp(entry->d_name, prefix, (size_t)length) == 0;
    closedir(dir);
    return count;
}

static struct ring_stat *stat_of(unsigned number)
{
    static struct ring_stat stat; /* large */
    char name[RING_NAME_SIZE];
    struct error err;
    struct ring_reader *reader = ring_reader_open(
        conf.instance, camera_ring_name(number, "door", name), RING_OBSERVER, "test", &err);
    assert_non_null(reader);
    assert_int_equal(ring_reader_stat(reader, &stat, &err), 0);
    ring_reader_close(reader);
    return &stat;
}

static void test_names_are_one_to_one(void **state)
{
    (void)state;
    static const char *const none[] = {"",    "ra",  "rawx",     "v",       "v8",
                                       "v10", "v00", "door.raw", "detector"};
    for (unsigned number = 0; number < PLAIN; number++) {
        struct camera_ring ring = camera_ring(number);
        char name[RING_NAME_SIZE], expected[RING_NAME_SIZE];
        assert_true(ring_id_valid(ring.variant));
        assert_int_equal(camera_ring_number(ring.variant), number);
        snprintf(expected, sizeof expected, "door.%s", ring.variant);
        assert_string_equal(camera_ring_name(number, "door", name), expected);
    }
    assert_int_equal(camera_ring_number("raw"), CAMERA_RING_RAW);
    assert_int_equal(camera_ring_number("out"), CAMERA_RING_OUT);
    assert_int_equal(camera_ring_number("jpeg"), CAMERA_RING_JPEG);
    assert_int_equal(camera_ring_number("v7"), CAMERA_RING_VARIANT + 7);
    for (unsigned i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_int_equal(camera_ring_number(none[i]), -1);
}

static void test_names_of_stages_are_the_cameras_own(void **state)
{
    (void)state;
    static const char *const names[] = {"detector", "blur"};
    struct error err;
    char name[RING_NAME_SIZE];
    use_stages(names, 2, 1);
    assert_int_equal(camera_stage(place, "detector"), -1);
    assert_int_equal(camera_rings_fit(&conf, &camera, place, &err), 0);
    assert_int_equal(camera_stage(place, "detector"), 0);
    assert_int_equal(camera_stage(place, "blur"), 1);
    assert_int_equal(camera_stage(place, "detecto"), -1);
    assert_int_equal(camera_stage(place, "detector2"), -1);
    assert_string_equal(camera_ring_name_at(CAMERA_RING_STAGE, place, name), "door.detector");
    assert_string_equal(camera_ring_name_at(CAMERA_RING_STAGE_IN, place, name), "door.detector-in");
    assert_string_equal(camera_ring_name_at(CAMERA_RING_STAGE + 1, place, name), "door.blur");
    assert_string_equal(camera_ring_name_at(CAMERA_RING_STAGE_IN + 1, place, name), "door.blur-in");
    assert_string_equal(camera_ring_name_at(CAMERA_RING_RAW, place, name), "door.raw");
    assert_string_equal(camera_ring_name_at(CAMERA_RING_VARIANT + 7, place, name), "door.v7");
    for (unsigned number = PLAIN; number < CAMERA_RINGS; number++)
        assert_string_equal(camera_ring(number).variant, "");
}

static void test_each_ring_is_made_as_the_table_says(void **state)
{
    (void)state;
    struct error err;
    for (unsigned number = 0; number < PLAIN; number++)
        assert_false(camera_ring_exists(number, place));
    assert_int_equal(camera_rings_fit(&conf, &camera, place, &err), 0);
    for (unsigned number = 0; number < PLAIN; number++) {
        struct camera_ring ring = camera_ring(number);
        const struct ring_stat *stat = stat_of(number);
        assert_true(camera_ring_exists(number, place));
        assert_int_equal(stat->kind, ring.kind);
        if (ring.has_servers)
            assert_true(stat->rows > 1 + READERS + SERVERS);
        else
            assert_int_equal(stat->rows, 1 + READERS);
    }
    assert_int_equal(objects(), PLAIN);
}

static void test_a_chain_brings_a_ring_and_takes_it_along(void **state)
{
    (void)state;
    struct error err;
    camera.chain.count = 0;
    uint64_t without = camera_rings_bytes(&conf, &camera, 640, 480, 0);
    assert_int_equal(camera_rings_fit(&conf, &camera, place, &err), 0);
    assert_false(camera_ring_exists(CAMERA_RING_OUT, place));
    assert_int_equal(objects(), PLAIN - 1);

    camera.chain.count = 1;
    assert_true(camera_rings_bytes(&conf, &camera, 640, 480, 0) > without + 640 * 480 * 3);
    assert_int_equal(camera_rings_fit(&conf, &camera, place, &err), 0);
    assert_true(camera_ring_exists(CAMERA_RING_OUT, place));
    assert_int_equal(objects(), PLAIN);
    camera_rings_trim(&camera, conf.instance, place);
    assert_int_equal(objects(), PLAIN);
    struct ring_reader *reader =
        ring_reader_open(conf.instance, "door.out", RING_MEMBER, "test", &err);

    camera.chain.count = 0;
    assert_int_equal(camera_rings_fit(&conf, &camera, place, &err), 0);
    assert_int_equal(objects(), PLAIN);
    camera_rings_trim(&camera, conf.instance, place);
    assert_false(camera_ring_exists(CAMERA_RING_OUT, place));
    assert_int_equal(objects(), PLAIN - 1);
    assert_true(ring_reader_closed(reader));
    ring_reader_close(reader);
}

/* ---- rings of external steps ---- */

static bool is_there(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "/dev/shm/camring.%s.%s", conf.instance, name);
    return access(path, F_OK) == 0;
}

static void fit(void)
{
    struct error err;
    assert_int_equal(camera_rings_fit(&conf, &camera, place, &err), 0);
}

static void test_the_first_step_reads_the_raw_ring(void **state)
{
    (void)state;
    static const char *const names[] = {"detector"};
    struct error err;
    use_stages(names, 1, 0);
    fit();
    assert_int_equal(objects(), PLAIN + 1);
    assert_true(is_there("door.detector") && !is_there("door.detector-in"));
    assert_true(camera_ring_exists(CAMERA_RING_STAGE, place));
    assert_false(camera_ring_exists(CAMERA_RING_STAGE_IN, place));
    struct ring_writer *writer = ring_writer_open(conf.instance, "door.detector", true, &err);
    assert_non_null(writer);
    fit();
    assert_false(ring_writer_closed(writer));
    use_stages(names, 1, 1); /* now a step comes before it, which its program has to notice */
    fit();
    assert_true(ring_writer_closed(writer));
    ring_writer_close(writer);
    assert_true(is_there("door.detector") && is_there("door.detector-in"));
    assert_int_equal(camera_stage(place, "detector"), 0);
    use_stages(names, 1, 0);
    fit();
    assert_int_equal(objects(), PLAIN + 2);
    camera_rings_trim(&camera, conf.instance, place);
    assert_true(is_there("door.detector") && !is_there("door.detector-in"));
    assert_int_equal(objects(), PLAIN + 1);
}

static void test_a_program_writes_the_ring_of_its_step(void **state)
{
    (void)state;
    static const char *const names[] = {"detector"};
    struct error err;
    use_stages(names, 1, 1);
    fit();
    struct ring_writer *writer = ring_writer_open(conf.instance, "door.detector", true, &err);
    assert_non_null(writer);
    assert_null(ring_writer_open(conf.instance, "door.detector", true, &err));
    assert_null(ring_writer_open(conf.instance, "door.detector-in", true, &err));
    ring_writer_close(writer);
}

/* Both steps have their rings at the same time, as a worker may still use the old chain. */
static void test_a_step_is_renamed(void **state)
{
    (void)state;
    static const char *const before[] = {"a", "b"}, *const after[] = {"c", "b"};
    struct error err;
    use_stages(before, 2, 1);
    fit();
    place->stages[0].returned = 7;
    place->stages[1].returned = 9;
    struct ring_writer *gone = ring_writer_open(conf.instance, "door.a", true, &err);
    struct ring_writer *stays = ring_writer_open(conf.instance, "door.b", true, &err);
    assert_true(gone && stays);
    use_stages(after, 2, 1);
    fit();
    assert_int_equal(objects(), PLAIN + 6);
    assert_true(is_there("door.a") && is_there("door.b") && is_there("door.c"));
    assert_int_equal(camera_stage(place, "c"), 2);
    assert_false(ring_writer_closed(gone));
    camera_rings_trim(&camera, conf.instance, place);
    assert_int_equal(objects(), PLAIN + 4);
    assert_true(!is_there("door.a") && !is_there("door.a-in") && is_there("door.c"));
    assert_int_equal(camera_stage(place, "a"), -1);
    assert_int_equal(camera_stage(place, "b"), 1);
    assert_int_equal(place->stages[1].returned, 9);
    assert_true(ring_writer_closed(gone) && !ring_writer_closed(stays));
    ring_writer_close(gone);
    ring_writer_close(stays);
    use_stages(before, 2, 1); /* the name that comes back begins anew */
    fit();
    assert_int_equal(camera_stage(place, "a"), 0);
    assert_int_equal(place->stages[0].returned, 0);
}

static void test_all_steps_are_exchanged(void **state)
{
    (void)state;
    static const char *const names[][2] = {{"a", "b"}, {"c", "d"}, {"b", "a"}};
    for (unsigned i = 0; i < 3; i++) {
        use_stages(names[i], 2, 1);
        fit();
        for (unsigned n = 0; n < 2; n++)
            assert_true(camera_stage(place, names[i][n]) >= 0);
        assert_int_equal(objects(), PLAIN + (i == 0 ? 4 : 8));
        camera_rings_trim(&camera, conf.instance, place);
        assert_int_equal(objects(), PLAIN + 4);
    }
    camera.chain.count = 0;
    camera_rings_trim(&camera, conf.instance, place);
    assert_int_equal(objects(), PLAIN - 1);
    for (unsigned i = 0; i < BOARD_STAGES; i++)
        assert_string_equal(place->stages[i].name, "");
    fit();
    assert_int_equal(objects(), PLAIN - 1);
    use_stages(names[0], 2, 0);
    fit();
    camera_rings_unlink(conf.instance, place);
    assert_int_equal(objects(), 0);
}

/* What others than capture write, no program can become the writer of. */
static void test_leased_rings_have_no_exclusive_writer(void **state)
{
    (void)state;
    char name[RING_NAME_SIZE];
    struct error err;
    assert_int_equal(camera_rings_fit(&conf, &camera, place, &err), 0);
    for (unsigned number = 0; number < PLAIN; number++) {
        struct ring_writer *writer =
            ring_writer_open(conf.instance, camera_ring_name(number, "door", name), true, &err);
        bool by_capture = camera_ring(number).writer == CAMERA_RING_BY_CAPTURE;
        assert_int_equal(writer != NULL, by_capture);
        ring_writer_close(writer);
    }
}

static void test_rings_that_are_there_stay(void **state)
{
    (void)state;
    struct error err;
    assert_int_equal(camera_rings_fit(&conf, &camera, place, &err), 0);
    struct ring_reader *reader =
        ring_reader_open(conf.instance, "door.jpeg", RING_MEMBER, "test", &err);
    ring_unlink(conf.instance, "door.v3");
    assert_int_equal(camera_rings_fit(&conf, &camera, place, &err), 0);
    assert_int_equal(objects(), PLAIN - 1);
    assert_false(ring_reader_closed(reader));
    ring_reader_close(reader);
}

static void test_nothing_stays_behind(void **state)
{
    (void)state;
    struct error err;
    assert_int_equal(camera_rings_fit(&conf, &camera, place, &err), 0);
    struct ring_writer *writer = ring_writer_open(conf.instance, "door.raw", true, &err);
    assert_int_equal(ring_writer_reserve(writer, 4096, 0, &err), 0);
    assert_int_equal(objects(), PLAIN + 1);
    camera_rings_unlink(conf.instance, place);
    assert_true(ring_writer_closed(writer));
    ring_writer_close(writer);
    assert_int_equal(objects(), 0);
    for (unsigned number = 0; number < PLAIN; number++)
        assert_false(camera_ring_exists(number, place));
}

static void test_a_ring_that_cannot_be_made(void **state)
{
    (void)state;
    char path[128];
    struct error err = {0};
    snprintf(path, sizeof path, "/dev/shm/camring.%s.door.v2", conf.instance);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(camera_rings_fit(&conf, &camera, place, &err), -1);
    assert_non_null(strstr(err.text, "door.v2"));
    for (unsigned number = 0; number < PLAIN; number++)
        assert_int_equal(camera_ring_exists(number, place), number < CAMERA_RING_VARIANT + 2);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(camera_rings_fit(&conf, &camera, place, &err), 0);
    assert_int_equal(objects(), PLAIN);
}

static void test_a_variant_is_in_use_once_it_was_wanted(void **state)
{
    (void)state;
    struct error err;
    assert_false(camera_ring_in_use(CAMERA_RING_RAW, place));
    assert_int_equal(camera_rings_fit(&conf, &camera, place, &err), 0);
    for (unsigned number = 0; number < PLAIN; number++)
        assert_int_equal(camera_ring_in_use(number, place), !camera_ring(number).is_on_demand);
    int slot = variant_join(&place->variants, 0, (struct variant){.width = 320});
    assert_true(slot >= 0);
    for (unsigned number = CAMERA_RING_VARIANT; number < PLAIN; number++)
        assert_int_equal(camera_ring_in_use(number, place),
                         number == CAMERA_RING_VARIANT + (unsigned)slot);
    variant_leave(&place->variants, 0, (unsigned)slot);
    assert_true(camera_ring_in_use(CAMERA_RING_VARIANT + (unsigned)slot, place));
}

/* What is foretold is what the rings take with pictures of that size. */
static void test_bytes_are_those_that_are_taken(void **state)
{
    (void)state;
    struct error err;
    uint64_t taken = 0;
    assert_int_equal(camera_rings_fit(&conf, &camera, place, &err), 0);
    for (unsigned number = 0; number < PLAIN; number++) {
        struct camera_ring ring = camera_ring(number);
        char name[RING_NAME_SIZE];
        if (ring.is_on_demand)
            continue;
        uint64_t before = stat_of(number)->bytes;
        struct ring_writer *writer =
            ring_writer_open(conf.instance, camera_ring_name(number, "door", name), false, &err);
        size_t slot = ring.kind == RING_RAW ? 640 * 480 * 3 / 2 : jpeg_usual(RING_I420, 640, 480);
        assert_int_equal(ring_writer_reserve(writer, slot, 0, &err), 0);
        ring_writer_close(writer);
        taken += stat_of(number)->bytes - before;
    }
    assert_int_equal(camera_rings_bytes(&conf, &camera, 640, 480, 0), taken);
    uint64_t slot = (640 * 480 * 3 / 2 + 4095) / 4096 * 4096; /* of the raw ring alone */
    assert_int_equal(camera_rings_bytes(&conf, &camera, 640, 480, 3), taken + 3 * slot);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_one_to_one),
        TEST(test_names_of_stages_are_the_cameras_own),
        TEST(test_each_ring_is_made_as_the_table_says),
        TEST(test_a_chain_brings_a_ring_and_takes_it_along),
        TEST(test_the_first_step_reads_the_raw_ring),
        TEST(test_a_program_writes_the_ring_of_its_step),
        TEST(test_a_step_is_renamed),
        TEST(test_all_steps_are_exchanged),
        TEST(test_leased_rings_have_no_exclusive_writer),
        TEST(test_rings_that_are_there_stay),
        TEST(test_nothing_stays_behind),
        TEST(test_a_ring_that_cannot_be_made),
        TEST(test_a_variant_is_in_use_once_it_was_wanted),
        TEST(test_bytes_are_those_that_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
