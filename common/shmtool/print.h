/* print.h: words and tables for people.  Whatever comes out of shared memory passes through print_clean first: it may hold
 * anything, and terminals obey control characters. */
#ifndef CAMRING_PRINT_H
#define CAMRING_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PRINT_DEFAULT_INSTANCE "camring"

/* A line on stderr, with the program's name. */
void print_fault(const char *format, ...) __attribute__((format(printf, 1, 2)));

struct print_text {
    char text[64];
};

struct print_text print_age(int64_t ns);                      /* "33 ms", "2.5 s", "4 min"; negative: "-" */
struct print_text print_bytes(uint64_t bytes);                /* "1.4 MiB" */
struct print_text print_clean(const char *text, size_t size); /* printable ASCII of an array that need not end in NUL */

/* A table: cells are collected, then written with columns as wide as they need to be. */
struct print_table;

/* `columns`: headings, NULL at the end; one that begins with '>' is aligned right. */
struct print_table *print_table_create(const char *const *columns);
void print_table_cell(struct print_table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
void print_table_write(const struct print_table *table, const char *indent, FILE *out);
void print_table_destroy(struct print_table *table);

#endif
