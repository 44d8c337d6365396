#include "kill_tests.h"
#include "stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define KILL_TEST(name) cmocka_unit_test_teardown(name, stage_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KILL_TEST(a_writer_of_a_new_ring),
        KILL_TEST(a_writer_after_another),
        KILL_TEST(a_writer_that_grows),
        KILL_TEST(a_capture_that_passes_through),
        KILL_TEST(a_reader_that_pins),
        KILL_TEST(a_reader_that_copies),
        KILL_TEST(an_encoder),
        KILL_TEST(an_encoder_while_a_frame_waits),
        KILL_TEST(a_worker_that_makes_variants),
        KILL_TEST(a_worker_that_makes_variants_while_a_frame_waits),
        KILL_TEST(a_server_that_asks_for_variants),
        KILL_TEST(a_supervisor_that_recovers_variants),
        KILL_TEST(a_supervisor_that_recovers_an_encoder),
        KILL_TEST(a_supervisor_that_recovers_a_capture),
        KILL_TEST(a_supervisor_that_recovers_a_reader),
        KILL_TEST(a_supervisor_that_starts),
        KILL_TEST(a_producer_of_its_own),
    };
    picture_share_labels();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
