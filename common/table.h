/* table.h: a text table: collects cells, then writes them in columns that fit their contents.  For
 * commands: without memory it ends the process, with a line on stderr. */
#ifndef CAMRING_TABLE_H
#define CAMRING_TABLE_H

#include <stdio.h>

struct table;

/* `columns` stays the caller's: headings, NULL at the end; one that begins with '>' is aligned
 * right. */
struct table *table_create(const char *const *columns);
void table_cell(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The last cell is written in that colour: the parameters of the terminal's SGR, such as "32".  The
 * text stays the caller's. */
void table_color(struct table *table, const char *color);

size_t table_width(const struct table *table); /* in characters */
void table_write(const struct table *table, const char *indent, FILE *out);
void table_destroy(struct table *table);

#endif
