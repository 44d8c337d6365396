#include "table.h"

#include "terminal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct cell {
    char *text;
    const char *color; /* NULL: none */
};

struct table {
    const char *const *headings;
    size_t columns, cells;
    struct cell *cell; /* row by row */
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
    terminal_clean(table_not_null(text));
    table->cell = table_not_null(reallocarray(table->cell, table->cells + 1, sizeof *table->cell));
    table->cell[table->cells++] = (struct cell){.text = text};
}

void table_color(struct table *table, const char *color)
{
    table->cell[table->cells - 1].color = color;
}

static const char *heading_text(const char *heading)
{
    return heading + (heading[0] == '>');
}

/* In characters of a UTF-8 text. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static size_t table_column_width(const struct table *table, size_t column)
{
    size_t most = strlen(heading_text(table->headings[column]));
    for (size_t i = column; i < table->cells; i += table->columns) {
        size_t width = width_of(table->cell[i].text);
        most = width > most ? width : most;
    }
    return most;
}

size_t table_width(const struct table *table)
{
    size_t width = 0;
    for (size_t column = 0; column < table->columns; column++)
        width += table_column_width(table, column) + (column ? 2 : 0);
    return width;
}

static void write_cell(const struct table *table, size_t column, const struct cell *cell, FILE *out)
{
    bool last = column + 1 == table->columns, right = table->headings[column][0] == '>';
    int padding = (int)(table_column_width(table, column) - width_of(cell->text));
    if (column > 0 && !(last && !cell->text[0])) /* no spaces at the end of a line */
        fputs("  ", out);
    if (right)
        fprintf(out, "%*s", padding, "");
    if (cell->color)
        fprintf(out, "\033[%sm%s\033[m", cell->color, cell->text);
    else
        fputs(cell->text, out);
    fprintf(out, "%*s%s", right || last ? 0 : padding, "", last ? "\n" : "");
}

void table_write(const struct table *table, const char *indent, FILE *out)
{
    fputs(indent, out);
    for (size_t column = 0; column < table->columns; column++)
        write_cell(table, column,
                   &(struct cell){.text = (char *)heading_text(table->headings[column])}, out);
    for (size_t row = 0; row + table->columns <= table->cells; row += table->columns) {
        fputs(indent, out);
        for (size_t column = 0; column < table->columns; column++)
            write_cell(table, column, &table->cell[row + column], out);
    }
}

void table_destroy(struct table *table)
{
    for (size_t i = 0; i < table->cells; i++)
        free(table->cell[i].text);
    free(table->cell);
    free(table);
}
