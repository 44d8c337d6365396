/* push_parser.h: takes an answer in multipart/x-mixed-replace apart, in whatever pieces it comes,
 * with Content-Length in its parts or without.  Of a part only the head and the first bytes are
 * kept. */
#ifndef BENCH_PUSH_PARSER_H
#define BENCH_PUSH_PARSER_H

#include "clip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PARSER_HEAD_SIZE 1024
#define PARSER_DELIMITER_SIZE 80

enum parser_state { PARSER_RESPONSE, PARSER_HEAD, PARSER_BODY };

/* All zero at the start of a connection. */
struct parser {
    enum parser_state state;
    char text[PARSER_HEAD_SIZE]; /* the head being read, or the last one, as a string */
    size_t text_length;
    char delimiter[PARSER_DELIMITER_SIZE]; /* line break, "--" and boundary */
    size_t delimiter_length;
    bool measured;                 /* the part said its length */
    size_t left;                   /* bytes of it to come */
    size_t matched;                /* of the delimiter, where it did not */
    uint8_t start[CLIP_STAMP_END]; /* the part's first bytes */
    size_t body_length;            /* so far */
    bool done;                     /* the part is whole */
};

/* Goes on with `size` bytes, at most to the end of a part, and returns how many of them it took;
 * then `done` says whether there is one.  -1: this is no such answer, or no 200. */
ptrdiff_t parser_feed(struct parser *parser, const char *data, size_t size);

/* How many of the next bytes need not be looked at, only counted: parser_skip. */
size_t parser_may_skip(const struct parser *parser);
void parser_skip(struct parser *parser, size_t bytes);

/* The value of a header of the part that is `done`: a number with or without a fraction;
 * `otherwise` if there is none. */
double parser_number(const struct parser *parser, const char *name, double otherwise);

#endif
