/* camring_private.h: what the files camring*.c share. */
#ifndef CAMRING_PRIVATE_H
#define CAMRING_PRIVATE_H

#include "camring.h"

#include "ring.h"

/* Hands `err` to the caller.  Return -1. */
int camring_fail(struct camring_error *out, const struct error *err);
int camring_fail_usage(struct camring_error *out, const char *text);

/* Names the process among its parents and children by fork, without asking the kernel each time:
 * what makes a handle keeps it in the handle.  False with err: out of memory. */
bool camring_watch_forks(unsigned *process, struct error *err);

/* Whether `process` names this one, and not one that this one is a child of. */
bool camring_is_here(unsigned process);

/* False, with error, for a handle that is NULL or came over fork. */
bool camring_usable(const void *handle, unsigned process, struct camring_error *error);

/* Checks and completes the names given by the caller: instance NULL is the default one, and "door"
 * means "door.VARIANT_DEFAULT". `instance_out` and `name_out` have RING_ID_SIZE and RING_NAME_SIZE
 * bytes.  False with err. */
bool camring_take_names(const char *instance, const char *ring, const char *variant_default,
                        char *instance_out, char *name_out, struct error *err);

/* ring_reader_stat into memory of its own; NULL with err.  The caller frees. */
struct ring_stat *camring_read_stat(struct ring_reader *ring, struct error *err);

/* `row`: the reader's own, -1 for none. */
void camring_describe_stat(const struct ring_stat *stat, int row, struct camring_stat *out);

/* What camring_set_name was told; the program's name before. */
const char *camring_reader_name(void);

#endif
