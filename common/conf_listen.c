/* http.listen: HOST:PORT, [V6]:PORT or unix:/PATH.  A name other than localhost counts as reachable
 * from outside, whatever it resolves to.
 */
#include "conf_private.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#define OPEN_VARIABLE "CAMRING_LISTEN_OPEN"

static bool parse_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits])
        return false;
    unsigned port = 0;
    for (const char *p = text; *p; p++)
        port = port * 10 + (unsigned)(*p - '0');
    return port >= 1 && port <= 65535;
}

static bool check_v6(const char *host, bool *loopback)
{
    char address[64];
    size_t length = strcspn(host, "%"); /* an interface name may follow */
    if (length >= sizeof address || (host[length] && !host[length + 1]))
        return false;
    memcpy(address, host, length);
    address[length] = '\0';
    struct in6_addr parsed;
    if (inet_pton(AF_INET6, address, &parsed) != 1)
        return false;
    *loopback = IN6_IS_ADDR_LOOPBACK(&parsed) ||
                (IN6_IS_ADDR_V4MAPPED(&parsed) && parsed.s6_addr[12] == 127);
    return true;
}

static bool check_host(const char *host, bool *loopback)
{
    struct in_addr parsed;
    if (inet_pton(AF_INET, host, &parsed) == 1) {
        *loopback = ntohl(parsed.s_addr) >> 24 == 127;
        return true;
    }
    *loopback = strcasecmp(host, "localhost") == 0;
    bool letters = false;
    for (const char *p = host; *p; p++) {
        if (!isalnum((unsigned char)*p) && *p != '.' && *p != '-')
            return false;
        letters = letters || isalpha((unsigned char)*p);
    }
    /* only digits and dots, but no address: a typing error */
    return letters && host[0] != '-' && host[0] != '.';
}

static const char *check_path(const char *path)
{
    struct sockaddr_un address;
    if (path[0] != '/' || !path[1] || path[strlen(path) - 1] == '/')
        return "must be unix:/PATH";
    return strlen(path) < sizeof address.sun_path
               ? NULL
               : "the path is longer than 107 bytes, which sockets can't have";
}

/* Returns NULL, or what is wrong. */
static const char *check_address(const char *text, bool *loopback)
{
    struct conf_http *http;
    char host[sizeof http->listen[0]];
    bool bracket = text[0] == '[';
    const char *start = text + bracket, *end = bracket ? strchr(text, ']') : strrchr(text, ':');
    if (strncmp(text, "unix:", 5) == 0) {
        *loopback = true;
        return check_path(text + 5);
    }
    if (strlen(text) >= sizeof host)
        return "the address is too long";
    if (!end || end[bracket] != ':')
        return "must be HOST:PORT, \"[IPV6]:PORT\" or unix:/PATH, for example 127.0.0.1:8080";
    if (end == start)
        return "the host is missing; 0.0.0.0 means all IPv4 addresses, [::] all IPv6 ones";
    memcpy(host, start, (size_t)(end - start));
    host[end - start] = '\0';
    if (!parse_port(end + bracket + 1))
        return "the port must be a number from 1 to 65535";
    if (bracket)
        return check_v6(host, loopback) ? NULL : "between the brackets must be an IPv6 address";
    if (strchr(host, ':'))
        return "an IPv6 address needs brackets: \"[::1]:8080\"";
    return check_host(host, loopback) ? NULL : "the host is neither an IPv4 address nor a name";
}

static bool has_logins(const struct conf_http *http)
{
    return http->users_file[0] || http->tokens_file[0];
}

bool conf_http_is_open(const struct conf_http *http)
{
    const unsigned pictures = 1u << CONF_ROUTE_STREAM | 1u << CONF_ROUTE_SNAPSHOT;
    return !http->allow_open_bind && (!has_logins(http) || (http->protect & pictures) != pictures);
}

static void apply_one(struct conf_http *http, const struct conf_node *node, bool partial,
                      struct conf_faults *faults)
{
    char text[CONF_VALUE_SIZE], quote[CONF_QUOTE_SIZE];
    if (node->kind != CONF_NODE_SCALAR || node->missing) {
        conf_fault(faults, node->line, node->column,
                   "http.listen: must be HOST:PORT, \"[IPV6]:PORT\" or unix:/PATH, not %s",
                   node->missing ? "empty" : conf_node_kind_name(node));
        return;
    }
    if (!conf_expand(node, false, text, faults))
        return;
    bool loopback = false;
    const char *wrong = check_address(text, &loopback);
    conf_quote(node->text, quote);
    if (wrong) {
        conf_fault(faults, node->line, node->column, "http.listen %s: %s", quote, wrong);
        return;
    }
    if (!loopback && !partial && conf_http_is_open(http))
        conf_fault(faults, node->line, node->column,
                   "http.listen %s: everyone who can reach this machine could watch; %s, or say "
                   "http.allow_open_bind: true if "
                   "that is meant",
                   quote,
                   has_logins(http) ? "let http.protect have stream and snapshot"
                                    : "name an http.users_file or http.tokens_file");
    for (unsigned i = 0; i < http->listen_count; i++)
        if (strcmp(http->listen[i], text) == 0)
            conf_fault(faults, node->line, node->column, "http.listen %s: twice the same address",
                       quote);
    if (http->listen_count == CONF_MAX_LISTEN) {
        conf_fault(faults, node->line, node->column, "http.listen: more than %d addresses",
                   CONF_MAX_LISTEN);
        return;
    }
    memcpy(http->listen[http->listen_count++], text, strlen(text) + 1);
}

/* Where the file says nothing: the default, or the address that the one who starts camring in a
 * container of its own has chosen, and with it who can get there. */
static void apply_default(struct conf_http *http, struct conf_faults *faults)
{
    const struct conf_option *option = conf_option_find(CONF_SCOPE_GLOBAL, "http.listen");
    const char *open = getenv(OPEN_VARIABLE), *text = open && *open ? open : option->fallback;
    bool loopback = false;
    const char *wrong = check_address(text, &loopback);
    if (wrong) {
        conf_fault(faults, 1, 1, "the environment variable %s: %s", OPEN_VARIABLE, wrong);
        return;
    }
    http->allow_open_bind = http->allow_open_bind || !loopback;
    snprintf(http->listen[0], sizeof http->listen[0], "%s", text);
    http->listen_count = 1;
}

void conf_listen_apply(struct conf_http *http, const struct conf_node *node, bool partial,
                       struct conf_faults *faults)
{
    if (!node) {
        apply_default(http, faults);
        return;
    }
    if (node->kind != CONF_NODE_LIST) {
        apply_one(http, node, partial, faults);
        return;
    }
    if (!node->first && !partial)
        conf_fault(faults, node->line, node->column, "http.listen: the list is empty");
    for (const struct conf_node *entry = node->first; entry; entry = entry->next)
        apply_one(http, entry, partial, faults);
}
