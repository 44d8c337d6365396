#include "server/http/peer.h"

#include "server/http/forwarded.h"
#include "server/http/http_parser.h"

#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

/* All that X-Forwarded-For says, in order; NULL: nothing. */
static const char *forwarded(const struct http_request *request, char out[static HTTP_HEAD_MAX])
{
    size_t used = 0;
    const struct evkeyval *header;
    TAILQ_FOREACH(header, evhttp_request_get_input_headers(request->raw), next)
    {
        if (strcasecmp(header->key, "X-Forwarded-For") != 0)
            continue;
        int length =
            snprintf(out + used, HTTP_HEAD_MAX - used, "%s%s", used ? "," : "", header->value);
        if (length < 0 || used + (size_t)length >= HTTP_HEAD_MAX)
            return NULL;
        used += (size_t)length;
    }
    return used ? out : NULL;
}

/* As it was when the connection was taken: of one that the client has reset meanwhile the kernel
 * tells no address any more. */
void peer_client(const struct http_request *request, uint8_t address[16])
{
    const struct conf_proxies *trusted = &request->server->setup->hello.http.trusted_proxies;
    char text[HTTP_HEAD_MAX];
    forwarded_address(evhttp_connection_get_addr(evhttp_request_get_connection(request->raw)),
                      address);
    if (trusted->count > 0 || trusted->unix_sockets)
        forwarded_client(trusted, forwarded(request, text), address);
}

/* Proxies listen for others: what they pass on is not theirs. */
static bool is_passed_on(const struct http_request *request)
{
    static const char *const headers[] = {"X-Forwarded-For",   "X-Real-IP",
                                          "Forwarded",         "Via",
                                          "X-Forwarded-Proto", "X-Forwarded-Host"};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        if (http_header(request, headers[i]))
            return true;
    return false;
}

/* Who is at the other end, if it is a process of this machine that came by a unix socket. */
static bool find_user(const struct http_request *request, struct ucred *user)
{
    int fd = bufferevent_getfd(
        evhttp_connection_get_bufferevent(evhttp_request_get_connection(request->raw)));
    int domain = 0;
    socklen_t domain_size = sizeof domain, size = sizeof *user;
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_size) == 0 && domain == AF_UNIX &&
           getsockopt(fd, SOL_SOCKET, SO_PEERCRED, user, &size) == 0;
}

bool peer_is_local(const struct http_request *request)
{
    struct ucred user;
    return find_user(request, &user) && (user.uid == 0 || user.uid == geteuid()) &&
           !is_passed_on(request);
}
