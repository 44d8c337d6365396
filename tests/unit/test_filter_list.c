/* Descriptions of graphs: how they are read, which filters and options they may name. */
#include "common/filter_list.h"
#include "common/filter_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct filter_text reader;
static struct filter_entry entry;
static struct filter_option option;
static struct error err;
static size_t at;

static void begin(const char *text)
{
    filter_text_begin(&reader, text);
}

static void next_filter(const char *name, const char *args, unsigned offset)
{
    assert_int_equal(filter_text_next(&reader, &entry, &err), 1);
    assert_string_equal(entry.name, name);
    assert_string_equal(entry.args, args);
    assert_int_equal(entry.offset, offset);
    at = 0;
}

static void next_option(const char *key, const char *value, unsigned offset)
{
    assert_int_equal(filter_text_option(&entry, &at, &option, &err), 1);
    assert_string_equal(option.key, key);
    assert_string_equal(option.value, value);
    assert_int_equal(option.offset, offset);
}

static void no_more(void)
{
    assert_int_equal(filter_text_option(&entry, &at, &option, &err), 0);
    assert_int_equal(filter_text_next(&reader, &entry, &err), 0);
}

static void a_graph_is_read(void **state)
{
    (void)state;
    begin(" [in] split [a][b]; [a]\ncrop=100:50:x=3 ,hflip@mine[c]; [b][c] overlay = 5 : 6");
    next_filter("split", "", 6);
    assert_int_equal(entry.in_count, 1);
    assert_string_equal(entry.in[0].name, "in");
    assert_int_equal(entry.out_count, 2);
    assert_string_equal(entry.out[1].name, "b");
    assert_false(entry.goes_on);
    next_filter("crop", "100:50:x=3", 24);
    assert_true(entry.goes_on);
    next_option("", "100", 29);
    next_option("", "50", 33);
    next_option("x", "3", 36);
    next_filter("hflip", "", 41);
    assert_false(entry.goes_on);
    next_filter("overlay", "5 : 6", 63);
    assert_int_equal(entry.in_count, 2);
    next_option("", "5", 73);
    next_option("", "6", 77);
    no_more();
}

static void quotes_and_backslashes_are_taken_off(void **state)
{
    (void)state;
    begin("drawtext=text='a:b, [c]':x=1\\,2\\;3,geq='st(0\\, 1)':cb=a\\\\:b:cr='it'\\''s'");
    next_filter("drawtext", "text=a:b, [c]:x=1,2;3", 0);
    next_option("text", "a", 9);
    next_option("", "b, [c]", 17);
    next_option("x", "1,2;3", 25);
    next_filter("geq", "st(0\\, 1):cb=a\\:b:cr=it's", 35);
    next_option("", "st(0, 1)", 40);
    next_option("cb", "a:b", 51);
    assert_int_equal(filter_text_option(&entry, &at, &option, &err), -1);
    assert_string_equal(err.text, "a quote (') has no end");
}

static void what_is_no_graph_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int offset;
        const char *words;
    } cases[] = {
        {"", 0, "name is missing"},
        {"  ", 2, "name is missing"},
        {"hflip,", 6, "missing behind the last comma"},
        {"hflip;", 6, "missing behind the last comma"},
        {",hflip", 0, "name is missing"},
        {"hflip vflip", 6, "comma or semicolon is missing"},
        {"hflip]", 0, "of letters, digits and _"},
        {"sws_flags=bilinear;hflip", 0, "none of the filters"},
        {"[a hflip", 0, "a label must be"},
        {"[]hflip", 0, "a label must be"},
        {"[a-b]hflip", 0, "a label must be"},
        {"hflip[aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]", 5,
         "a label must be"},
        {"[a][a][a][a][a][a][a][a][a][a][a][a][a][a][a][a][a]hflip", 48, "too many labels"},
        {"hflip@", 5, "behind @"},
        {"crop='5", 4, "no end"},
        {"[a]", 3, "name is missing"},
        {"Hflip", 0, "none of the filters"},
        {"hqdn3d, movie=x", 8, "none of the filters"},
        {"crop=1:threads=4", 7, "not for use here"},
        {"scale=1:1:flags=lanczos+fast_bilinear", 10, "fast_bilinear"},
        {"scale=flags=1", 6, "fast_bilinear"},
        {"curves=psfile=/x", 7, "reaches files"},
        {"psnr=f='/x'", 5, "reaches files"},
        {"split[a],metadata=mode=print:fi\\le=/x", 29, "reaches files"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        err = (struct error){0};
        if (filter_check(cases[i].text, &err) == 0 || !strstr(err.text, cases[i].words) ||
            err.code != cases[i].offset)
            fail_msg("\"%s\": got \"%s\" at %d", cases[i].text, err.text, err.code);
    }
    assert_int_equal(filter_check("hqdn3d,eq=contrast=1.1", &err), 0);
    assert_int_equal(filter_check("scale=w=4:flags=lanczos", &err), 0);
}

static void what_is_too_long_is_refused(void **state)
{
    (void)state;
    char *text = malloc(2 * FILTER_ARGS_SIZE);
    assert_non_null(text);
    memset(text, 'x', 2 * FILTER_ARGS_SIZE);
    text[2 * FILTER_ARGS_SIZE - 1] = '\0';
    memcpy(text, "crop=", 5);
    begin(text);
    assert_int_equal(filter_text_next(&reader, &entry, &err), -1);
    assert_non_null(strstr(err.text, "too long"));
    text[FILTER_ARGS_SIZE + 5] = '\0';
    begin(text);
    assert_int_equal(filter_text_next(&reader, &entry, &err), -1);
    text[FILTER_ARGS_SIZE + 4] = '\0';
    begin(text);
    assert_int_equal(filter_text_next(&reader, &entry, &err), 1);
    assert_int_equal(strlen(entry.args), FILTER_ARGS_SIZE - 1);
    free(text);
}

static void state_is_told_from_the_text(void **state)
{
    (void)state;
    static const char *const plain[] = {"hflip",
                                        "scale=640:-1",
                                        "eq=contrast=1.1,unsharp=5:5",
                                        "split[a][b];[a]null[c];[b]hflip,vflip[d]",
                                        "drawtext=text=noon",
                                        "crop=iw-10:ih"};
    static const char *const keeping[] = {
        "hqdn3d",         "hflip,tmix",   "eq=brightness=n", "crop=w=10:h=10:x=mod(n\\,5)",
        "hflip=enable=1", "hue=h=2*PI*t", "geq=random(1)*X", "drawtext=text=%{frame_num}",
        "no_such_filter", "hflip,,"};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (filter_graph_keeps_state(plain[i]))
            fail_msg("%s keeps state", plain[i]);
    for (size_t i = 0; i < sizeof keeping / sizeof *keeping; i++)
        if (!filter_graph_keeps_state(keeping[i]))
            fail_msg("%s keeps no state", keeping[i]);
}

static void some_sizes_are_refused(void **state)
{
    (void)state;
    assert_null(filter_refuses_size("vstack", 16, 2));
    assert_non_null(filter_refuses_size("vstack", 17, 16));
    assert_non_null(filter_refuses_size("vstack", 16, 17));
    assert_null(filter_refuses_size("gblur", 16, 17));
    assert_non_null(filter_refuses_size("gblur", 15, 17));
    assert_non_null(filter_refuses_size("gblur", 16, 15));
    assert_null(filter_refuses_size("hflip", 1, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_graph_is_read),
        cmocka_unit_test(quotes_and_backslashes_are_taken_off),
        cmocka_unit_test(what_is_no_graph_is_refused),
        cmocka_unit_test(what_is_too_long_is_refused),
        cmocka_unit_test(some_sizes_are_refused),
        cmocka_unit_test(state_is_told_from_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
