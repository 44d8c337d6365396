/* conf_diff.h: the difference between the running configuration and a new one. No system calls.
 * Each key's effect stands beside it in the option table (conf_private.h). */
#ifndef CAMRING_CONF_DIFF_H
#define CAMRING_CONF_DIFF_H

#include "conf.h"

#include <stdbool.h>

/* What becomes of a camera. Cameras are identified by their ids, so a new id is another camera. */
enum conf_camera_fate {
    CONF_CAMERA_SAME,
    CONF_CAMERA_ADDED,
    CONF_CAMERA_CHANGED, /* its processes get the new settings; its capture process goes on */
    /* the same, because it has a chain now, or none any more; if it sends JPEGs, which are passed
     * through without a chain, its capture process must be restarted, too */
    CONF_CAMERA_CHAINED,
    /* its capture process is restarted, and the others get the new settings */
    CONF_CAMERA_RECAPTURED
};

#define CONF_DIFF_KEYS 64

/* Names of keys, as in the file. */
struct conf_diff_keys {
    unsigned count;
    const char *name[CONF_DIFF_KEYS];
};

struct conf_diff {
    enum conf_camera_fate *cameras;             /* of each camera of the new configuration */
    bool *removed;                              /* of each camera of the old one */
    unsigned count[CONF_CAMERA_RECAPTURED + 1]; /* how many cameras have that fate */
    unsigned removed_count;

    /* keys that changed and take effect, those of cameras left out */
    struct conf_diff_keys settings;
    struct conf_diff_keys fixed; /* keys that changed and can't while the instance runs */
    bool listeners;              /* http.listen, or another key about its sockets, has changed */
    bool servers; /* a key that servers only read at their start has changed: they are replaced */
    bool log;
};

/* Compares.  -1: out of memory.  conf_diff_free frees what it allocated. */
int conf_diff(const struct conf *before, const struct conf *after, struct conf_diff *out);
void conf_diff_free(struct conf_diff *diff);

#endif
