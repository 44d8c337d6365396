#include "table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct table {
    const char *const *headings;
    size_t columns, cells;
    char **cell; /* row by row */
};

static void *table_not_null(void *memory)
{
    if (!memory) {
        fprintf(stderr, "%s: out of memory\n", program_invocation_short_name);
        exit(1);
    }
    return memory;
}

struct table *table_create(const char *const *columns)
{
    struct table *table = table_not_null(calloc(1, sizeof *table));
    table->headings = columns;
    while (columns[table->columns])
        table->columns++;
    return table;
}

void table_cell(struct table *table, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text;
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    table->cell = table_not_null(reallocarray(table->cell, table->cells + 1, sizeof *table->cell));
    table->cell[table->cells++] = table_not_null(text);
}

static const char *heading_text(const char *heading)
{
    return heading + (heading[0] == '>');
}

static int table_column_width(const struct table *table, size_t column)
{
    size_t width = strlen(heading_text(table->headings[column]));
    for (size_t i = column; i < table->cells; i += table->columns)
        if (strlen(table->cell[i]) > width)
            width = strlen(table->cell[i]);
    return (int)width;
}

static void write_cell(const struct table *table, size_t column, const char *text, FILE *out)
{
    bool last = column + 1 == table->columns;
    int width = table_column_width(table, column);
    if (table->headings[column][0] == '>')
        fprintf(out, "%*s%s", width, text, last ? "\n" : "  ");
    else
        fprintf(out, "%-*s%s", last ? 0 : width, text, last ? "\n" : "  ");
}

void table_write(const struct table *table, const char *indent, FILE *out)
{
    fputs(indent, out);
    for (size_t column = 0; column < table->columns; column++)
        write_cell(table, column, heading_text(table->headings[column]), out);
    for (size_t row = 0; row + table->columns <= table->cells; row += table->columns) {
        fputs(indent, out);
        for (size_t column = 0; column < table->columns; column++)
            write_cell(table, column, table->cell[row + column], out);
    }
}

void table_destroy(struct table *table)
{
    for (size_t i = 0; i < table->cells; i++)
        free(table->cell[i]);
    free(table->cell);
    free(table);
}
