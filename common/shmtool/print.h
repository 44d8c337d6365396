/* print.h: text and tables for people. Text from shared memory must pass through print_clean first:
 * it may contain control characters, which terminals obey. */
#ifndef CAMRING_PRINT_H
#define CAMRING_PRINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PRINT_DEFAULT_INSTANCE "camring"

/* A line on stderr, with the program's name; kept for print_json_fault. */
void print_fault(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Writes `root` and a new line to stdout, and frees it; `flags`: json_dumpf's, beside its ASCII. */
void print_json(json_t *root, size_t flags);

/* A file's name or the like as a JSON string: if it is not UTF-8, each byte that is not ASCII
 * becomes a '?'. */
json_t *print_json_text(const char *text);

/* {"error": text} on stdout, the text that print_fault has written so far; nothing if print_json
 * was called. */
void print_json_fault(void);

struct print_text {
    char text[64];
};

struct print_text print_age(int64_t ns);       /* "33 ms", "2.5 s", "4 min"; negative: "-" */
struct print_text print_bytes(uint64_t bytes); /* "1.4 MiB" */
/* printable ASCII of an array that need not end in NUL */
struct print_text print_clean(const char *text, size_t size);

/* A table: cells are collected, then written with columns as wide as they need to be. */
struct print_table;

/* `columns`: headings, NULL at the end; one that begins with '>' is aligned right. */
struct print_table *print_table_create(const char *const *columns);
void print_table_cell(struct print_table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void print_table_write(const struct print_table *table, const char *indent, FILE *out);
void print_table_destroy(struct print_table *table);

#endif
