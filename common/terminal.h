/* terminal.h: draws a page in place on a terminal, and restores the terminal at the end. */
#ifndef CAMRING_TERMINAL_H
#define CAMRING_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* True if standard output is a terminal that can do it. */
bool terminal_usable(void);

/* True if it may be written to in colours: a terminal, and no $NO_COLOR. */
bool terminal_colors(void);

/* Takes the terminal: the alternate screen, no cursor, no echo, keys at once.  Given back by
 * terminal_leave, and on exit(). */
void terminal_enter(void);
void terminal_leave(void);

struct terminal_size {
    unsigned columns, rows;
};

struct terminal_size terminal_size(void);

/* Shows `text`, cut to the terminal's size; a last line says how many were cut off.  False if it
 * can't be written. */
bool terminal_show(const char *text);

/* True if keys can be read. */
bool terminal_keys(void);

/* True if characters beyond ASCII can be shown. */
bool terminal_utf8(void);

/* Cuts a line (up to '\n' or NUL) to `columns` characters, colours not counted; returns its length
 * in bytes. */
size_t terminal_cut(const char *line, size_t columns);

/* Replaces control characters, which a terminal would obey: a tab by a space, C0, DEL and C1 (as
 * UTF-8) by '?'. */
void terminal_clean(char *text);

#endif
