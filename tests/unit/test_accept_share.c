/* accept_share.h: who takes the next connection. */
#include "server/http/accept_share.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define S INT64_C(1000000000)
#define SERVERS 4

static void alone_it_takes_everything(void **state)
{
    (void)state;
    struct accept_share share = {0};
    for (uint32_t load = 0; load < 100000; load += 99)
        assert_true(accept_share_may_take(&share, load, UINT32_MAX));
}

static void who_is_ahead_stands_back(void **state)
{
    (void)state;
    struct accept_share share = {0};
    assert_true(accept_share_may_take(&share, 3, 0));
    assert_true(accept_share_may_take(&share, 4, 0));
    assert_false(accept_share_may_take(&share, 5, 0));
    assert_true(accept_share_may_take(&share, 104, 100));
    assert_false(accept_share_may_take(&share, 105, 100));
}

static void connections_count_until_they_are_clients_or_old(void **state)
{
    (void)state;
    struct accept_share share = {0};
    assert_int_equal(accept_share_load(&share, 7, 100 * S), 7);
    accept_share_take(&share, 100 * S);
    accept_share_take(&share, 100 * S + S / 2);
    assert_int_equal(accept_share_load(&share, 7, 101 * S), 9);
    assert_int_equal(accept_share_load(&share, 9, 102 * S), 9);
    accept_share_take(&share, 102 * S);
    assert_int_equal(accept_share_load(&share, 9, 102 * S), 10);
}

/* The server with the quickest legs wakes first each time; the others use each head start to take
 * one. */
static void a_burst_is_shared(void **state)
{
    (void)state;
    struct accept_share share[SERVERS] = {0};
    uint32_t load[SERVERS] = {0};
    for (unsigned i = 0; i < 200; i++) {
        unsigned taker = SERVERS;
        for (unsigned s = 0; s < SERVERS && taker == SERVERS; s++) {
            uint32_t least = UINT32_MAX;
            for (unsigned other = 0; other < SERVERS; other++)
                if (other != s && load[other] < least)
                    least = load[other];
            if (accept_share_may_take(&share[s], load[s], least))
                taker = s;
        }
        assert_true(taker < SERVERS); /* the one with least never stands back */
        accept_share_take(&share[taker], 100 * S);
        load[taker] = accept_share_load(&share[taker], 0, 100 * S);
    }
    for (unsigned s = 0; s < SERVERS; s++)
        assert_in_range(load[s], 45, 55);
}

/* The other one is stopped: all get in, after a few head starts. */
static void nobody_waits_for_a_stopped_one(void **state)
{
    (void)state;
    struct accept_share share = {0};
    uint32_t load = 0;
    unsigned waits = 0;
    while (load < 1000) {
        if (accept_share_may_take(&share, load, 0)) {
            load++;
        } else {
            accept_share_in_vain(&share, load);
            assert_true(accept_share_may_take(&share, load, 0));
            waits++;
        }
    }
    assert_in_range(waits, 5, 25);
    assert_true(accept_share_may_take(&share, 1000, 999)); /* it is back */
    assert_false(accept_share_may_take(&share, 1005, 1000));
    accept_share_in_vain(&share, 1005); /* and patience begins anew */
    assert_true(accept_share_may_take(&share, 1008, 1000));
    assert_false(accept_share_may_take(&share, 1009, 1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alone_it_takes_everything),
        cmocka_unit_test(who_is_ahead_stands_back),
        cmocka_unit_test(connections_count_until_they_are_clients_or_old),
        cmocka_unit_test(a_burst_is_shared),
        cmocka_unit_test(nobody_waits_for_a_stopped_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
