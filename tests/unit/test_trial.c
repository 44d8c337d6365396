/* Chains are tried in a process of their own, which says how far it is. */
#include "trial_fixture.h"

static void chains_are_tried_one_after_the_other(void **state)
{
    (void)state;
    start();
    expect_works("- gray");
    expect_works("- crop: {x: 10, y: 20, width: 1280, height: 720}\n- text: {text: '%F 문'}\n"
                 "- filter: 'hqdn3d,eq=contrast=1.1'");
    expect_faults("- gray\n- filter: 'hqdn3d,eq=contrastt=1.1'", 1, 2, 10,
                  "step 2 (filter): the filter eq has no option contrastt");
    expect_faults("- filter: 'hqdn3d,eq=contrast=foo'", 1, 1, 7, "foo");
    expect_faults("- gray\n- text: {text: x, font: /etc/passwd}\n- gray", 1, 2, 0,
                  "step 2 (text): /etc/passwd is no font");
    expect_faults("- filter: 'hflip,overlay'", 1, 1, 0, "one open input");
    expect_works("- flip: vertical");
}

/* As far as they don't follow from each other. */
static void all_faults_are_said(void **state)
{
    (void)state;
    start();
    expect_faults("- filter: 'split'\n- crop: {width: 9000, height: 1}\n"
                  "- text: {text: x, font: /etc/passwd}\n- filter: 'negate=x'\n",
                  3, 1, 0, "one open input");
    expect_faults("- crop: {width: 9000, height: 1}\n- filter: 'crop=iw*2'", 1, 1, 0, "'9000'");
}

/* Which size a camera's pictures have is not known. */
static void a_chain_for_large_pictures_is_right(void **state)
{
    (void)state;
    start();
    expect_works("- crop: {width: 3000, height: 2000}");
    expect_works("- filter: 'scale=640:480,pixscope'");
    expect_faults("- crop: {width: 7000, height: 100}", 1, 1, 0, "'7000'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL_TEST(chains_are_tried_one_after_the_other),
        TRIAL_TEST(all_faults_are_said),
        TRIAL_TEST(a_chain_for_large_pictures_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
