/* credentials.h: what is taken from the files, what is a fault, and that faults show no secret. */
#include "common/credentials.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SHA512                                                                                     \
    "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/"                                      \
    "jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/"
#define BCRYPT "$2b$05$abcdefghijklmnopqrstuuhFJZ4OnMsAjHRlYJQZVeZt5RIRmfpMq"
#define YESCRYPT "$y$j9T$abcdefghijkl$0nbXrW4Gd8nMfwtGL5hYMmN3sVuUeIvGHSHZ2ShHDQB"

static char path[] = "/tmp/test_credentials.XXXXXX";
static char *faults;

static struct credentials *load(bool tokens, const char *text, size_t size)
{
    struct conf_http http = {0};
    size_t faults_size;
    free(faults);
    FILE *file = fopen(path, "w"), *out = open_memstream(&faults, &faults_size);
    assert_int_equal(fwrite(text, 1, size, file), size);
    fclose(file);
    snprintf(tokens ? http.tokens_file : http.users_file, sizeof http.users_file, "%s", path);
    struct credentials *credentials = credentials_load(&http, out);
    fclose(out);
    return credentials;
}

static struct credentials *load_users(const char *text)
{
    return load(false, text, strlen(text));
}

static void assert_fault(bool tokens, const char *text, const char *place, const char *what)
{
    char expected[64];
    assert_null(load(tokens, text, strlen(text)));
    snprintf(expected, sizeof expected, "%s:%s: ", path, place);
    if (strncmp(faults, expected, strlen(expected)) != 0 || !strstr(faults, what))
        fail_msg("\"%s\" gave \"%s\"", text, faults);
    assert_null(strstr(faults, "SECRET"));
}

static void test_users(void **state)
{
    (void)state;
    struct credentials *all = load_users("# those who may\r\n\n  me:" SHA512 "  \r\nyou two:" BCRYPT
                                         ":comment\n\xc3\xa4:" YESCRYPT);
    assert_string_equal(faults, "");
    assert_int_equal(all->user_count, 3);
    assert_string_equal(all->users[0].name, "me");
    assert_string_equal(all->users[0].hash, SHA512);
    assert_string_equal(all->users[1].name, "you two");
    assert_string_equal(all->users[1].hash, BCRYPT);
    assert_string_equal(all->users[2].name, "\xc3\xa4");
    credentials_free(all);
}

static void test_many_users(void **state)
{
    (void)state;
    static char text[200000];
    size_t used = 0;
    for (unsigned i = 0; i < 1000; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "u%u:%s\n", i, SHA512);
    struct credentials *all = load_users(text);
    assert_non_null(all);
    assert_int_equal(all->user_count, 1000);
    assert_string_equal(all->users[999].name, "u999");
    credentials_free(all);
}

static void test_bad_users(void **state)
{
    (void)state;
    assert_fault(false, "", "1:1", "no user");
    assert_fault(false, "# nobody\n", "1:1", "no user");
    assert_fault(false, "\nSECRET\n", "2:1", "NAME:HASH");
    assert_fault(false, ":" SHA512, "1:1", "name is missing");
    assert_fault(false, "a\tb:" SHA512, "1:1", "control character");
    assert_fault(false, "me:SECRET", "1:4", "\"me\"");
    assert_fault(false, "me:", "1:4", "crypt(3)");
    assert_fault(false, "me:$6$", "1:4", "\"me\"");
    assert_fault(false, "me:$apr1$SECRET$SECRET", "1:4", "htpasswd -B");
    assert_fault(false, "me:$SECRET$x$y", "1:4", "crypt(3)");
    assert_fault(false, "me:$6$saltsalt$SECRET", "1:4", "not whole");
    assert_fault(false, "me:$2b$05$abcdefghijklmnopqrstuuSECRET", "1:4", "not whole");
    assert_fault(false, "me:" SHA512 "\nyou:" SHA512 "\nme:" SHA512, "3:1", "already");
}

static void test_every_fault_is_named(void **state)
{
    (void)state;
    assert_fault(false, "x\nme:" SHA512 "\ny\n", "1:1", ":3:1: must be NAME:HASH");
}

static void test_nul_and_size(void **state)
{
    (void)state;
    assert_null(load(false, "me\0:x\n", 6));
    assert_non_null(strstr(faults, "NUL"));
    char *large = malloc(CREDENTIALS_FILE_MAX + 1);
    memset(large, '#', CREDENTIALS_FILE_MAX + 1);
    assert_null(load(false, large, CREDENTIALS_FILE_MAX + 1));
    assert_non_null(strstr(faults, "larger"));
    free(large);
}

static void test_tokens(void **state)
{
    (void)state;
    const char *text = "# for Prometheus\nabc.DEF-123=\n\n  xyz  \n";
    struct credentials *all = load(true, text, strlen(text));
    assert_int_equal(all->token_count, 2);
    assert_string_equal(all->tokens[0], "abc.DEF-123=");
    assert_string_equal(all->tokens[1], "xyz");
    credentials_free(all);
    assert_fault(true, "SECRET SECRET", "1:7", "one word");
    assert_fault(true, "\n\xc3\xa4", "2:1", "ASCII");
    assert_fault(true, "#\n", "1:1", "no token");
}

static void test_no_file(void **state)
{
    (void)state;
    struct conf_http http = {.users_file = "/nowhere/users"};
    size_t size;
    free(faults);
    FILE *out = open_memstream(&faults, &size);
    assert_null(credentials_load(&http, out));
    fclose(out);
    assert_string_equal(faults,
                        "/nowhere/users:1:1: can't read the file: No such file or directory\n");
}

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    free(faults);
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_users),        cmocka_unit_test(test_many_users),
        cmocka_unit_test(test_bad_users),    cmocka_unit_test(test_every_fault_is_named),
        cmocka_unit_test(test_nul_and_size), cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_no_file),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
