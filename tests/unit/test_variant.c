/* Variants: what there can be, and who wants one: any number of servers that join, leave and die
 * leave nothing behind. */
#include "common/variant.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct variant_words words;

static int set_up(void **state)
{
    (void)state;
    memset(&words, 0, sizeof words);
    return 0;
}

static unsigned wanted_slots(void)
{
    struct variant ignored;
    unsigned count = 0;
    for (unsigned i = 0; i < VARIANT_SLOTS; i++)
        count += variant_wanted(&words, i, &ignored);
    return count;
}

/* ---- which there can be ---- */

static void wishes_are_rounded(void **state)
{
    (void)state;
    static const struct {
        unsigned width, quality, source_width, source_quality, to_width, to_quality;
    } cases[] = {
        {0, 0, 1920, 80, 0, 0},       {320, 60, 1920, 80, 320, 60}, {1, 1, 1920, 80, 160, 10},
        {161, 62, 1920, 80, 240, 60}, {641, 63, 1920, 80, 800, 65}, {1919, 0, 1920, 80, 0, 0},
        {1920, 0, 1920, 80, 0, 0},    {1600, 0, 1920, 80, 1600, 0}, {1601, 0, 1920, 80, 0, 0},
        {8192, 0, 0, 0, 0, 0},        {3840, 0, 0, 0, 3840, 0},     {640, 0, 640, 80, 0, 0},
        {320, 80, 1920, 80, 320, 0},  {0, 79, 1920, 80, 0, 0},      {0, 82, 1920, 82, 0, 0},
        {0, 82, 1920, 80, 0, 0},      {0, 100, 1920, 80, 0, 95},    {0, 80, 1920, 0, 0, 80},
        {100, 0, 120, 80, 0, 0},      {160, 10, 161, 80, 160, 10},  {3841, 97, 8000, 80, 0, 95},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct variant v = variant_round(cases[i].width, cases[i].quality, cases[i].source_width,
                                         cases[i].source_quality);
        assert_int_equal(v.width, cases[i].to_width);
        assert_int_equal(v.quality, cases[i].to_quality);
    }
}

static void rounding_again_changes_nothing(void **state)
{
    (void)state;
    for (unsigned width = 0; width <= VARIANT_MAX_WIDTH; width += 7)
        for (unsigned quality = 0; quality <= 100; quality++) {
            struct variant once = variant_round(width, quality, 1920, 0);
            struct variant twice = variant_round(once.width, once.quality, 1920, 0);
            assert_int_equal(variant_pack(once), variant_pack(twice));
            assert_true(once.width < 1920 && once.quality <= 95);
        }
}

static void sizes_keep_proportions(void **state)
{
    (void)state;
    static const uint32_t cases[][5] = {
        {640, 1920, 1080, 640, 360}, {320, 1920, 1080, 320, 180},   {160, 1920, 1080, 160, 90},
        {480, 1920, 1080, 480, 270}, {320, 641, 479, 320, 240},     {240, 1280, 721, 240, 136},
        {160, 16384, 16, 160, 2},    {160, 1000, 16384, 160, 2622}, {0, 641, 479, 641, 479},
        {800, 641, 479, 641, 479},   {160, 161, 16384, 160, 16282},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t width, height;
        variant_size((struct variant){.width = (uint16_t)cases[i][0]}, cases[i][1], cases[i][2],
                     &width, &height);
        assert_int_equal(width, cases[i][3]);
        assert_int_equal(height, cases[i][4]);
    }
}

static void words_and_names_go_both_ways(void **state)
{
    (void)state;
    char text[VARIANT_TEXT_SIZE];
    struct variant v = variant_unpack(variant_pack((struct variant){3840, 95}));
    assert_int_equal(v.width, 3840);
    assert_int_equal(v.quality, 95);
    assert_string_equal(variant_text(v, text), "3840w q95");
    assert_string_equal(variant_text((struct variant){640, 0}, text), "640w");
    assert_string_equal(variant_text((struct variant){0, 60}, text), "q60");
    assert_string_equal(variant_text((struct variant){0, 0}, text), "");
    assert_string_equal(variant_text((struct variant){65535, 255}, text), "65535w q255");
}

/* ---- who wants one ---- */

static const struct variant small = {320, 60}, medium = {640, 0};

static void joining_shares_a_slot(void **state)
{
    (void)state;
    struct variant found;
    assert_false(variant_any_wanted(&words));
    assert_false(variant_was_wanted(&words, 0));
    assert_int_equal(variant_join(&words, 0, small), 0);
    assert_int_equal(variant_join(&words, 0, small), 0);
    assert_int_equal(variant_join(&words, 31, small), 0);
    assert_int_equal(variant_join(&words, 31, medium), 1);
    assert_true(variant_any_wanted(&words));
    assert_true(variant_wanted(&words, 0, &found));
    assert_int_equal(variant_pack(found), variant_pack(small));
    variant_leave(&words, 0, 0);
    variant_leave(&words, 0, 0);
    assert_true(variant_wanted(&words, 0, &found));
    variant_leave(&words, 31, 0);
    assert_false(variant_wanted(&words, 0, &found));
    assert_true(variant_was_wanted(&words, 0));
    assert_int_equal(wanted_slots(), 1);
}

static void the_cameras_own_picture_is_no_variant(void **state)
{
    (void)state;
    assert_int_equal(variant_join(&words, 0, (struct variant){0, 0}), -1);
    assert_int_equal(variant_join(&words, RING_MAX_WAKERS, small), -1);
    variant_leave(&words, RING_MAX_WAKERS, 0);
    variant_leave(&words, 0, VARIANT_SLOTS);
    assert_int_equal(wanted_slots(), 0);
}

static void every_server_has_its_bit(void **state)
{
    (void)state;
    struct variant ignored;
    for (unsigned i = 0; i < RING_MAX_WAKERS; i++)
        assert_int_equal(variant_join(&words, i, small), 0);
    for (unsigned i = 0; i < RING_MAX_WAKERS; i++) {
        assert_true(variant_wanted(&words, 0, &ignored));
        variant_clear_server(&words, i);
    }
    assert_int_equal(wanted_slots(), 0);
}

static void slots_run_out_and_are_used_again(void **state)
{
    (void)state;
    struct variant found;
    for (unsigned i = 0; i < VARIANT_SLOTS; i++)
        assert_int_equal(variant_join(&words, i, (struct variant){160, (uint8_t)(10 + 5 * i)}), i);
    assert_int_equal(variant_join(&words, 9, medium), -1);
    /* one that is there is always to be had */
    assert_int_equal(variant_join(&words, 9, (struct variant){160, 20}), 2);
    variant_leave(&words, 5, 5);
    assert_int_equal(variant_join(&words, 9, medium), 5);
    assert_true(variant_wanted(&words, 5, &found));
    assert_int_equal(variant_pack(found), variant_pack(medium));
    variant_clear_server(&words, 9);
    assert_int_equal(wanted_slots(), 7);
}

static void a_dead_server_costs_others_nothing(void **state)
{
    (void)state;
    variant_join(&words, 3, small);
    variant_join(&words, 4, small);
    variant_join(&words, 3, medium);
    variant_clear_server(&words, 3);
    variant_clear_server(&words, 3);
    assert_int_equal(wanted_slots(), 1);
    assert_int_equal(variant_join(&words, 3, small), 0);
}

/* ---- at the same time ---- */

#define ROUNDS 40000
#define SERVERS RING_MAX_WAKERS

static atomic_uint failures;
static unsigned kinds; /* of variants that are asked for */

static void must(bool holds)
{
    if (!holds)
        atomic_fetch_add(&failures, 1);
}

/* A server as wild as any: what it has joined must be what the slot says until it leaves. */
static void *serve(void *arg)
{
    unsigned server = *(unsigned *)arg, seed = server * 7919 + 1;
    for (unsigned i = 0; i < ROUNDS; i++) {
        seed = seed * 1664525 + 1013904223;
        struct variant wanted = {(uint16_t)(160 + 80 * ((seed >> 24) % kinds)),
                                 (uint8_t)(60 + (seed >> 24) % kinds)},
                       found;
        int slot = variant_join(&words, server, wanted);
        must(slot >= 0 || kinds >= VARIANT_SLOTS);
        if (slot < 0)
            continue;
        must(variant_wanted(&words, (unsigned)slot, &found) &&
             variant_pack(found) == variant_pack(wanted));
        must(variant_any_wanted(&words));
        if (seed >> 30) {
            variant_leave(&words, server, (unsigned)slot);
        } else { /* dies, and the supervisor clears up */
            variant_clear_server(&words, server);
        }
    }
    return NULL;
}

static atomic_bool over;

/* The encoder: what it reads is a variant that somebody asked for, never half of two. */
static void *encode(void *arg)
{
    (void)arg;
    while (!atomic_load(&over))
        for (unsigned i = 0; i < VARIANT_SLOTS; i++) {
            struct variant found;
            if (variant_wanted(&words, i, &found))
                must(found.width == 160 + 80 * (found.quality - 60) && found.quality >= 60 &&
                     found.quality < 60 + kinds);
        }
    return NULL;
}

static void race(unsigned of)
{
    pthread_t servers[SERVERS], encoder;
    unsigned number[SERVERS];
    kinds = of;
    atomic_store(&over, false);
    assert_int_equal(pthread_create(&encoder, NULL, encode, NULL), 0);
    for (unsigned i = 0; i < SERVERS; i++) {
        number[i] = i;
        assert_int_equal(pthread_create(&servers[i], NULL, serve, &number[i]), 0);
    }
    for (unsigned i = 0; i < SERVERS; i++)
        pthread_join(servers[i], NULL);
    atomic_store(&over, true);
    pthread_join(encoder, NULL);
    assert_int_equal(atomic_load(&failures), 0);
    assert_int_equal(wanted_slots(), 0);
    for (unsigned i = 0; i < VARIANT_SLOTS; i++)
        assert_int_equal(variant_join(&words, 0, (struct variant){160, (uint8_t)(10 + i)}), i);
}

static void races_leave_nothing(void **state)
{
    (void)state;
    race(15);
}

/* A swap that fails is tried again: with so few kinds there is always room. */
static void races_turn_nobody_away(void **state)
{
    (void)state;
    race(2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(wishes_are_rounded, set_up),
        cmocka_unit_test_setup(rounding_again_changes_nothing, set_up),
        cmocka_unit_test_setup(sizes_keep_proportions, set_up),
        cmocka_unit_test_setup(words_and_names_go_both_ways, set_up),
        cmocka_unit_test_setup(joining_shares_a_slot, set_up),
        cmocka_unit_test_setup(the_cameras_own_picture_is_no_variant, set_up),
        cmocka_unit_test_setup(every_server_has_its_bit, set_up),
        cmocka_unit_test_setup(slots_run_out_and_are_used_again, set_up),
        cmocka_unit_test_setup(a_dead_server_costs_others_nothing, set_up),
        cmocka_unit_test_setup(races_leave_nothing, set_up),
        cmocka_unit_test_setup(races_turn_nobody_away, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
