/* `chain:` in a configuration: what is stored of it. */
#include "common/conf_chain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct conf_step *add(struct conf_chain *chain, enum conf_step_kind kind)
{
    struct conf_step *step = &chain->steps[chain->count++];
    *step = (struct conf_step){.kind = kind};
    return step;
}

static struct conf_piece put(struct conf_chain *chain, const void *bytes, size_t size)
{
    struct conf_piece piece;
    assert_true(conf_chain_store(chain, bytes, size, &piece));
    return piece;
}

static void sample(struct conf_chain *chain)
{
    static const uint16_t points[] = {3, 0, 0, 200, 0, 200, 80};
    *chain = (struct conf_chain){0};
    add(chain, CONF_STEP_CROP)->crop.width = 5;
    add(chain, CONF_STEP_GRAY);
    add(chain, CONF_STEP_MASK)->mask.points = put(chain, points, sizeof points);
    struct conf_step *text = add(chain, CONF_STEP_TEXT);
    text->text.text = put(chain, "%F", 3);
    text->text.font = put(chain, "/a", 3);
    add(chain, CONF_STEP_FILTER)->filter.graph = put(chain, "hflip", 6);
}

static void texts_are_kept(void **state)
{
    (void)state;
    static struct conf_chain chain;
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
    b.count--;
    assert_false(conf_chain_same(&a, &b));
}

static void what_another_process_sends_is_checked(void **state)
{
    (void)state;
    static struct conf_chain chain;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_kept),
        cmocka_unit_test(places_make_no_difference),
        cmocka_unit_test(what_another_process_sends_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
