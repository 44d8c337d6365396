/* credentials.h: reads the users and tokens that may log in: http.users_file and http.tokens_file.
 *
 * Users: one NAME:HASH per line, HASH as of crypt(3); what follows a second colon is ignored.
 * Tokens: one per line. Empty lines and those that begin with # are skipped. Faults are written as
 * "FILE:LINE:COL: message" and never show a hash, a token or a password. */
#ifndef CAMRING_CREDENTIALS_H
#define CAMRING_CREDENTIALS_H

#include "conf.h"

#include <stdbool.h>
#include <stdio.h>

#define CREDENTIALS_FILE_MAX (1024 * 1024) /* bytes */
#define CREDENTIALS_NAME_MAX 128
#define CREDENTIALS_TOKEN_MAX 512

struct credentials_user {
    char *name, *hash;
};

struct credentials {
    unsigned user_count, token_count;
    struct credentials_user *users; /* each name once */
    char **tokens;
};

/* Reads the files that are named. NULL if they have any fault, after writing all of them.
 * credentials_free wipes and frees. */
struct credentials *credentials_load(const struct conf_http *http, FILE *faults);
void credentials_free(struct credentials *credentials);

#endif
