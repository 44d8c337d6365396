/* The encode lease: one holder at a time, freed only by its holder or by whoever knows it dead. */
#include "common/lease.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void fresh_lease_is_free(void **state)
{
    (void)state;
    struct lease lease = {0};
    assert_int_equal(lease_holder(&lease), -1);
}

static void one_holder_at_a_time(void **state)
{
    (void)state;
    struct lease lease = {0};
    assert_true(lease_acquire(&lease, 0, 0));
    assert_int_equal(lease_holder(&lease), 0);
    assert_false(lease_acquire(&lease, 1, 0));
    assert_false(lease_acquire(&lease, 0, 0));
    lease_release(&lease, 0);
    assert_true(lease_acquire(&lease, 1, 0));
}

static void only_the_holder_releases(void **state)
{
    (void)state;
    struct lease lease = {0};
    assert_true(lease_acquire(&lease, LEASE_CAPTURE, 0));
    lease_release(&lease, 1);
    assert_int_equal(lease_holder(&lease), LEASE_CAPTURE);
}

static void reset_frees_only_the_dead_workers_lease(void **state)
{
    (void)state;
    struct lease lease = {0};
    assert_true(lease_acquire(&lease, 3, 0));
    assert_false(lease_reset(&lease, 2));
    assert_int_equal(lease_holder(&lease), 3);
    assert_true(lease_reset(&lease, 3));
    assert_int_equal(lease_holder(&lease), -1);
    assert_false(lease_reset(&lease, 3));
}

static void words_never_repeat(void **state)
{
    (void)state;
    struct lease lease = {0};
    uint64_t before = lease.word;
    for (int i = 0; i < 1000; i++) {
        assert_true(lease_acquire(&lease, 1, 0));
        assert_true(lease.word > before);
        before = lease.word;
        lease_release(&lease, 1);
        assert_true(lease.word > before);
        before = lease.word;
    }
}

#define ROUNDS 50000

static struct lease contended;
static unsigned long guarded; /* not atomic: the lease orders it */

static void *contend(void *arg)
{
    unsigned worker = *(unsigned *)arg;
    for (int done = 0; done < ROUNDS;) {
        if (!lease_acquire(&contended, worker, 0))
            continue;
        guarded++;
        lease_release(&contended, worker);
        done++;
    }
    return NULL;
}

static void holders_see_what_the_last_one_wrote(void **state)
{
    (void)state;
    pthread_t threads[2];
    unsigned workers[2] = {0, 1};
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, contend, &workers[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(guarded, 2 * ROUNDS);
}

static void an_epoch_ends(void **state)
{
    (void)state;
    struct lease lease = {0};
    lease_open(&lease, 5);
    assert_false(lease_acquire(&lease, 1, 4));
    assert_true(lease_acquire(&lease, 1, 5));
    lease_release(&lease, 1);
    uint64_t word = lease.word;
    lease_open(&lease, 6);
    assert_int_equal(lease_holder(&lease), -1);
    assert_true(lease.word != word);
    assert_false(lease_acquire(&lease, 1, 5));
    lease_open(&lease, 0x10007); /* the word has room for 16 bits of it */
    assert_true(lease_acquire(&lease, 2, 0x10007));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fresh_lease_is_free),
        cmocka_unit_test(an_epoch_ends),
        cmocka_unit_test(one_holder_at_a_time),
        cmocka_unit_test(only_the_holder_releases),
        cmocka_unit_test(reset_frees_only_the_dead_workers_lease),
        cmocka_unit_test(words_never_repeat),
        cmocka_unit_test(holders_see_what_the_last_one_wrote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
