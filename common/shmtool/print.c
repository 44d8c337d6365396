#include "print.h"

#include "common/clock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct print_table {
    const char *const *headings;
    size_t columns, cells;
    char **cell; /* row by row */
};

static char faults[4096]; /* all that print_fault has said */
static bool has_json;

void print_fault(const char *format, ...)
{
    char message[2048];
    size_t used = strlen(faults);
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    fprintf(stderr, "camring-shm: %s\n", message);
    snprintf(faults + used, sizeof faults - used, "%s%s", used ? "; " : "", message);
}

static void *not_null(void *memory)
{
    if (!memory) {
        print_fault("out of memory");
        exit(1);
    }
    return memory;
}

void print_json(json_t *root, size_t flags)
{
    has_json = true;
    json_dumpf(root, stdout, flags | JSON_ENSURE_ASCII);
    putchar('\n');
    json_decref(root);
}

void print_json_fault(void)
{
    if (!has_json)
        print_json(json_pack("{s:o}", "error", print_json_text(faults)), 0);
}

json_t *print_json_text(const char *text)
{
    json_t *string = json_string(text);
    char *ascii = string ? NULL : not_null(strdup(text));
    for (char *c = ascii; c && *c; c++)
        *c = *c >= ' ' && *c <= '~' ? *c : '?';
    string = string ? string : json_string(ascii);
    free(ascii);
    return string;
}

struct print_text print_age(int64_t ns)
{
    struct print_text out = {"-"};
    double seconds = (double)ns / (double)NS_PER_S;
    if (ns < 0)
        return out;
    if (seconds < 1)
        snprintf(out.text, sizeof out.text, "%.*f ms", seconds < 0.01, seconds * 1000);
    else if (seconds < 120)
        snprintf(out.text, sizeof out.text, "%.1f s", seconds);
    else if (seconds < 7200)
        snprintf(out.text, sizeof out.text, "%.0f min", seconds / 60);
    else
        snprintf(out.text, sizeof out.text, "%.1f h", seconds / 3600);
    return out;
}

struct print_text print_bytes(uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    struct print_text out;
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1024 && unit + 1 < sizeof units / sizeof units[0]; unit++)
        value /= 1024;
    snprintf(out.text, sizeof out.text, "%.*f %s", unit > 0, value, units[unit]);
    return out;
}

struct print_text print_clean(const char *text, size_t size)
{
    struct print_text out;
    size_t n = 0;
    for (; n < size && n + 1 < sizeof out.text && text[n]; n++)
        out.text[n] = text[n] >= ' ' && text[n] <= '~' ? text[n] : '?';
    out.text[n] = '\0';
    return out;
}

struct print_table *print_table_create(const char *const *columns)
{
    struct print_table *table = not_null(calloc(1, sizeof *table));
    table->headings = columns;
    while (columns[table->columns])
        table->columns++;
    return table;
}

void print_table_cell(struct print_table *table, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text;
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    table->cell = not_null(reallocarray(table->cell, table->cells + 1, sizeof *table->cell));
    table->cell[table->cells++] = not_null(text);
}

static const char *heading_text(const char *heading)
{
    return heading + (heading[0] == '>');
}

static int column_width(const struct print_table *table, size_t column)
{
    size_t width = strlen(heading_text(table->headings[column]));
    for (size_t i = column; i < table->cells; i += table->columns)
        if (strlen(table->cell[i]) > width)
            width = strlen(table->cell[i]);
    return (int)width;
}

static void write_cell(const struct print_table *table, size_t column, const char *text, FILE *out)
{
    bool last = column + 1 == table->columns;
    int width = column_width(table, column);
    if (table->headings[column][0] == '>')
        fprintf(out, "%*s%s", width, text, last ? "\n" : "  ");
    else
        fprintf(out, "%-*s%s", last ? 0 : width, text, last ? "\n" : "  ");
}

void print_table_write(const struct print_table *table, const char *indent, FILE *out)
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

void print_table_destroy(struct print_table *table)
{
    for (size_t i = 0; i < table->cells; i++)
        free(table->cell[i]);
    free(table->cell);
    free(table);
}
