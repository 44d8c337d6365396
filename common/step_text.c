#include "step_text.h"

#include "clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char camera_word[] = "%{camera}";

/* ---- UTF-8 ---- */

/* Bytes of the character that begins there; 0 if it is none. */
static size_t character_length(const unsigned char *p)
{
    size_t length = *p < 0x80                 ? 1
                    : *p >= 0xc2 && *p < 0xe0 ? 2
                    : *p >= 0xe0 && *p < 0xf0 ? 3
                    : *p >= 0xf0 && *p < 0xf5 ? 4
                                              : 0;
    for (size_t i = 1; i < length; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool too_long = (*p == 0xe0 && p[1] < 0xa0) || (*p == 0xf0 && p[1] < 0x90);
    bool none = (*p == 0xed && p[1] >= 0xa0) || (*p == 0xf4 && p[1] >= 0x90);
    return length > 1 && (too_long || none) ? 0 : length;
}

uint32_t step_text_next(const char **at)
{
    const unsigned char *p = (const unsigned char *)*at;
    size_t length = *p ? character_length(p) : 0;
    if (length == 0)
        return 0;
    uint32_t character = length == 1 ? *p : *p & (0x7fu >> length);
    for (size_t i = 1; i < length; i++)
        character = character << 6 | (p[i] & 0x3f);
    *at += length;
    return character;
}

/* ---- conversions ---- */

/* Bytes of the conversion that begins at the '%'; 0 if it is none. */
static size_t conversion_length(const char *p)
{
    size_t flags = strspn(p + 1, "_-0^#EO");
    char letter = p[1 + flags];
    if (strncmp(p, camera_word, strlen(camera_word)) == 0)
        return strlen(camera_word);
    if (!letter || !strchr("aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZ%", letter))
        return 0;
    return flags + 2;
}

const char *step_text_wrong(const char *text, size_t *at)
{
    for (const char *p = text; *p;) {
        size_t length = *p == '%' ? conversion_length(p) : character_length((const void *)p);
        *at = (size_t)(p - text);
        if (length == 0 && *p == '%')
            return "has a % that begins neither %{camera} nor a conversion of strftime like %F or "
                   "%T; a plain % is written %%";
        if (length == 0)
            return "is not UTF-8";
        if ((unsigned char)*p < ' ' && *p != '\n' && *p != '\t')
            return "contains a control character";
        p += length;
    }
    *at = 0;
    return *text ? NULL : "is empty";
}

/* Not more than fits, and no half character at the end. */
static void step_text_append(char *out, const char *text, size_t length)
{
    size_t used = strlen(out);
    if (length > STEP_TEXT_SIZE - 1 - used) {
        length = STEP_TEXT_SIZE - 1 - used;
        while (length > 0 && (text[length] & 0xc0) == 0x80)
            length--;
    }
    memcpy(out + used, text, length);
    out[used + length] = '\0';
}

void step_text_expand(const char *text, const char *camera, int64_t wall_ns,
                      char out[static STEP_TEXT_SIZE])
{
    struct tm parts;
    time_t seconds = (time_t)(wall_ns / NS_PER_S);
    out[0] = '\0';
    if (!localtime_r(&seconds, &parts))
        parts = (struct tm){.tm_mday = 1};
    while (*text) {
        size_t length = *text == '%' ? conversion_length(text) : strcspn(text, "%");
        char format[16], part[256] = "";
        const char *next = text + length;
        if (*text != '%') {
            step_text_append(out, text, length);
        } else if (length == 0) {
            break;
        } else if (text[1] == '{') {
            step_text_append(out, camera, strlen(camera));
        } else if (length < sizeof format) {
            memcpy(format, text, length);
            format[length] = '\0';
            length = strftime(part, sizeof part, format, &parts);
            step_text_append(out, part, length);
        }
        text = next;
    }
}
