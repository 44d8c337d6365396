/* Where a camera's JPEG ends: capture/trim.h. */
#include "capture/trim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static size_t trimmed(const char *bytes, size_t size)
{
    return trim_jpeg((const uint8_t *)bytes, size);
}

#define TRIMMED(literal) trimmed((literal), sizeof(literal) - 1)

static void test_leaves_a_clean_end_alone(void **state)
{
    (void)state;
    assert_int_equal(TRIMMED("\xff\xd8..picture..\xff\xd9"), 15);
    assert_int_equal(TRIMMED("\xff\xd9"), 2);
}

static void test_takes_off_what_is_behind_the_end(void **state)
{
    (void)state;
    assert_int_equal(TRIMMED("\xff\xd8..picture..\xff\xd9\r\n"), 15);
    assert_int_equal(TRIMMED("\xff\xd8..picture..\xff\xd9\0\0\0\0\0"), 15);
    assert_int_equal(TRIMMED("\xff\xd8..picture..\xff\xd9\xff\xd9"), 15);
    assert_int_equal(TRIMMED("\xff\xd8..picture..\xff\xd9\xff\xd9\xff\xd9\r\n"), 15);
    assert_int_equal(TRIMMED("\xff\xd9\xff\xd9"), 2);
}

static void test_never_invents_an_end(void **state)
{
    (void)state;
    char bytes[200];
    memset(bytes, 'x', sizeof bytes);
    memcpy(bytes, "\xff\xd8\xff\xd9", 4); /* a thumbnail's, far from the end */
    assert_int_equal(trimmed(bytes, sizeof bytes), sizeof bytes);
    assert_int_equal(TRIMMED("\xff\xd8..cut off.."), 13);
    assert_int_equal(TRIMMED("\xff"), 1);
    assert_int_equal(TRIMMED(""), 0);
    assert_int_equal(trimmed(bytes, 64), 4); /* near enough */
    assert_int_equal(trimmed(bytes + 2, 65), 65);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaves_a_clean_end_alone),
        cmocka_unit_test(test_takes_off_what_is_behind_the_end),
        cmocka_unit_test(test_never_invents_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
