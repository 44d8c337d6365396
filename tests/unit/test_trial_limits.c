/* Chains that hold pictures back are given as many as it takes, but not without end. */
#include "trial_fixture.h"

static void pictures_may_be_held_back(void **state)
{
    (void)state;
    start();
    expect_works("- deinterlace");
    expect_works("- scale: {width: 64}\n- filter: 'thumbnail'");
    expect_works("- scale: {width: 64}\n- filter: 'fps=1,tmix=frames=5'");
    expect_works("- scale: {width: 64}\n- filter: 'tile'\n- deinterlace");
    expect_faults("- scale: {width: 16}\n- filter: \"select=0\"", 1, 2, 0, "no picture comes out");
}

#ifndef __SANITIZE_ADDRESS__
static void memory_has_an_end(void **state)
{
    (void)state;
    start();
    expect_faults("- crop: {width: 1900, height: 1000}\n" /* the smaller sizes are soon done */
                  "- filter: 'pad=16384:16384,random=frames=500'",
                  1, 2, 0, "Cannot allocate memory");
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRIAL_TEST(pictures_may_be_held_back),
#ifndef __SANITIZE_ADDRESS__
        TRIAL_TEST(memory_has_an_end),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
