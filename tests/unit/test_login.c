/* login.h: which headers let in, that one password is hashed once, and who has to wait for whom. */
#include "server/http/login.h"

#include "common/board.h"
#include "common/clock.h"
#include "common/throttle.h"
#include "server/loop.h"

#include <crypt.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FAST "$2b$04$abcdefghijklmnopqrstuu"
#define MANY 200

struct asker {
    struct login_waiter waiter;
    enum login_verdict verdict;
    unsigned order; /* in which verdicts came, from 1; 0: none yet */
};

static struct board_child child;
static struct event_base *base;
static struct worker *worker;
static struct login *login;
static struct throttle throttle;
static unsigned verdicts;

static const uint8_t *address(unsigned number)
{
    static uint8_t all[256][16];
    all[number][10] = all[number][11] = 0xff;
    all[number][15] = (uint8_t)number;
    return all[number];
}

static struct credentials *users(const char *name, const char *password, const char *token)
{
    struct credentials *credentials = calloc(1, sizeof *credentials);
    credentials->users = calloc(1, sizeof *credentials->users);
    credentials->tokens = calloc(1, sizeof *credentials->tokens);
    credentials->user_count = name != NULL;
    credentials->token_count = token != NULL;
    if (name)
        credentials->users[0] =
            (struct credentials_user){strdup(name), strdup(crypt(password, FAST))};
    if (token)
        credentials->tokens[0] = strdup(token);
    return credentials;
}

static const char *basic(const char *text)
{
    static char header[1000];
    memcpy(header, "Basic ", 6);
    EVP_EncodeBlock((unsigned char *)header + 6, (const unsigned char *)text, (int)strlen(text));
    return header;
}

static int set_up(void **state)
{
    (void)state;
    base = loop_open(&child, false);
    worker = worker_create(base);
    throttle = (struct throttle){.seed = 42};
    login = login_create(worker, &throttle);
    login_set(login, users("me", "pass", "token"));
    verdicts = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    worker_destroy(worker);
    login_destroy(login);
    loop_close();
    return 0;
}

static void on_verdict(struct login_waiter *waiter, enum login_verdict verdict)
{
    struct asker *asker = (struct asker *)waiter;
    assert_int_equal(asker->order, 0);
    asker->verdict = verdict;
    asker->order = ++verdicts;
}

static void join(struct asker *asker, const char *header, const uint8_t *from)
{
    *asker = (struct asker){.waiter = {.on_verdict = on_verdict}};
    enum login_verdict verdict = login_check(login, header, from);
    if (verdict == LOGIN_LATER)
        verdict = login_join(login, header, from, &asker->waiter);
    if (verdict != LOGIN_LATER)
        on_verdict(&asker->waiter, verdict);
}

static void wait_for(unsigned count)
{
    while (verdicts < count)
        event_base_loop(base, EVLOOP_ONCE);
}

static enum login_verdict ask(const char *header, const uint8_t *from)
{
    struct asker asker;
    unsigned before = verdicts;
    join(&asker, header, from);
    wait_for(before + 1);
    return asker.verdict;
}

static void test_tokens(void **state)
{
    (void)state;
    assert_int_equal(login_check(login, "Bearer token", address(1)), LOGIN_RIGHT);
    assert_int_equal(login_check(login, "BEARER   token", address(1)), LOGIN_RIGHT);
    static const char *const wrong[] = {"Bearer toke", "Bearer tokens", "Bearer ",
                                        "Bearer",      "token",         "Bearer token "};
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_false(login_is_token(login, wrong[i]));
        assert_int_equal(login_check(login, wrong[i], address(10 + i)), LOGIN_WRONG);
    }
}

static void test_passwords(void **state)
{
    (void)state;
    assert_int_equal(ask(basic("me:pass"), address(1)), LOGIN_RIGHT);
    assert_int_equal(ask(basic("me:"), address(2)), LOGIN_WRONG);
    assert_int_equal(ask(basic("me:pass2"), address(2)), LOGIN_WRONG);
    assert_int_equal(ask(basic("you:pass"), address(2)), LOGIN_WRONG);
    assert_int_equal(ask(basic("me"), address(3)), LOGIN_WRONG);
    assert_int_equal(ask("Basic ====", address(3)), LOGIN_WRONG);
    assert_int_equal(ask("Basic   ==", address(3)), LOGIN_WRONG);
    assert_int_equal(ask("Basic", address(3)), LOGIN_WRONG);
}

static void test_what_was_right_is_kept_until_the_users_change(void **state)
{
    (void)state;
    assert_int_equal(login_check(login, basic("me:pass"), address(1)), LOGIN_LATER);
    assert_int_equal(ask(basic("me:pass"), address(1)), LOGIN_RIGHT);
    assert_int_equal(login_check(login, basic("me:pass"), address(2)), LOGIN_RIGHT);
    assert_int_equal(login_check(login, basic("me:pasS"), address(2)), LOGIN_LATER);
    login_set(login, users("me", "new", NULL));
    assert_int_equal(ask(basic("me:pass"), address(1)), LOGIN_WRONG);
    assert_int_equal(ask(basic("me:new"), address(1)), LOGIN_RIGHT);
}

/* What the worker finds by then counts for nobody. */
static void test_users_that_change_while_hashing(void **state)
{
    (void)state;
    struct asker asker;
    join(&asker, basic("me:pass"), address(1));
    login_set(login, users("me", "new", NULL));
    wait_for(1);
    assert_int_equal(asker.verdict, LOGIN_WRONG);
    login_set(login, users("me", "pass", NULL));
    join(&asker, basic("me:pass"), address(1));
    login_set(login, users(NULL, NULL, "token"));
    wait_for(2);
    assert_int_equal(asker.verdict, LOGIN_WRONG);
}

static void test_those_who_ask_alike_wait_together(void **state)
{
    (void)state;
    static struct asker all[MANY];
    for (unsigned i = 0; i < MANY; i++)
        join(&all[i], basic("me:wrong"), address(1));
    wait_for(MANY);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(all[i].verdict, LOGIN_WRONG);
    assert_int_equal(login_wait(login, address(1)), 0); /* it was one guess */
}

static void test_many_guesses_at_once(void **state)
{
    (void)state;
    static struct asker all[MANY];
    char text[40];
    unsigned wrong = 0;
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(text, sizeof text, "me:guess%u", i);
        join(&all[i], basic(text), address(1));
    }
    wait_for(MANY);
    for (unsigned i = 0; i < MANY; i++) {
        wrong += all[i].verdict == LOGIN_WRONG;
        assert_int_not_equal(all[i].verdict, LOGIN_RIGHT);
    }
    assert_int_equal(wrong, THROTTLE_FREE);
    assert_true(login_wait(login, address(1)) > 0);
    assert_int_equal(ask(basic("me:pass"), address(1)), LOGIN_LIMITED);
    assert_int_equal(login_check(login, "Bearer token", address(1)), LOGIN_LIMITED);
    assert_int_equal(ask(basic("me:pass"), address(2)), LOGIN_RIGHT);
}

/* Who has failed before is served after those who have not, however long it has waited. */
static void test_the_innocent_go_first(void **state)
{
    (void)state;
    struct asker first, guilty[3], innocent;
    assert_int_equal(ask(basic("me:x"), address(1)), LOGIN_WRONG);
    verdicts = 0;
    join(&first, basic("me:y"), address(3)); /* is being hashed when the others come */
    join(&guilty[0], basic("me:1"), address(1));
    join(&guilty[1], basic("me:2"), address(1));
    join(&guilty[2], basic("me:3"), address(1));
    join(&innocent, basic("me:pass"), address(2));
    wait_for(5);
    assert_int_equal(first.order, 1);
    assert_int_equal(innocent.order, 2);
    assert_int_equal(innocent.verdict, LOGIN_RIGHT);
}

/* A full queue is no way to keep others out. */
static void test_the_guilty_give_way(void **state)
{
    (void)state;
    static struct asker all[MANY];
    struct asker innocent;
    char text[40];
    for (unsigned from = 1; from <= 10; from++)
        ask(basic("me:x"), address(from));
    verdicts = 0;
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(text, sizeof text, "me:guess%u", i);
        join(&all[i], basic(text), address(1 + i % 10));
    }
    join(&innocent, basic("me:pass"), address(100));
    wait_for(MANY + 1);
    assert_int_equal(innocent.verdict, LOGIN_RIGHT);
}

static void test_nobody_before_there_are_users(void **state)
{
    (void)state;
    struct login *empty = login_create(worker, &throttle);
    assert_int_equal(login_check(empty, basic("me:pass"), address(1)), LOGIN_WRONG);
    assert_int_equal(login_check(empty, "Bearer token", address(1)), LOGIN_WRONG);
    assert_false(login_is_token(empty, "Bearer token"));
    login_destroy(empty);
}

/* The end of the process: waiters hear nothing, and nothing is lost. */
static void test_an_end_in_the_middle(void **state)
{
    (void)state;
    static struct asker all[8];
    char text[40];
    for (unsigned i = 0; i < 8; i++) {
        snprintf(text, sizeof text, "me:%u", i);
        join(&all[i], basic(text), address(1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tokens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_passwords, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_right_is_kept_until_the_users_change, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_users_that_change_while_hashing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_those_who_ask_alike_wait_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_guesses_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_innocent_go_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_guilty_give_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nobody_before_there_are_users, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_end_in_the_middle, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
