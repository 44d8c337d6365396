/* print.h: the output of camring-shm, as text and JSON. Text from shared memory must pass through
 * print_clean first: it may contain control characters, which terminals obey. */
#ifndef CAMRING_PRINT_H
#define CAMRING_PRINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* printable ASCII of an array that need not end in NUL */
struct print_text print_clean(const char *text, size_t size);

#endif
