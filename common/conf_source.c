/* Checks sources: the parts of a URL that its scheme needs. All else is found when capture opens
 * it. */
#include "conf_private.h"

#include "scheme.h"
#include "url.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* The query keys of camring's own schemes. */
static const struct {
    const char *scheme, *key;
    bool is_switch;
} options[] = {
    {"file", "loop", true}, {"file", "realtime", true}, {"test", "size", false},
    {"test", "fps", false}, {"test", "static", true},
};

/* Schemes that this version doesn't support yet: refused with a message. */
static const char *const later[] = {"rtmp", "srt", "udp", "v4l2"};

static bool comes_later(const char *source, size_t scheme_length)
{
    for (size_t i = 0; i < sizeof later / sizeof *later; i++)
        if (strlen(later[i]) == scheme_length && strncasecmp(later[i], source, scheme_length) == 0)
            return true;
    return false;
}

static bool is_port(const char *text, const char *end)
{
    unsigned port = 0;
    for (const char *p = text; p < end; p++) {
        if (!isdigit((unsigned char)*p) || port > UINT16_MAX)
            return false;
        port = 10 * port + (unsigned)(*p - '0');
    }
    return port > 0 && port <= UINT16_MAX;
}

/* `end` is where host and port seem to end. If an '@' follows, the character at `end` belongs to
 * the user or password. */
static const char *wrong_with_port(const char *end)
{
    if (!strchr(end, '@'))
        return "names no port from 1 to 65535 behind its host and colon";
    return *end == '/'   ? "has a \"/\" in its user or password: it must be written %2F"
           : *end == '?' ? "has a \"?\" in its user or password: it must be written %3F"
                         : "has a \"#\" in its user or password: it must be written %23";
}

/* The host of "//user:password@host:port/path" begins behind the last '@' before the path. */
static const char *wrong_with_host(const char *rest)
{
    static const char none[] = "names no host; it should look like SCHEME://HOST/PATH";
    if (strncmp(rest, "//", 2) != 0)
        return none;
    const char *host = rest + 2, *end = host + strcspn(host, "/?#");
    for (const char *p = host; p < end; p++)
        if (*p == '@')
            host = p + 1;
    if (host == end || *host == ':')
        return none;
    const char *colon = memrchr(host, ':', (size_t)(end - host));
    const char *bracket = memrchr(host, ']', (size_t)(end - host));
    bool has_port = colon && (!bracket || bracket < colon);
    return has_port && !is_port(colon + 1, end) ? wrong_with_port(end) : NULL;
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

/* For a source whose scheme is not in the table. */
static void say_scheme(const char *source, char *out, size_t size)
{
    char names[128];
    scheme_names(names, sizeof names);
    if (source[0] == '/')
        snprintf(out, size, "has no scheme (a file is file:PATH); known ones are %s", names);
    else if (comes_later(source, url_scheme_length(source)))
        snprintf(out, size, "has a scheme that is not supported by this version; it knows %s",
                 names);
    else
        snprintf(out, size, "does not begin with a known scheme; known ones are %s", names);
}

static const char *what_is_wrong(const char *source, const struct scheme *scheme)
{
    const char *rest = source + strlen(scheme->name) + 1;
    if (scheme->needs == SCHEME_NEEDS_HOST)
        return wrong_with_host(rest);
    if (scheme->needs == SCHEME_NEEDS_PATH && strcspn(rest, "?") == 0)
        return "names no file; it should look like file:PATH";
    if (has_options(scheme->name) && strchr(rest, '?'))
        return wrong_with_options(scheme->name, strchr(rest, '?') + 1);
    return NULL;
}

static bool has_control_character(const char *source)
{
    for (const char *p = source; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 127)
            return true;
    return false;
}

void conf_source_apply(char out[static CONF_SOURCE_SIZE], const char *source,
                       const struct conf_node *node, const char *where, struct conf_faults *faults)
{
    if (!source[0]) {
        conf_fault(faults, node->line, node->column, "%s: the source is empty", where);
        return;
    }
    const struct scheme *scheme = scheme_find(source);
    char unknown[256];
    const char *wrong = unknown;
    if (has_control_character(source))
        wrong = "contains a control character";
    else if (scheme)
        wrong = what_is_wrong(source, scheme);
    else
        say_scheme(source, unknown, sizeof unknown);
    if (wrong) {
        char quote[CONF_QUOTE_SIZE];
        conf_fault(faults, node->line, node->column, "%s: the source %s %s", where,
                   conf_quote(node->text, quote), wrong);
        return;
    }
    memcpy(out, source, strlen(source) + 1);
    memcpy(out, scheme->name, strlen(scheme->name)); /* in lower case */
}
