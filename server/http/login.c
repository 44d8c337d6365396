#include "server/http/login.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/throttle.h"
#include "server/http/forwarded.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#define DIGEST_SIZE 32
#define HEADER_MAX 2048
#define KEPT_MAX 256
#define ATTEMPTS_MAX 64
#define ATTEMPTS_PER_ADDRESS 16
#define WAITERS_MAX 4096

/* A keyed hash (HMAC) of the header's value, with a key of this process: neither the hash nor the
 * time of a comparison gives the password away. */
struct digest {
    uint8_t bytes[DIGEST_SIZE];
};

struct kept {
    struct digest digest;
    int64_t until_ns; /* 0: free */
};

TAILQ_HEAD(attempt_list, login_attempt);
TAILQ_HEAD(waiter_list, login_waiter);

/* One password to be hashed. */
struct login_attempt {
    struct worker_job job; /* first: a job is its attempt */
    struct login *login;
    struct digest digest;
    uint8_t address[16];
    char header[HEADER_MAX];
    struct waiter_list waiters;
    TAILQ_ENTRY(login_attempt) entry;

    unsigned users_version; /* of the users, when the hashing began */
    char password[CRYPT_MAX_PASSPHRASE_SIZE + 1], *hash;
    bool known, right;
};

struct login {
    struct worker *worker;
    struct credentials *credentials; /* NULL: none yet */
    struct digest *tokens;
    unsigned users_version;
    uint8_t key[DIGEST_SIZE];
    struct kept kept[KEPT_MAX];
    struct throttle *throttle;
    struct attempt_list waiting; /* oldest first */
    struct login_attempt *running;
    unsigned attempts, waiters;
};

/* ---- what a header says ---- */

static struct digest digest_of(const struct login *login, const char *text)
{
    struct digest digest = {{0}};
    if (!HMAC(EVP_sha256(), login->key, sizeof login->key, (const unsigned char *)text,
              strlen(text), digest.bytes, NULL))
        fatal("SHA-256 failed");
    return digest;
}

static bool login_is_same(const struct digest *a, const struct digest *b)
{
    return CRYPTO_memcmp(a->bytes, b->bytes, DIGEST_SIZE) == 0;
}

/* What follows "SCHEME ", NULL if it is another one. */
static const char *value_of(const char *authorization, const char *scheme)
{
    size_t length = strlen(scheme);
    if (strncasecmp(authorization, scheme, length) != 0 || authorization[length] != ' ')
        return NULL;
    return authorization + length + strspn(authorization + length, " ");
}

/* All tokens are compared, so that the time does not reveal a partial match. */
bool login_is_token(const struct login *login, const char *authorization)
{
    const char *token = value_of(authorization, "Bearer");
    if (!token || !login->credentials)
        return false;
    struct digest digest = digest_of(login, token);
    bool known = false;
    for (unsigned i = 0; i < login->credentials->token_count; i++)
        known |= login_is_same(&digest, &login->tokens[i]);
    return known;
}

/* "NAME:PASSWORD", base64; NULL if it is not that. */
static char *login_decode(const char *text, char out[HEADER_MAX])
{
    size_t length = strlen(text), padding = 0;
    while (padding < length && padding < 2 && text[length - 1 - padding] == '=')
        padding++;
    if (length == 0 || length % 4 != 0 || length >= HEADER_MAX)
        return NULL;
    int size = EVP_DecodeBlock((unsigned char *)out, (const unsigned char *)text, (int)length);
    if (size < (int)padding)
        return NULL;
    out[(size_t)size - padding] = '\0';
    return strlen(out) == (size_t)size - padding && strchr(out, ':') ? out : NULL;
}

/* ---- hashing: on the worker's thread ---- */

static void login_run(struct worker_job *job)
{
    struct login_attempt *attempt = (struct login_attempt *)job;
    struct crypt_data *data = calloc(1, sizeof *data);
    const char *made = data ? crypt_r(attempt->password, attempt->hash, data) : NULL;
    size_t length = strlen(attempt->hash);
    attempt->right = made && made[0] != '*' && strlen(made) == length &&
                     CRYPTO_memcmp(made, attempt->hash, length) == 0;
    attempt->right = attempt->right && attempt->known;
    explicit_bzero(attempt->password, sizeof attempt->password);
    if (data)
        explicit_bzero(data, sizeof *data);
    free(data);
}

/* ---- attempts ---- */

static const struct kept *find_kept(const struct login *login, const struct digest *digest,
                                    int64_t now_ns)
{
    for (unsigned i = 0; i < KEPT_MAX; i++)
        if (login->kept[i].until_ns > now_ns && login_is_same(&login->kept[i].digest, digest))
            return &login->kept[i];
    return NULL;
}

static void login_keep(struct login *login, const struct digest *digest, int64_t now_ns)
{
    struct kept *oldest = &login->kept[0];
    for (unsigned i = 1; i < KEPT_MAX; i++)
        if (login->kept[i].until_ns < oldest->until_ns)
            oldest = &login->kept[i];
    *oldest = (struct kept){.digest = *digest, .until_ns = now_ns + LOGIN_KEEP_NS};
}

static void login_fail(struct login *login, const uint8_t address[16])
{
    char who[64];
    forwarded_describe(address, who, sizeof who);
    int64_t wait = throttle_failed(login->throttle, address, clock_now());
    if (wait > 0)
        log_warn("a login failed, from %s, which has to wait for %lld s", who,
                 (long long)(wait / NS_PER_S));
    else
        log_warn("a login failed, from %s", who);
}

static void login_attempt_destroy(struct login_attempt *attempt)
{
    attempt->login->attempts--;
    free(attempt->hash);
    explicit_bzero(attempt->header, sizeof attempt->header);
    free(attempt);
}

/* The attempt is removed before its waiters are called: they may begin another one. */
static void login_settle(struct login_attempt *attempt, enum login_verdict verdict)
{
    struct login *login = attempt->login;
    struct waiter_list waiters = TAILQ_HEAD_INITIALIZER(waiters);
    TAILQ_CONCAT(&waiters, &attempt->waiters, entry);
    login_attempt_destroy(attempt);
    for (struct login_waiter *waiter = TAILQ_FIRST(&waiters), *next; waiter; waiter = next) {
        next = TAILQ_NEXT(waiter, entry);
        login->waiters--;
        waiter->on_verdict(waiter, verdict);
    }
}

/* Copies what the worker needs. An unknown name gets the hash of a known user, always the same
 * one's, so that the check takes as long. */
static bool login_prepare(struct login_attempt *attempt)
{
    const struct login *login = attempt->login;
    char text[HEADER_MAX];
    const char *hash = NULL;
    const char *value = value_of(attempt->header, "Basic"),
               *name = value ? login_decode(value, text) : NULL;
    if (!name || !login->credentials || login->credentials->user_count == 0)
        return false;
    char *password = strchr(text, ':');
    *password++ = '\0';
    struct digest digest = digest_of(login, name);
    const struct credentials *all = login->credentials;
    attempt->known = false;
    for (unsigned i = 0; i < all->user_count; i++) {
        if (strcmp(all->users[i].name, name) == 0) {
            hash = all->users[i].hash;
            attempt->known = true;
        }
    }
    if (!hash)
        hash = all->users[(digest.bytes[0] << 8 | digest.bytes[1]) % all->user_count].hash;
    size_t length = strlen(password);
    bool fits = length < sizeof attempt->password;
    attempt->known = attempt->known && fits;
    memcpy(attempt->password, password, fits ? length : 0);
    attempt->password[fits ? length : 0] = '\0';
    explicit_bzero(text, sizeof text);
    free(attempt->hash);
    attempt->hash = hash ? strdup(hash) : NULL;
    attempt->users_version = login->users_version;
    return attempt->hash != NULL;
}

/* Next is an attempt from the address with the fewest failures; of several, the one that waits
 * longest. */
static struct login_attempt *login_choose(struct login *login)
{
    struct login_attempt *best = NULL;
    unsigned fewest = 0;
    struct login_attempt *attempt = TAILQ_FIRST(&login->waiting);
    for (; attempt; attempt = TAILQ_NEXT(attempt, entry)) {
        unsigned failures = throttle_failures(login->throttle, attempt->address, clock_now());
        if (!best || failures < fewest) {
            best = attempt;
            fewest = failures;
        }
    }
    return best;
}

static void login_go_on(struct login *login)
{
    while (!login->running) {
        struct login_attempt *attempt = login_choose(login);
        if (!attempt)
            return;
        TAILQ_REMOVE(&login->waiting, attempt, entry);
        int64_t now = clock_now();
        if (throttle_wait(login->throttle, attempt->address, now) > 0) {
            login_settle(attempt, LOGIN_LIMITED);
        } else if (find_kept(login, &attempt->digest, now)) {
            login_settle(attempt, LOGIN_RIGHT);
        } else if (!login_prepare(attempt)) {
            login_fail(login, attempt->address);
            login_settle(attempt, LOGIN_WRONG);
        } else {
            login->running = attempt;
            worker_post(login->worker, &attempt->job);
        }
    }
}

static void login_done(struct worker_job *job)
{
    struct login_attempt *attempt = (struct login_attempt *)job;
    struct login *login = attempt->login;
    bool right = attempt->right;
    login->running = NULL;
    if (attempt->users_version != login->users_version) { /* the users changed meanwhile */
        TAILQ_INSERT_HEAD(&login->waiting, attempt, entry);
    } else {
        if (right)
            login_keep(login, &attempt->digest, clock_now());
        else
            login_fail(login, attempt->address);
        login_settle(attempt, right ? LOGIN_RIGHT : LOGIN_WRONG);
    }
    login_go_on(login);
}

/* ---- asking ---- */

int64_t login_wait(const struct login *login, const uint8_t address[16])
{
    return throttle_wait(login->throttle, address, clock_now());
}

enum login_verdict login_check(struct login *login, const char *authorization,
                               const uint8_t address[16])
{
    int64_t now = clock_now();
    char text[HEADER_MAX];
    const char *value = value_of(authorization, "Basic");
    if (throttle_wait(login->throttle, address, now) > 0)
        return LOGIN_LIMITED;
    if (login_is_token(login, authorization))
        return LOGIN_RIGHT;
    if (value && strlen(authorization) < HEADER_MAX && login_decode(value, text) &&
        login->credentials && login->credentials->user_count > 0) {
        explicit_bzero(text, sizeof text);
        struct digest digest = digest_of(login, authorization);
        return find_kept(login, &digest, now) ? LOGIN_RIGHT : LOGIN_LATER;
    }
    login_fail(login, address);
    return LOGIN_WRONG;
}

static struct login_attempt *find_attempt(const struct login *login, const struct digest *digest,
                                          const uint8_t address[16])
{
    struct login_attempt *attempt = login->running;
    if (attempt && login_is_same(&attempt->digest, digest) &&
        memcmp(attempt->address, address, 16) == 0)
        return attempt;
    for (attempt = TAILQ_FIRST(&login->waiting); attempt; attempt = TAILQ_NEXT(attempt, entry))
        if (login_is_same(&attempt->digest, digest) && memcmp(attempt->address, address, 16) == 0)
            return attempt;
    return NULL;
}

static bool has_too_many(const struct login *login, const uint8_t address[16])
{
    unsigned count = 0;
    for (const struct login_attempt *attempt = TAILQ_FIRST(&login->waiting); attempt;
         attempt = TAILQ_NEXT(attempt, entry))
        count += memcmp(attempt->address, address, 16) == 0;
    return count >= ATTEMPTS_PER_ADDRESS;
}

/* When the queue is full, an attempt from the address with the most failures gives way to one with
 * fewer. */
static bool login_make_room(struct login *login, const uint8_t address[16])
{
    int64_t now = clock_now();
    if (login->attempts < ATTEMPTS_MAX)
        return true;
    struct login_attempt *worst = NULL, *attempt = TAILQ_FIRST(&login->waiting);
    unsigned most = throttle_failures(login->throttle, address, now);
    for (; attempt; attempt = TAILQ_NEXT(attempt, entry)) {
        unsigned failures = throttle_failures(login->throttle, attempt->address, now);
        if (failures > most) {
            worst = attempt;
            most = failures;
        }
    }
    if (!worst)
        return false;
    TAILQ_REMOVE(&login->waiting, worst, entry);
    login_settle(worst, LOGIN_BUSY);
    return true;
}

static struct login_attempt *add_attempt(struct login *login, const char *authorization,
                                         const struct digest *digest, const uint8_t address[16])
{
    struct login_attempt *attempt = !has_too_many(login, address) && login_make_room(login, address)
                                        ? calloc(1, sizeof *attempt)
                                        : NULL;
    if (!attempt)
        return NULL;
    attempt->job = (struct worker_job){.run = login_run, .done = login_done};
    attempt->login = login;
    attempt->digest = *digest;
    memcpy(attempt->address, address, 16);
    snprintf(attempt->header, sizeof attempt->header, "%s", authorization);
    TAILQ_INIT(&attempt->waiters);
    TAILQ_INSERT_TAIL(&login->waiting, attempt, entry);
    login->attempts++;
    return attempt;
}

enum login_verdict login_join(struct login *login, const char *authorization,
                              const uint8_t address[16], struct login_waiter *waiter)
{
    struct digest digest = digest_of(login, authorization);
    if (login->waiters >= WAITERS_MAX)
        return LOGIN_BUSY;
    struct login_attempt *attempt = find_attempt(login, &digest, address);
    if (!attempt)
        attempt = add_attempt(login, authorization, &digest, address);
    if (!attempt)
        return LOGIN_BUSY;
    waiter->attempt = attempt;
    TAILQ_INSERT_TAIL(&attempt->waiters, waiter, entry);
    login->waiters++;
    login_go_on(login);
    return LOGIN_LATER;
}

void login_leave(struct login *login, struct login_waiter *waiter)
{
    TAILQ_REMOVE(&waiter->attempt->waiters, waiter, entry);
    login->waiters--;
}

/* ---- all of it ---- */

struct login *login_create(struct worker *worker, struct throttle *throttle)
{
    struct login *login = calloc(1, sizeof *login);
    if (!login || getrandom(login->key, sizeof login->key, 0) != sizeof login->key)
        fatal("can't prepare for logins");
    login->worker = worker;
    login->throttle = throttle;
    TAILQ_INIT(&login->waiting);
    return login;
}

void login_destroy(struct login *login)
{
    struct login_attempt *attempt = TAILQ_FIRST(&login->waiting), *next;
    for (; attempt; attempt = next) {
        next = TAILQ_NEXT(attempt, entry);
        login_attempt_destroy(attempt);
    }
    credentials_free(login->credentials);
    free(login->tokens);
    if (login->running)
        login_attempt_destroy(login->running);
    free(login);
}

void login_set(struct login *login, struct credentials *credentials)
{
    struct digest *tokens = calloc(credentials->token_count + 1, sizeof *tokens);
    if (!tokens)
        fatal("out of memory");
    for (unsigned i = 0; i < credentials->token_count; i++)
        tokens[i] = digest_of(login, credentials->tokens[i]);
    free(login->tokens);
    credentials_free(login->credentials);
    login->tokens = tokens;
    login->credentials = credentials;
    login->users_version++;
    explicit_bzero(login->kept, sizeof login->kept);
}
