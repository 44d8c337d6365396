/* shmtool.h: what main.c and the commands of camring-shm share.  A command is one file, cmd_NAME.c,
 * and one row of the table in main.c; it gets options that are already checked against its row and
 * returns an exit code. */
#ifndef CAMRING_SHMTOOL_H
#define CAMRING_SHMTOOL_H

#include <stdbool.h>

enum shm_exit { SHM_DONE = 0, SHM_FAILED = 1, SHM_USAGE = 2 };

struct shm_options {
    const char *instance; /* a valid name */
    const char *ring;     /* ring name or camera id; NULL: none given */
    const char *output;   /* -o; NULL: none given */
    const char *format;   /* --format; NULL: none given */
    const char *interval; /* --interval; NULL: none given */
    const char *count;    /* --count; NULL: none given */
    const char *frames;   /* --frames; NULL: none given */
    bool all;             /* every instance */
    bool dry_run;
    bool json;
};

enum shm_exit cmd_list(const struct shm_options *options);
enum shm_exit cmd_show(const struct shm_options *options);
enum shm_exit cmd_watch(const struct shm_options *options);
enum shm_exit cmd_dump(const struct shm_options *options);
enum shm_exit cmd_cat(const struct shm_options *options);
enum shm_exit cmd_verify(const struct shm_options *options);
enum shm_exit cmd_clean(const struct shm_options *options);

#endif
