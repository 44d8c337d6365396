/* command.h: the commands of `camring`, one file each: cmd_NAME.c. */
#ifndef CAMRING_COMMAND_H
#define CAMRING_COMMAND_H

#include "common/supervisor/exits.h"
#include "common/supervisor/options.h"

#include <stddef.h>
#include <stdio.h>

enum command_takes {
    TAKES_CONFIG = 1,
    TAKES_JSON = 2,
    TAKES_NO_WAIT = 4,
    TAKES_WATCH = 8,
    TAKES_FOLLOW = 16,
    TAKES_LINES = 32,
    TAKES_ALL = 64,
    TAKES_OUTPUT = 128,
    TAKES_JOBS = 256,
    TAKES_EVERY = 512,
    TAKES_ANYTHING = 1 << 30 /* it reads its arguments and options itself */
};

struct command_option {
    const char *name;     /* without its "--" */
    char letter;          /* '\0': none */
    const char *argument; /* in help; NULL: takes none */
    unsigned takes;       /* which commands take it: one of enum command_takes; 0: every command */
    size_t field;         /* of struct options: a const char *, or without an argument a bool */
    const char *meaning;
};

extern const struct command_option command_options[]; /* ends with a NULL name */

struct command {
    const char *name;
    const char *arguments; /* as in the usage line */
    const char *summary;
    unsigned takes;
    int most; /* arguments */
    enum exits (*run)(const struct options *options);
};

extern const struct command command_table[]; /* ends with a NULL name */

const struct command *command_find(const char *name);
void command_usage(FILE *out, const struct command *command); /* NULL: all of them */

enum exits cmd_run(const struct options *options);
enum exits cmd_start(const struct options *options);
enum exits cmd_stop(const struct options *options);
enum exits cmd_restart(const struct options *options);
enum exits cmd_reload(const struct options *options);
enum exits cmd_status(const struct options *options);
enum exits cmd_logs(const struct options *options);
enum exits cmd_snapshot(const struct options *options);
enum exits cmd_check(const struct options *options);
enum exits cmd_shm(const struct options *options);
enum exits cmd_completion(const struct options *options);
enum exits cmd_version(const struct options *options);
enum exits cmd_help(const struct options *options);

/* What `camring status` prints, for an instance whose name is known.  EXIT_DONE, EXIT_NOT_LIVE, or
 * why it can't be told. */
enum exits cmd_status_show(const struct options *options, const char *instance);

#endif
