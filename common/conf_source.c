/* Sources: which schemes there are, and what each needs to make sense at all.  The rest is for
 * capture to find out. */
#include "conf_private.h"

#include "url.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum needs { NEEDS_NOTHING, NEEDS_HOST, NEEDS_PATH };

struct scheme {
    const char *name;
    enum needs needs;
    bool later; /* promised, but not in this version */
};

static const struct scheme schemes[] = {
    {"rtsp", NEEDS_HOST, false},  {"rtsps", NEEDS_HOST, false}, {"http", NEEDS_HOST, false},
    {"https", NEEDS_HOST, false}, {"file", NEEDS_PATH, false},  {"test", NEEDS_NOTHING, false},
    {"rtmp", NEEDS_HOST, true},   {"srt", NEEDS_HOST, true},    {"udp", NEEDS_HOST, true},
    {"v4l2", NEEDS_PATH, true},
};

/* What may follow the "?" where the URL is camring's own. */
static const struct {
    const char *scheme, *key;
    bool is_switch;
} options[] = {
    {"file", "loop", true}, {"file", "realtime", true}, {"test", "size", false},
    {"test", "fps", false}, {"test", "static", true},
};

static const struct scheme *find_scheme(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (strlen(schemes[i].name) == length && strncasecmp(schemes[i].name, name, length) == 0)
            return &schemes[i];
    return NULL;
}

/* The host of "//user:password@host:port/path" begins behind the last '@' before the path. */
static bool has_host(const char *rest)
{
    if (strncmp(rest, "//", 2) != 0)
        return false;
    const char *host = rest + 2, *end = host + strcspn(host, "/?#");
    for (const char *p = host; p < end; p++)
        if (*p == '@')
            host = p + 1;
    return host < end && *host != ':';
}

static bool has_options(const char *scheme)
{
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (strcmp(options[i].scheme, scheme) == 0)
            return true;
    return false;
}

/* `text` is "key=value", `length` bytes long. */
static const char *wrong_with_option(const char *scheme, const char *text, size_t length)
{
    size_t key_length = strcspn(text, "=&");
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (strcmp(options[i].scheme, scheme) != 0 || strlen(options[i].key) != key_length ||
            memcmp(options[i].key, text, key_length) != 0)
            continue;
        const char *value = text + key_length + 1;
        bool is_bit = length == key_length + 2 && (*value == '0' || *value == '1');
        return options[i].is_switch && !is_bit ? "has an option that must be 0 or 1" : NULL;
    }
    return strcmp(scheme, "file") == 0
               ? "has an unknown option; a file knows loop and realtime"
               : "has an unknown option; a test camera knows size, fps and static";
}

static const char *wrong_with_options(const char *scheme, const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "&");
        const char *wrong = length > 0 ? wrong_with_option(scheme, text, length) : NULL;
        if (wrong)
            return wrong;
        text += length + (text[length] == '&');
    }
    return NULL;
}

static const char *what_is_wrong(const char *source, const struct scheme *scheme,
                                 size_t scheme_length)
{
    for (const char *p = source; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 127)
            return "contains a control character";
    if (!scheme && source[0] == '/')
        return "has no scheme (a file is file:PATH); known ones are rtsp, rtsps, http, https, file "
               "and test";
    if (!scheme)
        return "does not begin with a known scheme; known ones are rtsp, rtsps, http, https, file "
               "and test";
    if (scheme->later)
        return "has a scheme that is not supported by this version; it knows rtsp, rtsps, http, "
               "https, file and test";
    const char *rest = source + scheme_length + 1;
    if (scheme->needs == NEEDS_HOST && !has_host(rest))
        return "names no host; it should look like SCHEME://HOST/PATH";
    if (scheme->needs == NEEDS_PATH && strcspn(rest, "?") == 0)
        return "names no file; it should look like file:PATH";
    if (has_options(scheme->name) && strchr(rest, '?'))
        return wrong_with_options(scheme->name, strchr(rest, '?') + 1);
    return NULL;
}

void conf_source_apply(char out[static CONF_SOURCE_SIZE], const char *source,
                       const struct conf_node *node, const char *where, struct conf_faults *faults)
{
    if (!source[0]) {
        conf_fault(faults, node->line, node->column, "%s: the source is empty", where);
        return;
    }
    size_t scheme_length = url_scheme_length(source);
    const char *wrong = what_is_wrong(source, find_scheme(source, scheme_length), scheme_length);
    if (wrong) {
        char quote[CONF_QUOTE_SIZE];
        conf_fault(faults, node->line, node->column, "%s: the source %s %s", where,
                   conf_quote(node->text, quote), wrong);
        return;
    }
    memcpy(out, source, strlen(source) + 1);
    for (size_t i = 0; i < scheme_length; i++)
        out[i] = (char)tolower((unsigned char)out[i]);
}
