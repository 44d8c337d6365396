/* parcel.h: text, picture, text; what is left after any number of bytes; a picture is held as long
 * as its parcel. */
#include "server/parcel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WHOLE "beforePICTUREafter"

static struct picture *make_picture(const char *bytes)
{
    struct picture *picture = picture_create();
    assert_non_null(picture);
    picture->frame.bytes = strlen(bytes);
    picture->buffer.data = (uint8_t *)strdup(bytes);
    return picture;
}

static void test_the_rest(void **state)
{
    (void)state;
    struct picture *picture = make_picture("PICTURE");
    struct parcel *parcel = parcel_create("before...", 6, picture, "after");
    assert_int_equal(parcel->length, strlen(WHOLE));
    for (size_t sent = 0; sent < parcel->length; sent++) {
        struct iovec rest[PARCEL_SPANS];
        char got[sizeof WHOLE] = "";
        size_t length = 0;
        int count = parcel_rest(parcel, sent, rest);
        assert_int_equal(count, sent < 6 ? 3 : sent < 13 ? 2 : 1);
        for (int i = 0; i < count; i++) {
            memcpy(got + length, rest[i].iov_base, rest[i].iov_len);
            length += rest[i].iov_len;
        }
        assert_int_equal(length, strlen(WHOLE) - sent);
        assert_string_equal(got, WHOLE + sent);
    }
    parcel_release(parcel);
    picture_release(picture);
    picture_trim();
}

static void test_text_alone(void **state)
{
    (void)state;
    struct iovec rest[PARCEL_SPANS];
    struct parcel *parcel = parcel_create("text", 4, NULL, "");
    assert_int_equal(parcel_rest(parcel, 0, rest), 1);
    assert_memory_equal(rest[0].iov_base, "text", 4);
    parcel_release(parcel);
}

static void test_a_picture_stays_as_long_as_its_parcel(void **state)
{
    (void)state;
    struct picture *picture = make_picture("PICTURE");
    struct parcel *parcel = parcel_create("", 0, picture, "");
    assert_int_equal(picture->references, 2);
    picture_release(picture);
    assert_ptr_equal(parcel_acquire(parcel), parcel);
    parcel_release(parcel);
    assert_int_equal(picture->references, 1);
    parcel_release(parcel);
    assert_int_equal(picture->references, 0); /* in the pool */
    picture_trim();
    parcel_release(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_rest),
        cmocka_unit_test(test_text_alone),
        cmocka_unit_test(test_a_picture_stays_as_long_as_its_parcel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
