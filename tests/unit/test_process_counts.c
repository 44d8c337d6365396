/* process_counts.h: what "auto" means. */
#include "common/supervisor/children/process_counts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static unsigned servers(unsigned max_clients, bool tls, unsigned cores)
{
    struct conf conf = {.camera_count = 3, .http.max_clients = max_clients};
    if (tls)
        strcpy(conf.http.tls_cert, "/cert.pem");
    return process_counts_decide(&conf, cores).servers;
}

static void servers_follow_clients_and_cores(void **state)
{
    (void)state;
    assert_int_equal(servers(1, false, 64), 1);
    assert_int_equal(servers(1000, false, 64), 1);
    assert_int_equal(servers(1001, false, 64), 2);
    assert_int_equal(servers(5000, false, 64), 5);
    assert_int_equal(servers(5000, false, 8), 4);
    assert_int_equal(servers(5000, false, 3), 1);
    assert_int_equal(servers(5000, false, 1), 1);
    assert_int_equal(servers(100000, false, 1000), RING_MAX_WAKERS);
    assert_int_equal(servers(250, true, 64), 1);
    assert_int_equal(servers(1000, true, 64), 4);
    assert_int_equal(servers(1000, true, 2), 1);
}

static void encoders_follow_cores(void **state)
{
    (void)state;
    struct conf conf = {.camera_count = 3, .http.max_clients = 1000};
    struct process_counts counts = process_counts_decide(&conf, 6);
    assert_int_equal(counts.encoders, 6);
}

static void a_given_number_is_taken(void **state)
{
    (void)state;
    struct conf conf = {.encoder_workers = 9, .http.workers = 7, .http.max_clients = 1};
    struct process_counts counts = process_counts_decide(&conf, 2);
    assert_int_equal(counts.encoders, 9);
    assert_int_equal(counts.servers, 7);
    assert_true(process_counts_cores() >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_follow_clients_and_cores),
        cmocka_unit_test(encoders_follow_cores),
        cmocka_unit_test(a_given_number_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
