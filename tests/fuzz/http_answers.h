/* http_answers.h: whether what a client received is a sequence of well-formed HTTP answers. */
#ifndef HTTP_ANSWERS_H
#define HTTP_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>

/* Aborts, saying why, unless `bytes` are answers one after the other: each with a status line and
 * clean header lines, with the body that its header promises, with JSON that parses and that says
 * what an error is, and with nothing behind an answer that closes the connection.  A stream of
 * pictures may end anywhere, and it is the last.  With `heads`, an answer may lack its body. */
void answers_check(const char *bytes, size_t size, bool heads);

#endif
