/* camring-shm watch: sparklines, rates between two looks, lines cut to a terminal's width; rings
 * that come, go and change; whose name an object in shared memory bears. */
#include "ring_fixture.h"

#include "common/clock.h"
#include "common/shmtool/objects.h"
#include "common/shmtool/spark.h"
#include "common/shmtool/watched.h"
#include "common/terminal.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>

/* ---- sparklines ---- */

static char line[1000];

static const char *draw(const double *values, size_t count, size_t width, double top, bool utf8)
{
    struct spark_series series = {0};
    for (size_t i = 0; i < count; i++)
        spark_push(&series, values[i]);
    spark_draw(&series, width, top, utf8, line, sizeof line);
    return line;
}

static void sparks_rise_with_the_value(void **state)
{
    (void)state;
    const double values[] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    assert_string_equal(draw(values, 9, 9, 8, true), "▁▂▃▄▅▆▇██");
    assert_string_equal(draw(values, 9, 9, 8, false), "_.:-=+*##");
    assert_string_equal(draw(values, 9, 3, 8, true), "▇██"); /* the newest */
    assert_string_equal(draw(values, 9, 0, 8, true), "");
}

static void sparks_stay_in_their_blocks(void **state)
{
    (void)state;
    const double values[] = {-5, 0, 1e300, INFINITY, -INFINITY, NAN};
    assert_string_equal(draw(values, 6, 6, 1, false), "__##_ ");
    const double ones[] = {1, 1};
    assert_string_equal(draw(ones, 2, 2, 0, false), "__"); /* no scale */
}

static void sparks_are_as_wide_as_asked(void **state)
{
    (void)state;
    const double values[] = {1, 1};
    assert_string_equal(draw(values, 2, 5, 1, false), "   ##");
    assert_string_equal(draw(values, 0, 3, 1, true), "   ");
    struct spark_series series = {0};
    for (int i = 0; i < 1000; i++)
        spark_push(&series, i == 999 ? 1 : 0);
    spark_draw(&series, SPARK_POINTS + 10, 1, false, line, sizeof line);
    assert_int_equal(strlen(line), SPARK_POINTS + 10);
    assert_int_equal(strspn(line, " "), 10); /* forgotten */
    assert_int_equal(line[SPARK_POINTS + 9], '#');
    spark_draw(&series, 100, 1, true, line, 10); /* whole characters only */
    assert_int_equal(strlen(line), 9);
}

static void the_top_is_of_what_is_shown(void **state)
{
    (void)state;
    struct spark_series series = {0};
    assert_true(spark_top(&series, 5, 2) == 2);
    spark_push(&series, 50);
    spark_push(&series, NAN);
    spark_push(&series, 7);
    assert_true(spark_top(&series, 3, 2) == 50);
    assert_true(spark_top(&series, 2, 2) == 7);
    assert_true(spark_top(&series, 2, 9) == 9);
}

/* ---- lines ---- */

static void lines_are_cut_between_characters(void **state)
{
    (void)state;
    assert_int_equal(terminal_cut("abcdef", 4), 4);
    assert_int_equal(terminal_cut("abc", 4), 3);
    assert_int_equal(terminal_cut("abc\ndef", 10), 3);
    assert_int_equal(terminal_cut("▁▂▃▄", 2), 6);
    assert_int_equal(terminal_cut("a▂c", 2), 4);
    assert_int_equal(terminal_cut("a▂", 2), 4);
    assert_int_equal(terminal_cut("abc", 0), 0);
    assert_int_equal(terminal_cut("", 5), 0);
    assert_int_equal(terminal_cut("\033[32mlive\033[m!", 4), 12);
    assert_int_equal(terminal_cut("\033[32mlive\033[m", 2), 7);
    assert_int_equal(terminal_cut("\033[2Jabc", 2), 2); /* no colour */
}

/* ---- rates ---- */

static void assert_fps(double found, double expected)
{
    if (fabs(found - expected) > 0.01)
        fail_msg("%f fps, expected %f", found, expected);
}

static void rates_come_from_the_frames_between_two_looks(void **state)
{
    (void)state;
    const int64_t ms = NS_PER_MS, s = NS_PER_S;
    assert_fps(watched_fps(25, s, s, 20 * ms, 24, 25), 25);
    /* not 24, for the look fell so */
    assert_fps(watched_fps(24, 960 * ms, s, 20 * ms, 24, 25), 25);
    /* between two frames of a slow camera */
    assert_fps(watched_fps(0, 0, s, 200 * ms, 2, 2), 2);
    assert_fps(watched_fps(0, 0, s, 5 * s, 2, 2), 0.2); /* which has become slower */
    assert_fps(watched_fps(0, 0, s, 60 * s, 2, 0), 0);  /* or stands */
    /* stopped early in a long interval */
    assert_fps(watched_fps(5, 200 * ms, 10 * s, 9 * s, 25, 25), 0.5);
    /* one frame so far in a new generation */
    assert_fps(watched_fps(5, 200 * ms, s, 20 * ms, 25, 0), 25);
    assert_fps(watched_fps(3, 0, s, 20 * ms, 7, 7), 7); /* times that make no sense */
}

static struct watched *only(struct watched_set *set)
{
    assert_int_equal(set->count, 1);
    return set->list[0];
}

static void rings_are_followed_as_they_come_go_and_change(void **state)
{
    (void)state;
    struct watched_set set = {0};
    struct error err;
    watched_look(&set, fixture_instance, NULL, 2);
    struct watched *watched = only(&set);
    assert_true(watched->stat->generation == 0 && watched->stat->head == 0);

    struct ring_writer *writer = fixture_writer(0);
    struct ring_reader *reader = fixture_reader(RING_MEMBER);
    for (uint64_t n = 1; n <= 3; n++)
        assert_int_equal(fixture_publish(writer, n), n);
    watched_look(&set, fixture_instance, NULL, 2);
    assert_true(watched->stat->head == 3 && watched->stat->generation == 1 &&
                watched->readers == 1 && watched->troubles == 0);
    assert_int_equal(ring_writer_reserve(writer, 10 * FIXTURE_BYTES, 0, &err), 0);
    assert_int_equal(fixture_publish(writer, 4), 4);
    watched_look(&set, fixture_instance, NULL, 2);
    assert_true(only(&set) == watched && watched->stat->head == 4 &&
                watched->stat->generation == 2 && watched->fps > 0);

    ring_reader_close(reader);
    ring_writer_close(writer);
    ring_unlink_all(fixture_instance);
    watched_look(&set, fixture_instance, NULL, 2);
    assert_true(only(&set) == watched && watched->gone && watched->fps == 0 &&
                watched->looks_gone == 1);
    assert_null(watched->stat);
    watched_look(&set, fixture_instance, NULL, 2);
    assert_int_equal(watched->looks_gone, 2);
    fixture_create(NULL); /* the instance starts again */
    watched_look(&set, fixture_instance, NULL, 2);
    assert_true(only(&set) == watched && watched->stat && !watched->gone &&
                watched->looks_gone == 0);
    assert_int_equal(watched->fps_series.count, 6);

    ring_unlink_all(fixture_instance);
    for (int i = 0; i < 3; i++)
        watched_look(&set, fixture_instance, NULL, 2);
    assert_int_equal(set.count, 0); /* forgotten */
    watched_free(&set);
}

static void make_ring(const char *camera, const char *variant)
{
    struct error err;
    struct ring_create options = {.instance = fixture_instance,
                                  .camera = camera,
                                  .variant = variant,
                                  .kind = RING_RAW,
                                  .rows = FIXTURE_ROWS};
    assert_int_equal(ring_create(&options, &err), 0);
}

static void only_what_is_wanted_is_watched_in_order(void **state)
{
    (void)state;
    struct watched_set set = {0};
    make_ring("cam", "jpeg");
    make_ring("cam2", "raw");
    make_ring("a", "raw");
    watched_look(&set, fixture_instance, "cam", 0);
    assert_int_equal(set.count, 2);
    assert_string_equal(set.list[0]->ring.name, "cam.jpeg");
    assert_string_equal(set.list[1]->ring.name, "cam.raw");
    watched_free(&set);
    watched_look(&set, fixture_instance, NULL, 0);
    assert_int_equal(set.count, 4);
    assert_string_equal(set.list[0]->ring.name, "a.raw");
    assert_string_equal(set.list[3]->ring.name, "cam2.raw");
    watched_free(&set);
}

/* ---- names of objects ---- */

static void objects_are_told_by_their_names(void **state)
{
    (void)state;
    static const struct {
        const char *suffix;
        enum object_kind kind;
        const char *ring;
    } names[] = {
        {"", OBJECT_BOARD, ""},
        {".cam.raw", OBJECT_CTL, "cam.raw"},
        {".cam.raw.01", OBJECT_STRAY, ""},
        {".cam.raw.12", OBJECT_DATA, "cam.raw"},
        {".cam.raw.12345678901", OBJECT_STRAY, ""},
        {".cam.raw.1x", OBJECT_STRAY, ""},
        {".cam", OBJECT_STRAY, ""},
        {".Cam.raw", OBJECT_STRAY, ""},
        {"..", OBJECT_STRAY, ""},
    };
    enum { NAMES = sizeof names / sizeof names[0] };
    char path[200];
    for (size_t i = 0; i < NAMES; i++) {
        snprintf(path, sizeof path, OBJECT_DIRECTORY "/camring.%s%s", fixture_instance,
                 names[i].suffix);
        close(open(path, O_CREAT | O_RDWR, 0600));
    }
    snprintf(path, sizeof path, OBJECT_DIRECTORY "/camring.%sx",
             fixture_instance); /* another instance's */
    close(open(path, O_CREAT | O_RDWR, 0600));

    struct object_set set = objects_find(fixture_instance);
    assert_int_equal(set.count, NAMES);
    for (size_t i = 0; i < NAMES; i++) {
        const char *suffix = set.list[i].file + strlen("camring.") + strlen(fixture_instance);
        size_t which = 0;
        while (which + 1 < NAMES && strcmp(names[which].suffix, suffix) != 0)
            which++;
        assert_string_equal(names[which].suffix, suffix);
        assert_int_equal(set.list[i].kind, names[which].kind);
        assert_string_equal(set.list[i].ring, names[which].ring);
        assert_int_equal(objects_is_first(&set, i), i == 0);
    }
    assert_non_null(objects_get(&set, OBJECT_DATA, fixture_instance, "cam.raw"));
    assert_null(objects_get(&set, OBJECT_DATA, fixture_instance, "cam.jpeg"));
    objects_free(&set);
    unlink(path);
    for (size_t i = 0; i < NAMES; i++) {
        snprintf(path, sizeof path, OBJECT_DIRECTORY "/camring.%s%s", fixture_instance,
                 names[i].suffix);
        unlink(path);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_create, fixture_destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sparks_rise_with_the_value),
        TEST(sparks_stay_in_their_blocks),
        TEST(sparks_are_as_wide_as_asked),
        TEST(the_top_is_of_what_is_shown),
        TEST(lines_are_cut_between_characters),
        TEST(rates_come_from_the_frames_between_two_looks),
        TEST(rings_are_followed_as_they_come_go_and_change),
        TEST(only_what_is_wanted_is_watched_in_order),
        TEST(objects_are_told_by_their_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
