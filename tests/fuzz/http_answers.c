#include "http_answers.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct answer {
    unsigned status;
    bool has_length, closes, json, stream, chunked;
    size_t length;
};

static const char *begin, *end;

static void fail(const char *what, const char *at)
{
    fprintf(stderr, "%s, at byte %zu of the %zu that came:\n", what, (size_t)(at - begin),
            (size_t)(end - begin));
    fwrite(begin, 1, (size_t)(end - begin), stderr);
    fprintf(stderr, "\n");
    abort();
}

/* The end of the line at `at`, where its CR stands. */
static const char *line_end(const char *at)
{
    const char *found = memmem(at, (size_t)(end - at), "\r\n", 2);
    if (!found)
        fail("a line without an end", at);
    for (const char *c = at; c < found; c++)
        if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f)
            fail("a control character in a header", c);
    return found;
}

static bool starts(const char *at, const char *stop, const char *text)
{
    return (size_t)(stop - at) >= strlen(text) && strncasecmp(at, text, strlen(text)) == 0;
}

static const char *status_line(const char *at, struct answer *answer)
{
    const char *stop = line_end(at);
    if (stop - at < 14 || !(starts(at, stop, "HTTP/1.0 ") || starts(at, stop, "HTTP/1.1 ")) ||
        at[9] < '1' || at[9] > '5' || !isdigit((unsigned char)at[10]) ||
        !isdigit((unsigned char)at[11]) || at[12] != ' ')
        fail("not a status line", at);
    answer->status = (unsigned)((at[9] - '0') * 100 + (at[10] - '0') * 10 + (at[11] - '0'));
    if (starts(at + 13, stop, "Unknown"))
        fail("a status without words", at);
    return stop + 2;
}

static void read_length(const char *value, const char *stop, struct answer *answer)
{
    if (answer->has_length || value == stop)
        fail("not one Content-Length", value);
    answer->has_length = true;
    for (; value < stop; value++) {
        if (!isdigit((unsigned char)*value))
            fail("a Content-Length that is no number", value);
        answer->length = answer->length * 10 + (size_t)(*value - '0');
    }
}

static const char *header_line(const char *at, struct answer *answer)
{
    const char *stop = line_end(at), *colon = memchr(at, ':', (size_t)(stop - at));
    if (!colon || colon == at || stop - colon < 2 || colon[1] != ' ')
        fail("not a header line", at);
    for (const char *c = at; c < colon; c++)
        if (!isalnum((unsigned char)*c) && *c != '-')
            fail("not a header's name", at);
    const char *value = colon + 2;
    if (starts(at, stop, "Content-Length:"))
        read_length(value, stop, answer);
    else if (starts(at, stop, "Connection:"))
        answer->closes = starts(value, stop, "close");
    else if (starts(at, stop, "Content-Type:")) {
        answer->json = starts(value, stop, "application/json");
        answer->stream = starts(value, stop, "multipart/x-mixed-replace") ||
                         starts(value, stop, "text/event-stream");
    } else if (starts(at, stop, "Transfer-Encoding:"))
        fail("an encoding", at);
    return stop + 2;
}

static void check_json(const struct answer *answer, const char *body)
{
    json_error_t why;
    json_t *json = json_loadb(body, answer->length, 0, &why);
    if (!json)
        fail(why.text, body);
    if (answer->status >= 400 && !json_string_value(json_object_get(json, "error")))
        fail("an error that doesn't say what", body);
    json_decref(json);
}

/* Behind the header.  Returns where the next answer begins. */
static const char *body(const char *at, const struct answer *answer, bool heads)
{
    if (answer->status < 200 || answer->status == 204)
        return at;
    if (answer->stream && !answer->has_length)
        return end;
    if (!answer->has_length)
        fail("a body of unknown length", at);
    if (heads && answer->length > 0 && (at == end || starts(at, end, "HTTP/1.")))
        return at;
    if ((size_t)(end - at) < answer->length)
        fail("a body that is not complete", at);
    if (answer->json)
        check_json(answer, at);
    else if (answer->status >= 400)
        fail("an error that is not JSON", at);
    return at + answer->length;
}

void answers_check(const char *bytes, size_t size, bool heads)
{
    begin = bytes;
    end = bytes + size;
    for (const char *at = begin; at < end;) {
        struct answer answer = {0};
        at = status_line(at, &answer);
        while (!starts(at, end, "\r\n"))
            at = header_line(at, &answer);
        at = body(at + 2, &answer, heads);
        if (answer.closes && at != end)
            fail("something behind the last answer", at);
    }
}
