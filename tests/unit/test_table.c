/* table.h: columns, colours, and text that a terminal would obey. */
#include "common/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_written(struct table *table, const char *expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    table_write(table, "  ", out);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
    table_destroy(table);
}

static void columns_are_as_wide_as_their_cells(void **state)
{
    (void)state;
    static const char *const columns[] = {"NAME", ">N", "WHY", NULL};
    struct table *table = table_create(columns);
    table_cell(table, "a");
    table_cell(table, "%d", 1234);
    table_cell(table, "%s", "");
    table_cell(table, "door-2");
    table_cell(table, "%d", 5);
    table_cell(table, "no");
    assert_int_equal(table_width(table), 6 + 2 + 4 + 2 + 3);
    assert_written(table, "  NAME       N  WHY\n"
                          "  a       1234\n"
                          "  door-2     5  no\n");
}

static void colours_take_no_room(void **state)
{
    (void)state;
    static const char *const columns[] = {"STATE", ">N", NULL};
    struct table *table = table_create(columns);
    table_cell(table, "up");
    table_color(table, "32");
    table_cell(table, "1");
    table_color(table, "31");
    assert_int_equal(table_width(table), 8);
    assert_written(table, "  STATE  N\n"
                          "  \033[32mup\033[m     \033[31m1\033[m\n");
}

static void characters_count_and_not_bytes(void **state)
{
    (void)state;
    static const char *const columns[] = {"A", "B", NULL};
    struct table *table = table_create(columns);
    table_cell(table, "äöü");
    table_cell(table, "x");
    table_cell(table, "abcd");
    table_cell(table, "y");
    assert_written(table, "  A     B\n"
                          "  äöü   x\n"
                          "  abcd  y\n");
}

static void nothing_that_a_terminal_would_obey(void **state)
{
    (void)state;
    static const char *const columns[] = {"A", NULL};
    struct table *table = table_create(columns);
    table_cell(table, "%s",
               "\033[2J\n\x7f\xc2\x9b"
               "1m\xc3\x9f");
    assert_written(table, "  A\n"
                          "  ?[2J????1m\xc3\x9f\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_their_cells),
        cmocka_unit_test(colours_take_no_room),
        cmocka_unit_test(characters_count_and_not_bytes),
        cmocka_unit_test(nothing_that_a_terminal_would_obey),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
