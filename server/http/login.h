/* login.h: checks the credentials in an Authorization header.
 *
 * Tokens are compared in constant time.  Hashing a password takes a tenth of a second or more, on
 * purpose, so the worker thread does it, one at a time.  A password that was right counts as right
 * for LOGIN_KEEP_NS, or until the users change, without being hashed again.  Requests with the same
 * password, while it is being hashed, wait for that one result.
 *
 * An unknown user name takes as long as a known one.  An address that fails too often has to wait
 * (throttle.h), and addresses that have failed are served after those that have not, so that
 * guessing passwords slows down only the client that guesses. */
#ifndef SERVER_LOGIN_H
#define SERVER_LOGIN_H

#include "common/credentials.h"
#include "server/worker.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define LOGIN_KEEP_NS (300 * INT64_C(1000000000))

struct login;
struct login_attempt;

enum login_verdict {
    LOGIN_RIGHT,
    LOGIN_WRONG,
    LOGIN_LIMITED, /* failed too often; wait for login_wait */
    LOGIN_BUSY,    /* too many passwords wait to be hashed */
    LOGIN_LATER,   /* it is being hashed */
};

/* Embedded in the object that waits for a verdict. */
struct login_waiter {
    /* never LOGIN_LATER */
    void (*on_verdict)(struct login_waiter *waiter, enum login_verdict verdict);
    struct login_attempt *attempt;
    TAILQ_ENTRY(login_waiter) entry;
};

/* Fatal when out of memory. Every login fails until login_set. Failures are counted in `throttle`,
 * which all server processes may share. */
struct throttle;
struct login *login_create(struct worker *worker, struct throttle *throttle);

/* After the worker. Waiters get no callback any more. */
void login_destroy(struct login *login);

/* Replaces the users and tokens.  Takes `credentials`. */
void login_set(struct login *login, struct credentials *credentials);

/* `authorization` is the header's value, `address` the client's (as in throttle.h).  LOGIN_LATER:
 * call login_join to get the verdict. */
enum login_verdict login_check(struct login *login, const char *authorization,
                               const uint8_t address[16]);

/* LOGIN_LATER: on_verdict follows.  Else it does not. */
enum login_verdict login_join(struct login *login, const char *authorization,
                              const uint8_t address[16], struct login_waiter *waiter);

/* Stops waiting: on_verdict is not called any more. Not from within on_verdict. */
void login_leave(struct login *login, struct login_waiter *waiter);

/* True if it is a known token. Counts no failure. */
bool login_is_token(const struct login *login, const char *authorization);

/* How long an address has to wait, in ns. */
int64_t login_wait(const struct login *login, const uint8_t address[16]);

#endif
