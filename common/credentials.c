#include "credentials.h"

#include "file.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    const char *path;
    unsigned line;
    FILE *faults;
    bool failed;
    struct credentials *into;
};

__attribute__((format(printf, 3, 4))) static void
credentials_fault(struct reader *reader, unsigned column, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(reader->faults, "%s:%u:%u: ", reader->path, reader->line, column);
    vfprintf(reader->faults, format, args);
    fputc('\n', reader->faults);
    va_end(args);
    reader->failed = true;
}

/* Makes room for one more at its end.  The old list is left as it is on failure. */
static void *grow_list(struct reader *reader, void *list, unsigned count, size_t size)
{
    if (count & (count - 1)) /* doubled whenever it is full: 1, 2, 4 … */
        return list;
    void *larger = reallocarray(list, count ? 2 * count : 1, size);
    if (!larger)
        credentials_fault(reader, 1, "out of memory");
    return larger;
}

/* ---- users ---- */

/* How long a hash is behind its last $; 0: not known. */
static size_t tail_length(const char *hash)
{
    static const struct {
        const char *prefix;
        size_t length;
    } methods[] = {{"$y$", 43}, {"$gy$", 43},   {"$7$", 43},  {"$6$", 86},
                   {"$5$", 43}, {"$2a$", 53},   {"$2b$", 53}, {"$2y$", 53},
                   {"$1$", 22}, {"$sha1$", 28}, {"$md5", 22}};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strncmp(hash, methods[i].prefix, strlen(methods[i].prefix)) == 0)
            return methods[i].length;
    return 0;
}

/* NULL, or the fault. Hashes without $ use only the first eight letters of a password (DES), or are
 * no hashes. */
static const char *wrong_with_hash(const char *hash)
{
    if (hash[0] != '$')
        return "is none that crypt(3) knows by a $ at its beginning; `mkpasswd` and `htpasswd -B` "
               "make some";
    if (strncmp(hash, "$apr1$", 6) == 0)
        return "is of a kind that only web servers know; `htpasswd -B` makes another";
    int salt = crypt_checksalt(hash);
    if (salt == CRYPT_SALT_INVALID || salt == CRYPT_SALT_METHOD_DISABLED)
        return "is none that crypt(3) knows; `mkpasswd` and `htpasswd -B` make some";
    const char *tail = strrchr(hash, '$') + 1;
    size_t wanted = tail_length(hash), given = strlen(tail);
    if (strspn(tail, "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") != given)
        return "holds a character that belongs into no hash";
    if (given == 0 || (wanted && given != wanted))
        return "is not whole";
    return NULL;
}

static const char *wrong_with_name(const char *name)
{
    if (!*name)
        return "the name is missing";
    if (strlen(name) > CREDENTIALS_NAME_MAX)
        return "the name is too long";
    for (const char *p = name; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 127)
            return "the name holds a control character";
    return NULL;
}

static bool is_known_hash(const struct credentials *credentials, const char *name)
{
    for (unsigned i = 0; i < credentials->user_count; i++)
        if (strcmp(credentials->users[i].name, name) == 0)
            return true;
    return false;
}

static void take_user(struct reader *reader, char *line)
{
    struct credentials *into = reader->into;
    char *hash = strchr(line, ':');
    if (!hash) {
        credentials_fault(reader, 1, "must be NAME:HASH");
        return;
    }
    *hash++ = '\0';
    hash[strcspn(hash, ":")] = '\0';
    unsigned column = (unsigned)(hash - line) + 1;
    const char *wrong = wrong_with_name(line);
    if (wrong) {
        credentials_fault(reader, 1, "%s", wrong);
    } else if ((wrong = wrong_with_hash(hash))) {
        credentials_fault(reader, column, "the hash of user \"%s\" %s", line, wrong);
    } else if (is_known_hash(into, line)) {
        credentials_fault(reader, 1, "user \"%s\" is there already", line);
    } else {
        void *list = grow_list(reader, into->users, into->user_count, sizeof *into->users);
        if (!list)
            return;
        into->users = list;
        into->users[into->user_count++] = (struct credentials_user){strdup(line), strdup(hash)};
        if (!into->users[into->user_count - 1].name || !into->users[into->user_count - 1].hash)
            credentials_fault(reader, 1, "out of memory");
    }
}

/* ---- tokens ---- */

static void take_token(struct reader *reader, char *line)
{
    struct credentials *into = reader->into;
    for (const char *p = line; *p; p++) {
        if (*p <= ' ' || *p > '~') {
            credentials_fault(reader, (unsigned)(p - line) + 1,
                              "a token is one word of printable ASCII");
            return;
        }
    }
    if (strlen(line) > CREDENTIALS_TOKEN_MAX) {
        credentials_fault(reader, 1, "the token is longer than %d bytes", CREDENTIALS_TOKEN_MAX);
        return;
    }
    void *list = grow_list(reader, into->tokens, into->token_count, sizeof *into->tokens);
    if (!list)
        return;
    into->tokens = list;
    into->tokens[into->token_count++] = strdup(line);
    if (!into->tokens[into->token_count - 1])
        credentials_fault(reader, 1, "out of memory");
}

/* ---- files ---- */

static void credentials_take_line(struct reader *reader, char *line, size_t length,
                                  void (*take)(struct reader *, char *))
{
    bool nul = memchr(line, '\0', length) != NULL;
    while (length > 0 && strchr(" \t\r", line[length - 1]))
        length--;
    line[length] = '\0';
    line += strspn(line, " \t");
    if (nul)
        credentials_fault(reader, 1, "there is a NUL byte in it");
    else if (*line && *line != '#')
        take(reader, line);
}

static void credentials_read(struct reader *reader, void (*take)(struct reader *, char *))
{
    reader->line = 1;
    char *text = malloc(CREDENTIALS_FILE_MAX + 2);
    /* a FIFO without a writer is just empty */
    ssize_t size = text ? file_read(reader->path, O_NONBLOCK, text, CREDENTIALS_FILE_MAX + 1) : -1;
    if (size < 0) {
        credentials_fault(reader, 1, "can't read the file: %s", strerror(errno));
    } else if (size > CREDENTIALS_FILE_MAX) {
        credentials_fault(reader, 1, "the file is larger than %d bytes", CREDENTIALS_FILE_MAX);
    } else {
        text[size] = '\n';
        for (char *line = text, *end; line < text + size; line = end + 1, reader->line++) {
            end = memchr(line, '\n', (size_t)(text + size - line) + 1);
            credentials_take_line(reader, line, (size_t)(end - line), take);
        }
    }
    if (text)
        explicit_bzero(text, CREDENTIALS_FILE_MAX + 2);
    free(text);
}

static void load_users(struct reader *reader)
{
    credentials_read(reader, take_user);
    reader->line = 1;
    if (!reader->failed && reader->into->user_count == 0)
        credentials_fault(reader, 1, "there is no user in it");
}

static void load_tokens(struct reader *reader)
{
    credentials_read(reader, take_token);
    reader->line = 1;
    if (!reader->failed && reader->into->token_count == 0)
        credentials_fault(reader, 1, "there is no token in it");
}

struct credentials *credentials_load(const struct conf_http *http, FILE *faults)
{
    struct credentials *credentials = calloc(1, sizeof *credentials);
    struct reader users = {.path = http->users_file, .faults = faults, .into = credentials};
    struct reader tokens = {.path = http->tokens_file, .faults = faults, .into = credentials};
    if (!credentials) {
        fprintf(faults, "out of memory\n");
        return NULL;
    }
    if (http->users_file[0])
        load_users(&users);
    if (http->tokens_file[0])
        load_tokens(&tokens);
    if (users.failed || tokens.failed) {
        credentials_free(credentials);
        return NULL;
    }
    return credentials;
}

static void wipe_text(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

void credentials_free(struct credentials *credentials)
{
    if (!credentials)
        return;
    for (unsigned i = 0; i < credentials->user_count; i++) {
        free(credentials->users[i].name);
        wipe_text(credentials->users[i].hash);
    }
    for (unsigned i = 0; i < credentials->token_count; i++)
        wipe_text(credentials->tokens[i]);
    free(credentials->users);
    free(credentials->tokens);
    free(credentials);
}
