/* The values below http: lists, paths, modes.  http.listen has a file of its own. */
#include "conf_private.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <unistd.h>

/* ---- lists ---- */

static const char *add_name(const struct conf_option *option, const char *text, unsigned *bits)
{
    for (unsigned i = 0; option->names[i]; i++) {
        if (strcmp(option->names[i], text) == 0) {
            *bits |= 1u << i;
            return NULL;
        }
    }
    return "is none of them";
}

/* SCHEME://HOST or SCHEME://HOST:PORT, as browsers write it: in lower case, without the scheme's
 * own port. */
static bool is_origin(const char *text)
{
    const char *host = strncmp(text, "http://", 7) == 0    ? text + 7
                       : strncmp(text, "https://", 8) == 0 ? text + 8
                                                           : NULL;
    if (!host || !*host)
        return false;
    const char *p = host;
    if (*p == '[')
        p += strspn(p, "[0123456789abcdef:.]");
    else
        p += strspn(p, "abcdefghijklmnopqrstuvwxyz0123456789-._");
    if (p == host)
        return false;
    return *p == '\0' || (*p == ':' && isdigit((unsigned char)p[1]) &&
                          p[1 + strspn(p + 1, "0123456789")] == '\0');
}

static const char *add_origin(const char *text, struct conf_origins *origins)
{
    if (strcmp(text, "*") != 0 && !is_origin(text))
        return "is none; an origin has no path and is in lower case";
    if (origins->count == CONF_MAX_ORIGINS)
        return "is one too many";
    if (strlen(text) >= sizeof origins->item[0])
        return "is too long";
    memcpy(origins->item[origins->count++], text, strlen(text) + 1);
    return NULL;
}

static bool parse_bits(const char *text, unsigned max, unsigned *bits)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 3 || text[digits])
        return false;
    *bits = 0;
    for (const char *p = text; *p; p++)
        *bits = *bits * 10 + (unsigned)(*p - '0');
    return *bits <= max;
}

static const char *add_proxy(const char *text, struct conf_proxies *proxies)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char address[64];
    uint8_t raw[16];
    size_t length = strcspn(text, "/");
    if (strcmp(text, "unix:") == 0) {
        proxies->unix_sockets = true;
        return NULL;
    }
    if (length >= sizeof address)
        return "is none of these";
    memcpy(address, text, length);
    address[length] = '\0';
    unsigned width = 128;
    if (inet_pton(AF_INET, address, raw + 12) == 1) {
        memcpy(raw, mapped, sizeof mapped);
        width = 32;
    } else if (inet_pton(AF_INET6, address, raw) != 1) {
        return "is none of these";
    }
    unsigned bits = width;
    if (text[length] && !parse_bits(text + length + 1, width, &bits))
        return "has no valid number of bits behind the /";
    if (proxies->count == CONF_MAX_PROXIES)
        return "is one too many";
    memcpy(proxies->item[proxies->count].address, raw, sizeof raw);
    proxies->item[proxies->count++].bits = (uint8_t)(128 - width + bits);
    return NULL;
}

bool conf_list_is(const struct conf_option *option)
{
    return option->type == CONF_SET || option->type == CONF_ORIGINS || option->type == CONF_PROXIES;
}

void conf_list_clear(const struct conf_option *option, void *base)
{
    void *field = (char *)base + option->offset;
    if (option->type == CONF_SET)
        *(unsigned *)field = 0;
    else if (option->type == CONF_ORIGINS)
        *(struct conf_origins *)field = (struct conf_origins){0};
    else
        *(struct conf_proxies *)field = (struct conf_proxies){0};
}

const char *conf_list_add(const struct conf_option *option, const char *text, void *base)
{
    void *field = (char *)base + option->offset;
    if (option->type == CONF_SET)
        return add_name(option, text, field);
    if (option->type == CONF_ORIGINS)
        return add_origin(text, field);
    return add_proxy(text, field);
}

/* ---- single values ---- */

static bool parse_base_path(const char *text, char *out, size_t size)
{
    size_t length = strlen(text);
    if (text[0] != '/' || length >= size || strstr(text, "//"))
        return false;
    for (const char *p = text; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("/-._~", *p))
            return false;
    if (strstr(text, "/./") || strstr(text, "/../") ||
        (length >= 2 && strcmp(text + length - 2, "/.") == 0) ||
        (length >= 3 && strcmp(text + length - 3, "/..") == 0))
        return false;
    snprintf(out, size, "%.*s", (int)(length - (text[length - 1] == '/')), text);
    return true;
}

static bool parse_mode(const char *text, unsigned *out)
{
    size_t digits = strspn(text, "01234567");
    if (digits < 3 || digits > 4 || text[digits] || (digits == 4 && text[0] != '0'))
        return false;
    *out = 0;
    for (const char *p = text; *p; p++)
        *out = *out * 8 + (unsigned)(*p - '0');
    return true;
}

bool conf_http_parse(const struct conf_option *option, const char *text, void *field)
{
    struct conf_http *http;
    if (option->type == CONF_BASE_PATH)
        return parse_base_path(text, field, sizeof http->base_path);
    return parse_mode(text, field);
}

bool conf_file_resolve(const char *config, const char *text, char out[static CONF_FILE_SIZE])
{
    char folder[CONF_FILE_SIZE] = "";
    const char *slash = strrchr(config, '/');
    int length;
    if (!*text)
        return false;
    if (text[0] != '/' && config[0] != '/' && !getcwd(folder, sizeof folder))
        return false;
    if (text[0] == '/')
        length = snprintf(out, CONF_FILE_SIZE, "%s", text);
    else
        length = snprintf(out, CONF_FILE_SIZE, "%s%s%.*s/%s", folder,
                          slash && slash > config && folder[0] ? "/" : "",
                          slash ? (int)(slash - config) : 0, config, text);
    return length >= 0 && length < CONF_FILE_SIZE;
}

/* ---- more than one ---- */

static const struct conf_node *child_node(const struct conf_node *map, const char *key)
{
    for (const struct conf_node *node = map ? map->first : NULL; node; node = node->next)
        if (map->kind == CONF_NODE_MAP && node->key->kind == CONF_NODE_SCALAR &&
            strcmp(node->key->text, key) == 0)
            return node;
    return NULL;
}

void conf_http_check(const struct conf_http *http, const struct conf_node *root,
                     struct conf_faults *faults)
{
    const struct conf_node *tls = child_node(child_node(root, "http"), "tls");
    if (tls && tls->kind == CONF_NODE_MAP && !http->tls_cert[0] != !http->tls_key[0])
        conf_fault(faults, tls->key->line, tls->key->column, "http.tls: needs both cert and key");
}
