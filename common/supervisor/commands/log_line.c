#include "log_line.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define LONG_MESSAGE 500 /* bytes that fit a line, even if each becomes "\\u0001" */
#define TIME_LENGTH 24   /* 2026-01-31T12:00:00.000Z */

/* ---- reading ---- */

static void log_line_copy(char *out, size_t size, const char *text, size_t length)
{
    size_t n = length < size ? length : size - 1;
    memcpy(out, text, n);
    out[n] = '\0';
}

static bool is_level(const char *text, size_t length)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (strlen(levels[i]) == length && memcmp(levels[i], text, length) == 0)
            return true;
    return false;
}

/* "TIME LEVEL PROCESS: MESSAGE".  False: it is something else. */
static bool parse_text(struct log_line *line, const char *text, size_t length)
{
    const char *end = text + length, *level = text + TIME_LENGTH + 1;
    if (length <= TIME_LENGTH || text[10] != 'T' || text[TIME_LENGTH - 1] != 'Z' ||
        text[TIME_LENGTH] != ' ')
        return false;
    const char *process = memchr(level, ' ', (size_t)(end - level));
    if (!process || !is_level(level, (size_t)(process - level)))
        return false;
    process++;
    const char *colon = memmem(process, (size_t)(end - process), ": ", 2);
    if (!colon)
        return false;
    log_line_copy(line->time, sizeof line->time, text, TIME_LENGTH);
    log_line_copy(line->level, sizeof line->level, level, (size_t)(process - 1 - level));
    log_line_copy(line->process, sizeof line->process, process, (size_t)(colon - process));
    log_line_copy(line->message, sizeof line->message, colon + 2, (size_t)(end - colon - 2));
    return true;
}

static bool log_line_take(const json_t *object, const char *key, char *out, size_t size)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_string(value))
        log_line_copy(out, size, json_string_value(value), json_string_length(value));
    return json_is_string(value);
}

static bool parse_json(struct log_line *line, const char *text, size_t length)
{
    json_t *object = length && text[0] == '{' ? json_loadb(text, length, 0, NULL) : NULL;
    bool ok = log_line_take(object, "time", line->time, sizeof line->time) &&
              log_line_take(object, "level", line->level, sizeof line->level) &&
              log_line_take(object, "process", line->process, sizeof line->process) &&
              log_line_take(object, "message", line->message, sizeof line->message);
    json_decref(object);
    return ok;
}

void log_line_parse(struct log_line *line, const char *text, size_t length)
{
    line->json = false;
    if (parse_text(line, text, length))
        return;
    line->json = parse_json(line, text, length);
    if (line->json)
        return;
    line->time[0] = line->level[0] = line->process[0] = '\0';
    log_line_copy(line->message, sizeof line->message, text, length);
}

/* ---- writing ---- */

/* At most `most` bytes of the text as JSON.  If that is not UTF-8, bytes beyond ASCII become '?'.
 */
static json_t *text_json(const char *text, size_t most)
{
    char ascii[sizeof((struct log_line){0}.message)];
    size_t length = strnlen(text, most);
    json_t *json = json_stringn(text, length);
    if (json)
        return json;
    snprintf(ascii, sizeof ascii, "%.*s", (int)length, text);
    for (char *c = ascii; *c; c++)
        *c = (unsigned char)*c < 128 ? *c : '?';
    return json_string(ascii);
}

/* False if it is too long with so much of the message. */
static bool format_json(const struct log_line *line, size_t most, char out[static LOG_LINE_BYTES])
{
    json_t *object = json_object();
    if (line->time[0]) {
        json_object_set_new(object, "time", json_string(line->time));
        json_object_set_new(object, "level", json_string(line->level));
        json_object_set_new(object, "process", text_json(line->process, sizeof line->process));
    }
    json_object_set_new(object, "message", text_json(line->message, most));
    size_t length = json_dumpb(object, out, LOG_LINE_BYTES - 1, JSON_COMPACT | JSON_ENSURE_ASCII);
    json_decref(object);
    bool fits = length > 0 && length < LOG_LINE_BYTES;
    out[fits ? length : 0] = '\0';
    return fits;
}

void log_line_format(const struct log_line *line, bool json, char out[static LOG_LINE_BYTES])
{
    if (json)
        (void)(format_json(line, sizeof line->message, out) ||
               format_json(line, LONG_MESSAGE, out));
    else if (line->time[0])
        snprintf(out, LOG_LINE_BYTES, "%.31s %.7s %.95s: %s", line->time, line->level,
                 line->process, line->message);
    else
        snprintf(out, LOG_LINE_BYTES, "%s", line->message);
}

/* ---- cameras ---- */

static bool continues_id(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* What follows the word `word`, if the text begins with it. */
static const char *log_line_behind(const char *text, const char *word)
{
    size_t length = strlen(word);
    return strncmp(text, word, length) == 0 && !continues_id(text[length]) ? text + length : NULL;
}

/* "CAMERA: ...", "camera CAMERA: ...", "capture CAMERA: ..." */
static bool begins_with(const char *message, const char *camera)
{
    static const char *const titles[] = {"camera ", "capture "};
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        if (strncmp(message, titles[i], strlen(titles[i])) == 0)
            message += strlen(titles[i]);
    const char *rest = log_line_behind(message, camera);
    return rest && *rest == ':';
}

static bool names_ring(const char *message, const char *camera)
{
    const char *found = message;
    for (; (found = strstr(found, camera)); found++) {
        const char *rest = log_line_behind(found, camera);
        if (rest && rest[0] == '.' && continues_id(rest[1]) &&
            (found == message || !(continues_id(found[-1]) || found[-1] == '.')))
            return true;
    }
    return false;
}

bool log_line_about(const struct log_line *line, const char *camera)
{
    const char *process = strchr(line->process, ' ');
    if (process && strcmp(process + 1, camera) == 0 && log_line_behind(line->process, "capture"))
        return true;
    return begins_with(line->message, camera) || names_ring(line->message, camera);
}
