/* DESIGN: hiding secrets in text that claims to be a URL.
 *
 * People type passwords with '@', '/', '?' and '#' in them unescaped, forget the scheme, or nest
 * one URL inside another.  Where the secret ends can't be known then, so whatever is in doubt is
 * hidden: everything up to the *last* '@' anywhere, and the value of every key=value pair whose key
 * may name a secret, in the path as well as in the query, up to the next '&'.  A percent escape
 * counts as the character it stands for, also when escaped twice.  At worst a host name is hidden
 * that could have been shown. */
#include "url.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define KEY_SIZE 128    /* a longer key is treated as a secret's */
#define SECRETS_MAX 64  /* with more than this the whole text is hidden */
#define AT_SIGNS_MAX 12 /* that many ends of the user:password part are considered */

int url_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Reads one character, escaped or not, at `p`; returns its length in bytes, 0 at the end. An
 * escaped NUL is not decoded. */
static size_t read_char(const char *p, const char *end, char *c)
{
    if (p >= end)
        return 0;
    *c = *p;
    if (*p != '%' || end - p < 3)
        return 1;
    int high = url_hex(p[1]), low = url_hex(p[2]);
    if (high < 0 || low < 0 || (high == 0 && low == 0))
        return 1;
    *c = (char)(high << 4 | low);
    return 3;
}

/* Like read_char, but decodes any number of layers of escapes ("%2540" is "%40" is "@"). */
static size_t read_deep(const char *p, const char *end, char *c)
{
    size_t length = read_char(p, end, c);
    if (length != 3 || *c != '%')
        return length;
    const char *q = p + length;
    while (end - q >= 2 && q[0] == '2' && q[1] == '5')
        q += 2;
    if (end - q < 2)
        return length;
    int high = url_hex(q[0]), low = url_hex(q[1]);
    if (high < 0 || low < 0 || (high == 0 && low == 0))
        return length;
    *c = (char)(high << 4 | low);
    return (size_t)(q + 2 - p);
}

static void percent_decode(const char *in, size_t length, char *out, size_t size)
{
    const char *end = in + length;
    size_t used = 0, step;
    char c;
    for (; used + 1 < size && (step = read_char(in, end, &c)) > 0; in += step)
        out[used++] = c;
    out[used] = '\0';
}

size_t url_scheme_length(const char *url)
{
    if (!isalpha((unsigned char)url[0]))
        return 0;
    size_t n = 1;
    while (isalnum((unsigned char)url[n]) || url[n] == '+' || url[n] == '-' || url[n] == '.')
        n++;
    return url[n] == ':' ? n : 0;
}

void url_path(const char *url, char *out, size_t size)
{
    if (size == 0)
        return;
    size_t scheme = url_scheme_length(url);
    const char *path = scheme > 0 ? url + scheme + 1 : url;
    size_t length = strcspn(path, "?");
    if (length >= size)
        length = size - 1;
    memcpy(out, path, length);
    out[length] = '\0';
}

bool url_query(const char *url, const char *key, char *out, size_t size)
{
    char name[KEY_SIZE];
    const char *p = strchr(url, '?');
    while (p) {
        p++;
        size_t pair = strcspn(p, "&#"), name_length = strcspn(p, "=&#");
        if (name_length < sizeof name) {
            percent_decode(p, name_length, name, sizeof name);
            if (name_length > 0 && strcmp(name, key) == 0) {
                size_t skip = name_length < pair ? name_length + 1 : pair;
                if (size > 0)
                    percent_decode(p + skip, pair - skip, out, size);
                return true;
            }
        }
        p = p[pair] == '&' ? p + pair : NULL;
    }
    return false;
}

/* Where the part that may hold user:password@ starts.  Without "//" it may be that the scheme was
 * forgotten, and what looks like one is the user. */
static const char *userinfo_start(const char *url)
{
    size_t scheme = url_scheme_length(url);
    return scheme > 0 && strncmp(url + scheme, "://", 3) == 0 ? url + scheme + 3 : url;
}

/* Paths of files have no users, and '@' is common in them. */
static bool has_userinfo(const char *url)
{
    return strncasecmp(url, "file:", 5) != 0;
}

/* The character behind the last '@', NULL if there is none. */
static const char *after_last_at(const char *text)
{
    const char *end = text + strlen(text), *found = NULL;
    size_t step;
    char c;
    for (const char *p = text; (step = read_deep(p, end, &c)) > 0; p += step)
        if (c == '@')
            found = p + step;
    return found;
}

static bool key_is_secret(const char *key)
{
    static const char *const parts[] = {"pass", "pwd",   "psw",     "token",   "secret",
                                        "key",  "auth",  "sig",     "cred",    "user",
                                        "usr",  "login", "session", "account", "jwt"};
    static const char *const whole[] = {"pw", "pin", "sid", "u", "p"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcasestr(key, parts[i]))
            return true;
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (strcasecmp(key, whole[i]) == 0)
            return true;
    return false;
}

/* Finds the next key=value whose key names a secret: returns the value and its length, NULL if
 * there is none. */
static const char *next_secret_value(const char *p, size_t *length)
{
    const char *end = p + strlen(p);
    char key[KEY_SIZE], c;
    size_t used = 0, step;
    for (; (step = read_deep(p, end, &c)) > 0; p += step) {
        if (c != '=') {
            if (c == '\0' || strchr("?&;/#,: \t\r\n", c))
                used = 0;
            else if (used < sizeof key)
                key[used++] = c;
            continue;
        }
        bool secret = used == sizeof key;
        if (!secret) {
            key[used] = '\0';
            secret = key_is_secret(key);
        }
        if (secret) {
            *length = strcspn(p + step, "&");
            return p + step;
        }
        used = 0;
    }
    return NULL;
}

struct sink {
    char *out;
    size_t size, used;
};

static void sink_add(struct sink *sink, const char *text, size_t length)
{
    size_t room = sink->size - 1 - sink->used;
    if (length > room)
        length = room;
    memcpy(sink->out + sink->used, text, length);
    sink->used += length;
    sink->out[sink->used] = '\0';
}

void url_redact(const char *url, char *out, size_t size)
{
    if (size == 0)
        return;
    struct sink sink = {.out = out, .size = size};
    out[0] = '\0';

    const char *rest = has_userinfo(url) ? after_last_at(url) : NULL;
    if (rest) {
        sink_add(&sink, url, (size_t)(userinfo_start(url) - url));
        sink_add(&sink, "***@", 4);
    } else {
        rest = url;
    }

    const char *value;
    size_t length;
    while ((value = next_secret_value(rest, &length))) {
        sink_add(&sink, rest, (size_t)(value - rest));
        sink_add(&sink, "***", 3);
        rest = value + length;
    }
    sink_add(&sink, rest, strlen(rest));
}

struct secrets {
    char *text[SECRETS_MAX];
    unsigned count;
    bool incomplete; /* out of memory or out of room */
};

static void secrets_add_one(struct secrets *secrets, char *text, size_t shortest)
{
    if (!text || secrets->count == SECRETS_MAX) {
        secrets->incomplete = true;
        free(text);
    } else if (strlen(text) < shortest) {
        free(text);
    } else {
        secrets->text[secrets->count++] = text;
    }
}

/* Adds a secret as written and unescaped: a library may quote either. Secrets shorter than
 * `shortest` are left out, as replacing them would garble messages. */
static void secrets_add(struct secrets *secrets, const char *text, size_t length, size_t shortest)
{
    if (length < shortest)
        return;
    secrets_add_one(secrets, strndup(text, length), shortest);
    if (!memchr(text, '%', length))
        return;
    char *plain = malloc(length + 1);
    if (plain)
        percent_decode(text, length, plain, length + 1);
    secrets_add_one(secrets, plain, shortest);
}

/* A library may take an early '@', '/' or '?' for the end of the password and quote parts of it. */
static void secrets_add_pieces(struct secrets *secrets, const char *text, const char *end)
{
    while (text < end && !secrets->incomplete) {
        size_t length = strcspn(text, ":/@?#&");
        if (length > (size_t)(end - text))
            length = (size_t)(end - text);
        secrets_add(secrets, text, length, 4);
        text += length + 1;
    }
}

static void secrets_collect(struct secrets *secrets, const char *url)
{
    const char *start = has_userinfo(url) ? userinfo_start(url) : url + strlen(url);
    const char *last = strrchr(start, '@'), *at = start;
    for (unsigned i = 0; i < AT_SIGNS_MAX && (at = strchr(at, '@')); i++, at++) {
        const char *end = i == AT_SIGNS_MAX - 1 ? last : at;
        const char *colon = memchr(start, ':', (size_t)(end - start));
        secrets_add(secrets, start, (size_t)(end - start), 3);
        if (colon)
            secrets_add(secrets, colon + 1, (size_t)(end - colon - 1), 2);
    }
    if (last && strcspn(start, "@/?#") < (size_t)(last - start)) {
        const char *colon = memchr(start, ':', (size_t)(last - start));
        secrets_add_pieces(secrets, colon ? colon + 1 : start, last);
    }
    const char *value = url;
    for (size_t length; (value = next_secret_value(value, &length)); value += length)
        secrets_add(secrets, value, length, 3);
}

static int longest_first(const void *a, const void *b)
{
    size_t first = strlen(*(char *const *)a), second = strlen(*(char *const *)b);
    return (first < second) - (first > second);
}

/* Never makes `text` longer. */
static void replace_all(char *text, const char *secret)
{
    size_t length = strlen(secret), stars = length < 3 ? length : 3;
    for (char *p = text; (p = strstr(p, secret)); p += stars) {
        memset(p, '*', stars);
        memmove(p + stars, p + length, strlen(p + length) + 1);
    }
}

void url_scrub(const char *url, char *text)
{
    struct secrets secrets = {.count = 0};
    secrets_collect(&secrets, url);
    qsort(secrets.text, secrets.count, sizeof *secrets.text, longest_first);
    for (unsigned i = 0; i < secrets.count; i++) {
        replace_all(text, secrets.text[i]);
        free(secrets.text[i]);
    }
    if (secrets.incomplete)
        text[0] = '\0';
}
