/* forwarded.h: who asks, when proxies may stand in between and lie. */
#include "server/http/forwarded.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct conf_proxies trusted;

static void parse(const char *text, uint8_t out[16])
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        forwarded_address((struct sockaddr *)&v4, out);
    else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
        forwarded_address((struct sockaddr *)&v6, out);
    else
        forwarded_address(&(struct sockaddr){.sa_family = AF_UNIX}, out);
}

static void trust(const char *network, unsigned bits)
{
    parse(network, trusted.item[trusted.count].address);
    trusted.item[trusted.count++].bits = (uint8_t)(strchr(network, ':') ? bits : 96 + bits);
}

static void assert_client(const char *peer, const char *forwarded, const char *client)
{
    uint8_t address[16];
    char text[64];
    parse(peer, address);
    forwarded_client(&trusted, forwarded, address);
    forwarded_describe(address, text, sizeof text);
    assert_string_equal(text, client);
}

static int forget(void **state)
{
    (void)state;
    trusted = (struct conf_proxies){0};
    return 0;
}

static void test_nobody_is_believed_at_first(void **state)
{
    (void)state;
    assert_client("10.0.0.1", NULL, "10.0.0.1");
    assert_client("10.0.0.1", "203.0.113.7", "10.0.0.1");
    assert_client("unix", "203.0.113.7", "a unix socket");
    assert_client("2001:db8::1", "203.0.113.7", "2001:db8::1");
}

static void test_the_last_one_that_is_no_proxy(void **state)
{
    (void)state;
    trust("10.0.0.0", 8);
    trust("2001:db8::", 33);
    assert_client("10.0.0.1", NULL, "10.0.0.1");
    assert_client("10.0.0.1", "203.0.113.7", "203.0.113.7");
    assert_client("10.0.0.1", "198.51.100.1, 203.0.113.7", "203.0.113.7");
    assert_client("10.0.0.1", "203.0.113.7,10.1.1.1 ,\t10.2.2.2", "203.0.113.7");
    assert_client("10.0.0.1", "10.9.9.9", "10.9.9.9");
    assert_client("11.0.0.1", "203.0.113.7", "11.0.0.1");
    assert_client("2001:db8:7fff::1", "203.0.113.7", "203.0.113.7");
    assert_client("2001:db8:8000::1", "203.0.113.7", "2001:db8:8000::1");
}

static void test_forms(void **state)
{
    (void)state;
    trust("127.0.0.1", 32);
    assert_client("127.0.0.1", "203.0.113.7:1234", "203.0.113.7");
    assert_client("127.0.0.1", "[2001:db8::7]:1234", "2001:db8::7");
    assert_client("127.0.0.1", "2001:db8::7", "2001:db8::7");
    assert_client("127.0.0.1", "::ffff:203.0.113.7", "203.0.113.7");
}

static void test_nonsense_ends_the_way(void **state)
{
    (void)state;
    static const char *const nonsense[] = {
        "",
        ",",
        " ",
        "unknown",
        "1.2.3",
        "::",
        "[",
        "203.0.113.7, ",
        "x, 999.1.1.1",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    trust("127.0.0.1", 32);
    trusted.unix_sockets = true;
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++)
        assert_client("127.0.0.1", nonsense[i], "127.0.0.1");
    assert_client("unix", "nonsense", "a unix socket");
}

static void test_unix_sockets(void **state)
{
    (void)state;
    trusted.unix_sockets = true;
    assert_client("unix", "203.0.113.7", "203.0.113.7");
    assert_client("unix", "203.0.113.7, 10.0.0.1", "10.0.0.1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_nobody_is_believed_at_first, forget),
        cmocka_unit_test_setup(test_the_last_one_that_is_no_proxy, forget),
        cmocka_unit_test_setup(test_forms, forget),
        cmocka_unit_test_setup(test_nonsense_ends_the_way, forget),
        cmocka_unit_test_setup(test_unix_sockets, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
