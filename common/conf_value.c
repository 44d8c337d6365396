/* One scalar, expanded already, to the field of its option. */
#include "conf_private.h"

#include "clock.h"
#include "number.h"

#include <string.h>
#include <strings.h>

_Static_assert(sizeof(enum log_level) == sizeof(unsigned) &&
                   sizeof(enum conf_transport) == sizeof(unsigned),
               "choices are stored as unsigned");
_Static_assert(offsetof(struct conf_camera, max_height) ==
                   offsetof(struct conf_camera, max_width) + sizeof(uint32_t),
               "a picture size is two numbers in a row");

static bool in_range(const struct conf_option *option, double value)
{
    return value >= (double)option->min && value <= (double)option->max;
}

static bool parse_duration(const struct conf_option *option, const char *text, int64_t *out)
{
    int64_t ns;
    if (!number_duration(text, &ns) || !in_range(option, (double)ns))
        return false;
    *out = ns;
    return true;
}

static bool parse_bytes(const struct conf_option *option, const char *text, int64_t *out)
{
    int64_t bytes;
    if (!number_bytes(text, &bytes) || !in_range(option, (double)bytes))
        return false;
    *out = bytes;
    return true;
}

static bool parse_number(const struct conf_option *option, const char *text, const char *unit,
                         unsigned *out)
{
    int64_t value;
    if (!number_whole(&text, &value) || (*text && strcmp(text, unit) != 0) ||
        !in_range(option, (double)value))
        return false;
    *out = (unsigned)value;
    return true;
}

static bool parse_bool(const char *text, bool *out)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcasecmp(text, words[i]) == 0) {
            *out = i % 2;
            return true;
        }
    }
    return false;
}

static bool parse_choice(const struct conf_option *option, const char *text, unsigned *out)
{
    for (unsigned i = 0; option->names[i]; i++) {
        if (strcmp(option->names[i], text) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool parse_picture_size(const struct conf_option *option, const char *text, uint32_t out[2])
{
    int64_t width, height;
    if (strcmp(text, "0") == 0) {
        out[0] = out[1] = 0;
        return true;
    }
    if (!number_whole(&text, &width) || (*text != 'x' && *text != 'X'))
        return false;
    text++;
    if (!number_whole(&text, &height) || *text || !in_range(option, (double)width) ||
        !in_range(option, (double)height))
        return false;
    out[0] = (uint32_t)width;
    out[1] = (uint32_t)height;
    return true;
}

static bool parse_rate(const struct conf_option *option, const char *text, double *out)
{
    double value;
    if (!number_decimal(&text, &value) || *text || !in_range(option, value))
        return false;
    *out = value;
    return true;
}

bool conf_value_parse(const struct conf_option *option, const char *text, void *base)
{
    void *field = (char *)base + option->offset;
    switch (option->type) {
    case CONF_NAME:
        if (ring_id_valid(text))
            memcpy(field, text, strlen(text) + 1);
        return ring_id_valid(text);
    case CONF_NUMBER:
        return parse_number(option, text, "", field);
    case CONF_NUMBER_OR_AUTO:
        if (strcmp(text, "auto") != 0)
            return parse_number(option, text, "", field);
        *(unsigned *)field = 0;
        return true;
    case CONF_NUMBER_OR_ZERO:
        if (strcmp(text, "0") != 0)
            return parse_number(option, text, "", field);
        *(unsigned *)field = 0;
        return true;
    case CONF_DURATION:
        return parse_duration(option, text, field);
    case CONF_BYTES:
        return parse_bytes(option, text, field);
    case CONF_BOOL:
        return parse_bool(text, field);
    case CONF_CHOICE:
        return parse_choice(option, text, field);
    case CONF_RATE:
        return parse_rate(option, text, field);
    case CONF_PERCENT:
        return parse_number(option, text, "%", field);
    case CONF_PICTURE_SIZE:
        return parse_picture_size(option, text, field);
    case CONF_BASE_PATH:
    case CONF_MODE:
        return conf_http_parse(option, text, field);
    case CONF_ZONE_LIST: /* its default; conf_zones_apply reads others */
        return strcmp(text, "[]") == 0;
    case CONF_SOURCE:
    case CONF_FILE:
    case CONF_SET:
    case CONF_ORIGINS:
    case CONF_PROXIES:
    case CONF_LISTEN:
    case CONF_CAMERAS:
    case CONF_DEFAULTS:
    case CONF_PROFILES:
    case CONF_CHAIN:
    case CONF_LATER:
        break;
    }
    return false;
}

/* "100ms", "24h": the largest unit that is exact. */
static void format_duration(int64_t ns, char *out, size_t size)
{
    if (ns > 0 && ns % (3600 * NS_PER_S) == 0)
        snprintf(out, size, "%jdh", (intmax_t)(ns / (3600 * NS_PER_S)));
    else if (ns % NS_PER_S == 0)
        snprintf(out, size, "%jds", (intmax_t)(ns / NS_PER_S));
    else
        snprintf(out, size, "%jdms", (intmax_t)(ns / NS_PER_MS));
}

/* "a, b or c" */
static void format_choices(const char *const *names, const char *last, char *out, size_t size)
{
    size_t used = 0;
    for (unsigned i = 0; names[i] && used < size; i++) {
        const char *before = i == 0 ? "" : names[i + 1] ? ", " : last;
        used += (size_t)snprintf(out + used, size - used, "%s%s", before, names[i]);
    }
}

/* Of the types whose text has no numbers of the option's in it. */
static const char *const expected_texts[CONF_LATER + 1] = {
    [CONF_BOOL] = "true or false",
    [CONF_SOURCE] = "a URL",
    [CONF_FILE] = "the path of a file, absolute or from this file's folder",
    [CONF_BASE_PATH] = "/ or a path like /cameras",
    [CONF_MODE] = "an octal mode like \"0660\"",
    [CONF_ORIGINS] = "a list of origins like https://example.org, or \"*\" for any",
    [CONF_PROXIES] = ("a list of addresses and networks like 10.0.0.0/8, and \"unix:\" for all on "
                      "unix sockets"),
    [CONF_LISTEN] = "HOST:PORT, \"[IPV6]:PORT\" or unix:/PATH, or a list of them",
    [CONF_CAMERAS] = "a mapping",
    [CONF_DEFAULTS] = "a mapping",
    [CONF_PROFILES] = "a mapping",
    [CONF_CHAIN] = "a list of steps",
    [CONF_ZONE_LIST] = "a list of polygons like [[0,0, 200,0, 200,80]]",
    [CONF_LATER] = "nothing in this version",
};

void conf_value_expected(const struct conf_option *option, char *out, size_t size)
{
    intmax_t min = option->min, max = option->max;
    char from[24], to[24];
    switch (option->type) {
    case CONF_NAME:
        snprintf(out, size, "a name of a-z, 0-9, _ and -, at most %d long", RING_ID_SIZE - 1);
        break;
    case CONF_NUMBER:
        snprintf(out, size, "a whole number from %jd to %jd", min, max);
        break;
    case CONF_NUMBER_OR_AUTO:
        snprintf(out, size, "auto or a whole number from %jd to %jd", min, max);
        break;
    case CONF_NUMBER_OR_ZERO:
        snprintf(out, size, "0 or a whole number from %jd to %jd", min, max);
        break;
    case CONF_DURATION:
        format_duration(option->min, from, sizeof from);
        format_duration(option->max, to, sizeof to);
        snprintf(out, size, "a duration like 500ms, 5s, 2m or 1h, from %s to %s", from, to);
        break;
    case CONF_BYTES:
        snprintf(out, size, "a number of bytes like 4096, 64K, 512M or 2G, at most %jdG",
                 max >> 30);
        break;
    case CONF_CHOICE:
        format_choices(option->names, " or ", out, size);
        break;
    case CONF_RATE:
        snprintf(out, size, "a number from %jd to %jd", min, max);
        break;
    case CONF_PERCENT:
        snprintf(out, size, "a percentage from %jd%% to %jd%%", min, max);
        break;
    case CONF_PICTURE_SIZE:
        snprintf(out, size, "0 or WIDTHxHEIGHT, each at most %jd", max);
        break;
    case CONF_SET:
        snprintf(out, size, "a list of ");
        format_choices(option->names, " and ", out + strlen(out), size - strlen(out));
        break;
    default:
        snprintf(out, size, "%s", expected_texts[option->type]);
        break;
    }
}
