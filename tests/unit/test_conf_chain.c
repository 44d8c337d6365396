/* `chain:` in a configuration: what is stored of it, and what is refused, where. */
#include "common/conf_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct conf_chain chain;

static struct conf_step *add(struct conf_chain *to, enum conf_step_kind kind)
{
    struct conf_step *step = &to->steps[to->count++];
    *step = (struct conf_step){.kind = kind};
    return step;
}

static struct conf_piece put(struct conf_chain *to, const void *bytes, size_t size)
{
    struct conf_piece piece;
    assert_true(conf_chain_store(to, bytes, size, &piece));
    return piece;
}

static void sample(struct conf_chain *to)
{
    static const uint16_t points[] = {3, 0, 0, 200, 0, 200, 80};
    *to = (struct conf_chain){0};
    add(to, CONF_STEP_CROP)->crop.width = 5;
    add(to, CONF_STEP_GRAY);
    add(to, CONF_STEP_MASK)->mask.points = put(to, points, sizeof points);
    struct conf_step *text = add(to, CONF_STEP_TEXT);
    text->text.text = put(to, "%F", 3);
    text->text.font = put(to, "/a", 3);
    add(to, CONF_STEP_FILTER)->filter.graph = put(to, "hflip", 6);
    struct conf_step *external = add(to, CONF_STEP_EXTERNAL);
    external->external.name = put(to, "a-b", 4);
    external->external.timeout_ns = 1;
}

static void texts_are_kept(void **state)
{
    (void)state;
    sample(&chain);
    assert_string_equal(conf_chain_text(&chain, chain.steps[3].text.text), "%F");
    assert_string_equal(conf_chain_text(&chain, chain.steps[4].filter.graph), "hflip");
    assert_string_equal(conf_chain_text(&chain, (struct conf_piece){0}), "");
    assert_int_equal(chain.steps[4].filter.graph.at % 2, 0);
    assert_string_equal(conf_step_name(CONF_STEP_DEINTERLACE), "deinterlace");
    static const uint8_t much[CONF_CHAIN_BYTES];
    struct conf_piece piece;
    assert_false(conf_chain_store(&chain, much, sizeof much, &piece));
}

static void places_make_no_difference(void **state)
{
    (void)state;
    static struct conf_chain a, b;
    sample(&a);
    sample(&b);
    b.steps[0].line = 7;
    b.steps[4].text_column = 9;
    assert_true(conf_chain_same(&a, &b));
    b.steps[0].crop.width = 6;
    assert_false(conf_chain_same(&a, &b));
    sample(&b);
    b.data[b.steps[4].filter.graph.at] = 'v';
    assert_false(conf_chain_same(&a, &b));
    sample(&b);
    b.data[b.steps[2].mask.points.at + 2]++;
    assert_false(conf_chain_same(&a, &b));
    sample(&b);
    b.steps[3].text.font.size = 0;
    assert_false(conf_chain_same(&a, &b));
    sample(&b);
    b.data[b.steps[5].external.name.at] = 'b';
    assert_false(conf_chain_same(&a, &b));
    sample(&b);
    b.steps[5].external.timeout_ns++;
    assert_false(conf_chain_same(&a, &b));
    sample(&b);
    b.steps[5].external.absent = CONF_ABSENT_PLACEHOLDER;
    assert_false(conf_chain_same(&a, &b));
    sample(&b);
    b.count--;
    assert_false(conf_chain_same(&a, &b));
}

static void what_another_process_sends_is_checked(void **state)
{
    (void)state;
    sample(&chain);
    assert_true(conf_chain_valid(&chain));
    chain.count = CONF_CHAIN_STEPS + 1;
    assert_false(conf_chain_valid(&chain));
    sample(&chain);
    chain.steps[0].kind = CONF_STEP_END;
    assert_false(conf_chain_valid(&chain));
    sample(&chain);
    chain.steps[4].filter.graph.at = CONF_CHAIN_BYTES - 2;
    assert_false(conf_chain_valid(&chain));
    sample(&chain);
    chain.steps[4].filter.graph.size--;
    assert_false(conf_chain_valid(&chain));
    sample(&chain);
    chain.data[chain.steps[2].mask.points.at] = 4;
    assert_false(conf_chain_valid(&chain));
    sample(&chain);
    chain.steps[3].text.font.at = CONF_CHAIN_BYTES;
    assert_false(conf_chain_valid(&chain));
}

static void sample_of_a_program(const char *name, int64_t timeout_ns)
{
    sample(&chain);
    chain.steps[5].external.name = put(&chain, name, strlen(name) + 1);
    chain.steps[5].external.timeout_ns = timeout_ns;
}

static void an_external_step_that_another_process_sends_is_checked(void **state)
{
    (void)state;
    sample_of_a_program("detector", CONF_TIMEOUT_MAX);
    assert_true(conf_chain_valid(&chain));
    chain.steps[5].external.name.size--;
    assert_false(conf_chain_valid(&chain));
    sample_of_a_program("../x", 1);
    assert_false(conf_chain_valid(&chain));
    sample_of_a_program("out", 1);
    assert_false(conf_chain_valid(&chain));
    sample_of_a_program("detector", 0);
    assert_false(conf_chain_valid(&chain));
    sample_of_a_program("detector", CONF_TIMEOUT_MAX + 1);
    assert_false(conf_chain_valid(&chain));
    sample_of_a_program("detector", 1);
    for (unsigned i = 0; i < CONF_EXTERNALS; i++) {
        assert_true(conf_chain_valid(&chain));
        chain.steps[chain.count++] = chain.steps[5];
    }
    assert_false(conf_chain_valid(&chain)); /* too many */
}

static void names_of_programs(void **state)
{
    (void)state;
    static const char *const good[] = {"a",      "detector", "0",      "raw2",
                                       "jpeg-2", "outer",    "v",      "vi0",
                                       "in",     "a-inn",    "a_b-c9", "aaaaaaaaaaaaaaaaaaaa"};
    static const char *const bad[] = {"",
                                      "raw",
                                      "out",
                                      "jpeg",
                                      "v0",
                                      "v7",
                                      "v8",
                                      "v12",
                                      "a-in",
                                      "A",
                                      "-a",
                                      "_a",
                                      "a.b",
                                      "a b",
                                      "a/b",
                                      "../evil",
                                      "ä",
                                      "v-0/..",
                                      "aaaaaaaaaaaaaaaaaaaaa"};
    for (unsigned i = 0; i < sizeof good / sizeof *good; i++)
        if (!conf_stage_name_valid(good[i]))
            fail_msg("\"%s\" is refused", good[i]);
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        if (conf_stage_name_valid(bad[i]))
            fail_msg("\"%s\" is a name", bad[i]);
}

static void external_steps_are_found(void **state)
{
    (void)state;
    sample(&chain);
    assert_int_equal(conf_chain_external(&chain, 0), 5);
    assert_int_equal(conf_chain_external(&chain, 5), 5);
    assert_int_equal(conf_chain_external(&chain, 6), 6);
    chain.count = 5;
    assert_int_equal(conf_chain_external(&chain, 0), 5);
}

/* ---- the file ---- */

static char *said;

static void read_steps(const char *text)
{
    size_t size;
    struct conf_faults faults = {.file = "/etc/camring/f"};
    struct conf_tree tree = conf_tree_read(text, strlen(text), &faults);
    free(said);
    FILE *stream = open_memstream(&said, &size);
    assert_non_null(stream);
    assert_non_null(tree.root);
    conf_steps_apply(&chain, tree.root, "chain", &faults);
    conf_tree_free(&tree);
    faults.file = "f";
    conf_faults_finish(&faults, stream);
    fclose(stream);
    assert_true(conf_chain_valid(&chain));
}

static void read_good(const char *text)
{
    read_steps(text);
    assert_string_equal(said, "");
}

static void expect(const char *text, const char *fault)
{
    read_steps(text);
    if (!strstr(said, fault))
        fail_msg("for\n%s\nexpected \"%s\", got \"%s\"", text, fault, said);
}

static void every_step_is_read(void **state)
{
    (void)state;
    read_good(
        "- crop: {x: 1, y: 2, width: 1280, height: 720}\n"
        "- scale: {width: 640}\n"
        "- rotate: 90\n"
        "- flip: vertical\n"
        "- mask: [[0,0, 200,0, 200,80], [1,2, 3,4, 5,6, 7,8]]\n"
        "- text: {text: \"%{camera} %F %T 문\", position: bottom-right, size: 30, font: a.ttf}\n"
        "- gray\n"
        "- deinterlace\n"
        "- filter: \"hqdn3d,eq=contrast=1.1\"\n");
    static const uint16_t points[] = {3, 0, 0, 200, 0, 200, 80, 4, 1, 2, 3, 4, 5, 6, 7, 8};
    const struct conf_step *step = chain.steps;
    assert_int_equal(chain.count, 9);
    assert_int_equal(step[0].kind, CONF_STEP_CROP);
    assert_int_equal(step[0].crop.x + 10 * step[0].crop.y, 21);
    assert_int_equal(step[0].crop.width + step[0].crop.height, 2000);
    assert_int_equal(step[1].kind, CONF_STEP_SCALE);
    assert_int_equal(step[1].scale.width, 640);
    assert_int_equal(step[1].scale.height, 0);
    assert_int_equal(step[2].rotate, 90);
    assert_int_equal(step[3].flip, CONF_FLIP_VERTICAL);
    assert_int_equal(step[4].mask.points.size, sizeof points);
    assert_memory_equal(chain.data + step[4].mask.points.at, points, sizeof points);
    assert_string_equal(conf_chain_text(&chain, step[5].text.text), "%{camera} %F %T 문");
    assert_string_equal(conf_chain_text(&chain, step[5].text.font), "/etc/camring/a.ttf");
    assert_int_equal(step[5].text.position, CONF_BOTTOM_RIGHT);
    assert_int_equal(step[5].text.size, 30);
    assert_int_equal(step[6].kind, CONF_STEP_GRAY);
    assert_int_equal(step[7].kind, CONF_STEP_DEINTERLACE);
    assert_string_equal(conf_chain_text(&chain, step[8].filter.graph), "hqdn3d,eq=contrast=1.1");
    assert_int_equal(step[8].line, 9);
    assert_int_equal(conf_chain_column(&chain, &step[8], 7), 19);
}

static void a_program_is_read(void **state)
{
    (void)state;
    read_good("- external: {name: detector}\n"
              "- gray\n"
              "- external: {name: b_2, timeout: 1m, absent: placeholder}\n");
    assert_int_equal(chain.count, 3);
    assert_int_equal(chain.steps[0].kind, CONF_STEP_EXTERNAL);
    assert_string_equal(conf_chain_text(&chain, chain.steps[0].external.name), "detector");
    assert_int_equal(chain.steps[0].external.timeout_ns, 200 * 1000 * 1000);
    assert_int_equal(chain.steps[0].external.absent, CONF_ABSENT_RAW);
    assert_string_equal(conf_chain_text(&chain, chain.steps[2].external.name), "b_2");
    assert_int_equal(chain.steps[2].external.timeout_ns, CONF_TIMEOUT_MAX);
    assert_int_equal(chain.steps[2].external.absent, CONF_ABSENT_PLACEHOLDER);
    read_good("- external: {name: detector, timeout: 1ms, absent: raw}");
    assert_int_equal(chain.steps[0].external.timeout_ns, 1000 * 1000);
}

static void faults_of_programs_say_where(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"- external", "f:1:3: chain: external: needs a value"},
        {"- external: detector", "f:1:13: chain: external: must be a mapping"},
        {"- external: {}", "f:1:3: chain: external: needs name"},
        {"- external: {timeout: 1s}", "f:1:3: chain: external: needs name"},
        {"- external: {name: a, pipe: b}",
         "f:1:23: chain: external: has no key \"pipe\"; there are name, timeout, absent"},
        {"- external: {name: raw}", "f:1:20: chain: external: must be a name of up to 20"},
        {"- external: {name: v3}", "f:1:20: chain: external: must be a name of up to 20"},
        {"- external: {name: det-in}", "f:1:20: chain: external: must be a name of up to 20"},
        {"- external: {name: a.b}", "f:1:20: chain: external: must be a name of up to 20"},
        {"- external: {name: ''}", "f:1:20: chain: external: must be a name of up to 20"},
        {"- external: {name: [a]}", "f:1:20: chain: external: must be a name of up to 20"},
        {"- external: {name: a, timeout: 0}", "f:1:32: chain: external: must be "},
        {"- external: {name: a, timeout: 999us}", "f:1:32: chain: external: must be "},
        {"- external: {name: a, timeout: 61s}", "f:1:32: chain: external: must be "},
        {"- external: {name: a, absent: wait}",
         "f:1:31: chain: external: must be raw or placeholder, not \"wait\""},
        {"- external: {name: a}\n- gray\n- external: {name: a}",
         "f:3:20: chain: external: another external step of this chain has that name"},
        {"- external: {name: a}\n- external: {name: b}\n- external: {name: c}",
         "f:3:13: chain: external: a chain can have two external steps"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(cases[i][0], cases[i][1]);
}

static void a_chain_may_be_empty(void **state)
{
    (void)state;
    read_good("[]");
    assert_int_equal(chain.count, 0);
    read_good("~");
    assert_int_equal(chain.count, 0);
    read_good("- text: {text: x}\n- gray:\n");
    assert_int_equal(chain.steps[0].text.size, 24);
    assert_int_equal(chain.steps[0].text.position, CONF_TOP_LEFT);
    assert_int_equal(chain.steps[0].text.font.size, 0);
}

static void faults_say_where(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"gray", "f:1:1: chain: must be a list of steps, not \"gray\""},
        {"- grey",
         "f:1:3: chain: unknown step \"grey\"; there are crop, scale, rotate, flip, mask, "
         "text, gray, deinterlace, filter, external"},
        {"- crop", "f:1:3: chain: crop: needs a value"},
        {"- [1]", "f:1:3: chain: must be a step, like"},
        {"-", "f:1:2: chain: must be a step, like"},
        {"- gray: 1", "f:1:9: chain: gray: must be without a value, not \"1\""},
        {"- crop: {width: 5, height: 5}\n  flip: vertical", "f:2:3: chain: each step has a dash"},
        {"- crop: {width: 5}", "f:1:3: chain: crop: needs height"},
        {"- crop: {width: 0, height: 5}", "f:1:17: chain: crop: must be a whole number from 1 to"},
        {"- crop: {width: 5, height: 5, z: 1}",
         "f:1:31: chain: crop: has no key \"z\"; there are x,"},
        {"- crop: 5", "f:1:9: chain: crop: must be a mapping"},
        {"- scale: {}", "f:1:10: chain: scale: needs width or height"},
        {"- scale: {width: 20000}", "f:1:18: chain: scale: must be a whole number from 1 to 16384"},
        {"- scale: {width: [1]}",
         "f:1:18: chain: scale: must be a whole number from 1 to 16384, not "
         "a list"},
        {"- rotate: 45",
         "f:1:11: chain: rotate: must be 90, 180 or 270, which turns clockwise, not"},
        {"- flip: sideways", "f:1:9: chain: flip: must be horizontal or vertical, not"},
        {"- mask: [0,0, 1,1, 2,0]", "f:1:10: chain: mask: must be a list of polygons"},
        {"- mask: []", "f:1:9: chain: mask: must be a list of polygons"},
        {"- mask: [[0,0, 1,1]]", "f:1:10: chain: mask: a polygon needs at least three points"},
        {"- mask: [[0,0, 1,1, 2]]", "f:1:10: chain: mask: a polygon needs at least three points"},
        {"- mask: [[0,0, 1,1, 2,-1]]", "f:1:23: chain: mask: must be a whole number from 0"},
        {"- text: {size: 20}", "f:1:3: chain: text: needs text"},
        {"- text: {text: \"문 %Q\"}", "f:1:19: chain: text: has a % that begins neither"},
        {"- text: {text: '%{name}'}", "f:1:17: chain: text: has a % that begins neither"},
        {"- text: {text: 'a%'}", "f:1:18: chain: text: has a % that begins neither"},
        {"- text: {text: ''}", "f:1:17: chain: text: is empty"},
        {"- text: {text: \"a\\x07\"}", "chain: text: contains a control character"},
        {"- text: {text: a, position: here}", "f:1:29: chain: text: must be top-left, top, "},
        {"- text: {text: a, size: 3}", "f:1:25: chain: text: must be a whole number from 4 to 512"},
        {"- text: {text: a, font: ''}", "f:1:25: chain: text: the path is empty or too long"},
        {"- filter: 'hqdn3d,movie=/etc/passwd'",
         "f:1:19: chain: filter: \"movie\" is none of the filters that may be used"},
        {"- filter: 'hqdn3d,drawtext=text=a:textfile=/etc/passwd'",
         "f:1:35: chain: filter: the option textfile of the filter drawtext reaches files"},
        {"- filter: '$$hflip'", "f:1:11: chain: filter: a filter's name is of"},
        {"- filter: ''", "f:1:12: chain: filter: a filter's name is missing"},
        {"- filter: \"hflip,\\x2bvflip\"", "f:1:11: chain: filter: a filter's name"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect(cases[i][0], cases[i][1]);
}

static void there_is_a_limit(void **state)
{
    (void)state;
    static char text[60000];
    strcpy(text, "");
    for (int i = 0; i < 17; i++)
        strcat(text, "- gray\n");
    expect(text, "f:17:3: chain: gray: one step too many: there can be 16");
    assert_int_equal(chain.count, 16);
    strcpy(text, "- mask: [[");
    for (int i = 0; i < 501; i++)
        strcat(text, "1, 2, ");
    strcat(text, "]]");
    expect(text, "f:1:10: chain: mask: a polygon has too many points");
    strcpy(text, "- mask: [");
    for (int polygon = 0; polygon < 3; polygon++) {
        strcat(text, "[");
        for (int i = 0; i < 400; i++)
            strcat(text, "1, 2, ");
        strcat(text, "],\n ");
    }
    strcat(text, "]");
    expect(text,
           "f:3:2: chain: mask: all texts and points of the chain together exceed 4000 bytes");
}

static int tear_down(void **state)
{
    (void)state;
    free(said);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_kept),
        cmocka_unit_test(places_make_no_difference),
        cmocka_unit_test(what_another_process_sends_is_checked),
        cmocka_unit_test(an_external_step_that_another_process_sends_is_checked),
        cmocka_unit_test(names_of_programs),
        cmocka_unit_test(external_steps_are_found),
        cmocka_unit_test(every_step_is_read),
        cmocka_unit_test(a_program_is_read),
        cmocka_unit_test(a_chain_may_be_empty),
        cmocka_unit_test(faults_say_where),
        cmocka_unit_test(faults_of_programs_say_where),
        cmocka_unit_test(there_is_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
