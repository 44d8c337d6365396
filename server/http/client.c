#include "server/http/client.h"

#include "server/http/connection.h"
#include "server/http/forwarded.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* All that X-Forwarded-For says, in order; NULL: nothing. */
static const char *forwarded_for(const struct http_request *request, char out[static HTTP_HEAD_MAX])
{
    const struct http_head *head = connection_head(request->connection);
    const char *value = NULL;
    size_t used = 0;
    while ((value = http_head_get(head, "X-Forwarded-For", value))) {
        int length = snprintf(out + used, HTTP_HEAD_MAX - used, "%s%s", used ? "," : "", value);
        if (length < 0 || used + (size_t)length >= HTTP_HEAD_MAX)
            return NULL;
        used += (size_t)length;
    }
    return used ? out : NULL;
}

void client_address(const struct http_request *request, uint8_t address[16])
{
    const struct conf_proxies *trusted = &request->server->setup->hello.http.trusted_proxies;
    char text[HTTP_HEAD_MAX];
    memcpy(address, connection_address(request->connection), 16);
    if (trusted->count > 0 || trusted->unix_sockets)
        forwarded_client(trusted, forwarded_for(request, text), address);
}

/* Whether a header shows that a proxy passed the request on for another client. */
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

/* The peer's user, if it is a process on this machine that uses a unix socket. */
static bool find_user(const struct http_request *request, struct ucred *user)
{
    int fd = connection_fd(request->connection);
    int domain = 0;
    socklen_t domain_size = sizeof domain, size = sizeof *user;
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_size) == 0 && domain == AF_UNIX &&
           getsockopt(fd, SOL_SOCKET, SO_PEERCRED, user, &size) == 0;
}

bool client_is_local(const struct http_request *request)
{
    struct ucred user;
    return find_user(request, &user) && (user.uid == 0 || user.uid == geteuid()) &&
           !is_passed_on(request);
}
