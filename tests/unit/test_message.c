/* message.h: text, picture, text; what is left after any number of bytes; a picture is held as long
 * as its message. */
#include "server/push/message.h"

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
    struct message *message = message_create("before...", 6, picture, "after");
    assert_int_equal(message->length, strlen(WHOLE));
    for (size_t sent = 0; sent < message->length; sent++) {
        struct iovec rest[MESSAGE_SPANS];
        char got[sizeof WHOLE] = "";
        size_t length = 0;
        int count = message_rest(message, sent, rest);
        assert_int_equal(count, sent < 6 ? 3 : sent < 13 ? 2 : 1);
        for (int i = 0; i < count; i++) {
            memcpy(got + length, rest[i].iov_base, rest[i].iov_len);
            length += rest[i].iov_len;
        }
        assert_int_equal(length, strlen(WHOLE) - sent);
        assert_string_equal(got, WHOLE + sent);
    }
    message_release(message);
    picture_release(picture);
    picture_trim();
}

static void test_text_alone(void **state)
{
    (void)state;
    struct iovec rest[MESSAGE_SPANS];
    struct message *message = message_create("text", 4, NULL, "");
    assert_int_equal(message_rest(message, 0, rest), 1);
    assert_memory_equal(rest[0].iov_base, "text", 4);
    message_release(message);
}

static void test_a_picture_stays_as_long_as_its_parcel(void **state)
{
    (void)state;
    struct picture *picture = make_picture("PICTURE");
    struct message *message = message_create("", 0, picture, "");
    assert_int_equal(picture->references, 2);
    picture_release(picture);
    assert_ptr_equal(message_acquire(message), message);
    message_release(message);
    assert_int_equal(picture->references, 1);
    message_release(message);
    assert_int_equal(picture->references, 0); /* in the pool */
    picture_trim();
    message_release(NULL);
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
