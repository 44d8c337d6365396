#include "kill_tests.h"
#include "stage.h"

#include "common/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define KILL_TEST(name) cmocka_unit_test_teardown(name, stage_tear_down)

/* test_kill [NAME | --list] */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        KILL_TEST(a_writer_of_a_new_ring),
        KILL_TEST(a_writer_after_another),
        KILL_TEST(a_writer_that_grows),
        KILL_TEST(a_writer_that_gives_slots_back),
        KILL_TEST(a_capture_that_passes_through),
        KILL_TEST(a_reader_that_pins),
        KILL_TEST(a_reader_that_takes_several),
        KILL_TEST(a_reader_that_copies),
        KILL_TEST(an_encoder),
        KILL_TEST(an_encoder_while_a_frame_waits),
        KILL_TEST(an_encoder_with_a_chain),
        KILL_TEST(an_encoder_with_a_chain_for_viewers),
        KILL_TEST(an_encoder_with_a_program),
        KILL_TEST(an_encoder_with_a_program_between_filters),
        KILL_TEST(a_program_that_returns_pictures),
        KILL_TEST(a_worker_whose_place_is_used_again),
        KILL_TEST(a_worker_that_makes_variants),
        KILL_TEST(a_worker_that_makes_variants_while_a_frame_waits),
        KILL_TEST(a_server_that_asks_for_variants),
        KILL_TEST(a_supervisor_that_recovers_variants),
        KILL_TEST(a_supervisor_that_recovers_an_encoder),
        KILL_TEST(a_supervisor_that_recovers_an_encoder_with_a_chain),
        KILL_TEST(a_supervisor_that_recovers_an_encoder_with_a_program),
        KILL_TEST(a_supervisor_that_recovers_a_capture),
        KILL_TEST(a_supervisor_that_recovers_a_reader),
        KILL_TEST(a_supervisor_that_recovers_a_reader_of_several),
        KILL_TEST(a_supervisor_that_starts),
        KILL_TEST(a_producer_of_its_own),
    };
    if (argc > 1 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
            puts(tests[i].name);
        return 0;
    }
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    log_set(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    picture_share_labels();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
