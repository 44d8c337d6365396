#include "server/http/forwarded.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

void forwarded_address(const struct sockaddr *peer, uint8_t out[16])
{
    memset(out, 0, 16);
    if (peer->sa_family == AF_INET) {
        memcpy(out, mapped, sizeof mapped);
        memcpy(out + 12, &((const struct sockaddr_in *)(const void *)peer)->sin_addr, 4);
    } else if (peer->sa_family == AF_INET6) {
        memcpy(out, &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr, 16);
    }
}

bool forwarded_is_v4(const uint8_t address[16])
{
    return memcmp(address, mapped, sizeof mapped) == 0;
}

static bool is_unix(const uint8_t address[16])
{
    static const uint8_t none[16];
    return memcmp(address, none, sizeof none) == 0;
}

void forwarded_describe(const uint8_t address[16], char *out, size_t size)
{
    char text[INET6_ADDRSTRLEN] = "";
    if (forwarded_is_v4(address))
        inet_ntop(AF_INET, address + 12, text, sizeof text);
    else
        inet_ntop(AF_INET6, address, text, sizeof text);
    snprintf(out, size, "%s", is_unix(address) ? "a unix socket" : text);
}

static bool is_within(const uint8_t address[16], const uint8_t network[16], unsigned bits)
{
    if (bits > 128 || memcmp(address, network, bits / 8) != 0)
        return false;
    unsigned rest = bits % 8;
    return rest == 0 || ((address[bits / 8] ^ network[bits / 8]) & (0xff00 >> rest) & 0xff) == 0;
}

static bool is_trusted(const struct conf_proxies *trusted, const uint8_t address[16])
{
    if (is_unix(address))
        return trusted->unix_sockets;
    for (unsigned i = 0; i < trusted->count && i < CONF_MAX_PROXIES; i++)
        if (is_within(address, trusted->item[i].address, trusted->item[i].bits))
            return true;
    return false;
}

/* ADDRESS, ADDRESS:PORT (IPv4) or [ADDRESS]:PORT */
static bool parse_address(const char *text, size_t length, uint8_t out[16])
{
    char copy[64];
    if (length == 0 || length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    char *host = copy, *colon = strchr(copy, ':');
    if (copy[0] == '[') {
        host = copy + 1;
        host[strcspn(host, "]")] = '\0';
    } else if (colon && !strchr(colon + 1, ':')) {
        *colon = '\0';
    }
    uint8_t raw[16];
    memcpy(raw, mapped, sizeof mapped);
    if ((inet_pton(AF_INET, host, raw + 12) != 1 && inet_pton(AF_INET6, host, raw) != 1) ||
        is_unix(raw))
        return false;
    memcpy(out, raw, sizeof raw);
    return true;
}

void forwarded_client(const struct conf_proxies *trusted, const char *forwarded,
                      uint8_t address[16])
{
    const char *end = forwarded ? forwarded + strlen(forwarded) : NULL;
    while (end && is_trusted(trusted, address)) {
        const char *from = end;
        while (from > forwarded && from[-1] != ',')
            from--;
        const char *first = from + strspn(from, " \t"), *last = end;
        while (last > first && (last[-1] == ' ' || last[-1] == '\t'))
            last--;
        if (first > last || !parse_address(first, (size_t)(last - first), address))
            return;
        end = from > forwarded ? from - 1 : NULL;
    }
}
