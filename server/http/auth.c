#include "server/http/auth.h"

#include "common/board.h"
#include "common/clock.h"
#include "common/credentials.h"
#include "common/log.h"
#include "server/file_watch.h"
#include "server/http/client.h"

#include <stdio.h>
#include <stdlib.h>

struct auth {
    struct conf_http conf;
    struct login *login;
};

static bool auth_has_logins(const struct auth *auth)
{
    return auth->conf.users_file[0] || auth->conf.tokens_file[0];
}

/* ---- verdicts ---- */

static enum auth_verdict from_login(enum login_verdict verdict)
{
    switch (verdict) {
    case LOGIN_RIGHT:
        return AUTH_GRANTED;
    case LOGIN_LIMITED:
        return AUTH_LIMITED;
    case LOGIN_BUSY:
        return AUTH_BUSY;
    case LOGIN_LATER:
        return AUTH_LATER;
    case LOGIN_WRONG:
        break;
    }
    return AUTH_WRONG;
}

static bool is_protected(const struct auth *auth, const struct route *route)
{
    return route->class == ROUTE_PROBE || route->methods & HTTP_POST ||
           auth->conf.protect & 1u << route->class;
}

enum auth_verdict auth_check(struct http_request *request, const struct route *route)
{
    const struct auth *auth = request->server->auth;
    const char *authorization = http_header(request, "Authorization");
    uint8_t address[16];
    if (!auth_has_logins(auth) || !is_protected(auth, route) || client_is_local(request))
        return AUTH_GRANTED;
    if (!authorization)
        return AUTH_MISSING;
    client_address(request, address);
    return from_login(login_check(auth->login, authorization, address));
}

static void on_login(struct login_waiter *waiter, enum login_verdict verdict)
{
    struct auth_waiter *self = (struct auth_waiter *)waiter;
    self->on_verdict(self, from_login(verdict));
}

enum auth_verdict auth_wait(struct http_request *request, struct auth_waiter *waiter)
{
    uint8_t address[16];
    client_address(request, address);
    waiter->login.on_verdict = on_login;
    return from_login(login_join(request->server->auth->login,
                                 http_header(request, "Authorization"), address, &waiter->login));
}

void auth_cancel(struct http_request *request, struct auth_waiter *waiter)
{
    login_leave(request->server->auth->login, &waiter->login);
}

bool auth_has_token(const struct http_request *request)
{
    const char *authorization = http_header(request, "Authorization");
    return (authorization && login_is_token(request->server->auth->login, authorization)) ||
           client_is_local(request);
}

/* ---- refusals ---- */

static void auth_ask(struct http_request *request, const char *why)
{
    const struct conf_http *conf = &request->server->auth->conf;
    if (conf->users_file[0])
        http_add_header(request, "WWW-Authenticate", "Basic realm=\"camring\", charset=\"UTF-8\"");
    if (conf->tokens_file[0])
        http_add_header(request, "WWW-Authenticate", "Bearer realm=\"camring\"");
    http_reply_error(request, 401, "%s", why);
}

static void auth_limit(struct http_request *request)
{
    uint8_t address[16];
    char seconds[24];
    client_address(request, address);
    int64_t wait = login_wait(request->server->auth->login, address);
    snprintf(seconds, sizeof seconds, "%lld", (long long)((wait + NS_PER_S - 1) / NS_PER_S));
    http_add_header(request, "Retry-After", wait > 0 ? seconds : "1");
    http_reply_error(request, 429, "too many failed logins from this address");
}

void auth_refuse(struct http_request *request, enum auth_verdict verdict)
{
    switch (verdict) {
    case AUTH_MISSING:
        auth_ask(request, "this needs a login");
        break;
    case AUTH_LIMITED:
        auth_limit(request);
        break;
    case AUTH_BUSY:
        http_reply_later(request, "too many logins at once");
        break;
    default:
        auth_ask(request, "the login is wrong");
        break;
    }
}

/* ---- all of it ---- */

static void *auth_load(const void *arg, FILE *faults)
{
    const struct auth *auth = arg;
    return credentials_load(&auth->conf, faults);
}

static void auth_apply(void *arg, void *loaded)
{
    const struct auth *auth = arg;
    login_set(auth->login, loaded);
}

struct auth *auth_create(const struct server *server, struct worker *worker,
                         struct file_watch *watch)
{
    struct auth *auth = calloc(1, sizeof *auth);
    if (!auth)
        fatal("out of memory");
    auth->conf = server->setup->hello.http;
    auth->login = login_create(worker, board_throttle(server->board));
    const struct file_watch_target target = {
        .name = "users and tokens",
        .path = {auth->conf.users_file, auth->conf.tokens_file},
        .arg = auth,
        .load = auth_load,
        .apply = auth_apply};
    if (auth_has_logins(auth))
        file_watch_add(watch, &target);
    return auth;
}

void auth_destroy(struct auth *auth)
{
    login_destroy(auth->login);
    free(auth);
}
