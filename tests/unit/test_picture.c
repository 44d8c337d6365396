/* picture.h: one JPEG is shared, lives as long as anyone sends it, and its buffer is used again. */
#include "server/frames/picture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct picture *make(const char *text)
{
    struct picture *picture = picture_create();
    assert_non_null(picture);
    size_t length = strlen(text);
    if (picture->buffer.size < length) {
        picture->buffer.data = realloc(picture->buffer.data, length);
        picture->buffer.size = length;
    }
    memcpy(picture->buffer.data, text, length);
    picture->frame.bytes = (uint32_t)length;
    return picture;
}

static int trim(void **state)
{
    (void)state;
    picture_trim();
    return 0;
}

static void test_shared_without_copies(void **state)
{
    (void)state;
    struct picture *picture = make("jpeg");
    struct evbuffer *a = evbuffer_new(), *b = evbuffer_new();
    assert_true(picture_append(picture, a));
    assert_true(picture_append(picture, b));
    assert_int_equal(picture->references, 3);
    assert_ptr_equal(evbuffer_pullup(a, 4), picture->buffer.data);
    assert_ptr_equal(evbuffer_pullup(b, 4), picture->buffer.data);
    evbuffer_free(a);
    evbuffer_free(b);
    assert_int_equal(picture->references, 1);
    picture_release(picture);
}

static void test_lives_until_sent(void **state)
{
    (void)state;
    struct picture *picture = make("first");
    struct evbuffer *out = evbuffer_new();
    char got[16] = "";
    assert_true(picture_append(picture, out));
    picture_release(picture);
    struct picture *next = make("other"); /* must not be the same memory */
    assert_ptr_not_equal(next, picture);
    assert_int_equal(evbuffer_remove(out, got, sizeof got), 5);
    assert_string_equal(got, "first");
    assert_ptr_equal(picture_create(), picture); /* sent: back in the pool */
    picture_release(picture);
    picture_release(next);
    evbuffer_free(out);
}

static void test_buffers_are_used_again(void **state)
{
    (void)state;
    struct picture *picture = make("some bytes");
    uint8_t *data = picture->buffer.data;
    picture_release(picture);
    picture = picture_create();
    assert_ptr_equal(picture->buffer.data, data);
    assert_int_equal(picture->references, 1);
    picture_release(picture);
    picture_release(NULL);
}

static void test_pool_is_bounded(void **state)
{
    (void)state;
    struct picture *many[100];
    for (int i = 0; i < 100; i++)
        many[i] = make("x");
    for (int i = 0; i < 100; i++)
        picture_release(many[i]);
    unsigned kept = 0;
    for (int i = 0; i < 100; i++) {
        many[i] = picture_create();
        kept += many[i]->buffer.data != NULL;
    }
    assert_in_range(kept, 1, 32);
    for (int i = 0; i < 100; i++)
        picture_release(many[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_shared_without_copies, trim),
        cmocka_unit_test_teardown(test_lives_until_sent, trim),
        cmocka_unit_test_teardown(test_buffers_are_used_again, trim),
        cmocka_unit_test_teardown(test_pool_is_bounded, trim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
