/* Whether the cameras' pictures fit into shared memory, and what is said if not. */
#include "common/supervisor/memory/space.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)

static struct conf_camera cameras[3];

static struct conf conf_of(unsigned known, unsigned unknown)
{
    memset(cameras, 0, sizeof cameras);
    for (unsigned i = 0; i < known; i++) {
        cameras[i].max_width = 1280;
        cameras[i].max_height = 720;
    }
    return (struct conf){
        .camera_count = known + unknown, .cameras = cameras, .shm_reader_rows = 16};
}

static void a_camera_needs_so_much(void **state)
{
    (void)state;
    struct conf conf = conf_of(0, 1);
    struct space_need one = space_need(&conf);
    assert_int_equal(one.certain, 0);
    assert_int_equal(one.unknown, 1);
    assert_true(one.likely > 25 * MIB && one.likely < 34000000);
    conf = conf_of(2, 1);
    struct space_need three = space_need(&conf);
    assert_int_equal(three.unknown, 1);
    assert_int_equal(three.largest, one.likely);
    assert_int_equal(three.certain + one.likely, three.likely);
    assert_true(three.certain > 2 * 5 * 1280 * 720 * 3 / 2);
}

static enum space_verdict judge(unsigned known, unsigned unknown, struct space_room room,
                                const char *words)
{
    char text[400] = "";
    struct conf conf = conf_of(known, unknown);
    struct space_need need = space_need(&conf);
    enum space_verdict verdict = space_judge(&need, &room, known + unknown, text, sizeof text);
    if (!strstr(text, words))
        fail_msg("\"%s\" is not in \"%s\"", words, text);
    return verdict;
}

/* 64 MB is what Docker gives. */
static void a_small_shm_is_told_with_the_number_to_set(void **state)
{
    (void)state;
    struct space_room docker = {.available = 64 * MIB, .total = 64 * MIB},
                      tiny = {.available = 8 * MIB, .total = 8 * MIB},
                      shared = {.available = 8 * MIB, .total = 64 * MIB};
    assert_int_equal(judge(0, 1, docker, ""), SPACE_FITS);
    assert_int_equal(judge(2, 0, docker, ""), SPACE_FITS);
    assert_int_equal(judge(0, 3, docker, "docker run --shm-size=128m"), SPACE_DOUBTFUL);
    assert_int_equal(judge(0, 1, shared, "make it 128 MiB or more"), SPACE_DOUBTFUL);
    assert_int_equal(judge(0, 1, tiny, "if those without max_size are 1920x1080"), SPACE_DOUBTFUL);
    assert_int_equal(judge(2, 0, tiny, "/dev/shm has 8388608: make it 64 MiB"), SPACE_SHORT);
    assert_int_equal(judge(2, 1, tiny, "make it 128 MiB"), SPACE_SHORT);
    assert_int_equal(judge(2, 0, shared, "/dev/shm has 8388608"), SPACE_SHORT);
}

/* What an instance has itself is no less room for it; others take and give back meanwhile. */
static void what_is_used_already_counts_as_room(void **state)
{
    (void)state;
    const uint64_t used = UINT64_C(1) << 50, others = UINT64_C(1) << 40;
    struct conf conf = conf_of(0, 1);
    uint64_t free_bytes = space_room(&conf, 0).available;
    uint64_t own = space_room(&conf, used).available;
    assert_true(own > free_bytes + used - others && own < free_bytes + used + others);
}

static void a_limit_of_the_configuration_is_named(void **state)
{
    (void)state;
    struct conf conf = conf_of(0, 1);
    conf.shm_max_bytes = 4096;
    struct space_room room = space_room(&conf, 0);
    assert_true(room.is_configured);
    assert_int_equal(room.available, 4096);
    assert_int_equal(judge(2, 0, room, "shm.max_bytes allows 4096: set it to 67108864 or more"),
                     SPACE_SHORT);
    struct error err;
    conf = conf_of(0, 1);
    conf.shm_max_bytes = 4096;
    assert_int_equal(space_check(&conf, 0, &err), 0); /* doubtful: a warning */
    conf = conf_of(1, 0);
    conf.shm_max_bytes = 4096;
    assert_int_equal(space_check(&conf, 0, &err), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_camera_needs_so_much),
        cmocka_unit_test(a_small_shm_is_told_with_the_number_to_set),
        cmocka_unit_test(what_is_used_already_counts_as_room),
        cmocka_unit_test(a_limit_of_the_configuration_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
