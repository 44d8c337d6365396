/* logfile.h: where an instance in the background writes its log. */
#ifndef CAMRING_LOGFILE_H
#define CAMRING_LOGFILE_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

/* /var/log/camring/INSTANCE.log for root, else camring/INSTANCE.log in $XDG_STATE_HOME or
 * ~/.local/state; where that can't be written, beside the instance's socket.  Makes the
 * directories.  -1 with err. */
int logfile_path(const char *instance, char *out, size_t size, struct error *err);

/* The path of the log that the instance has, from an earlier start perhaps; false with "": none. */
bool logfile_find(const char *instance, char *out, size_t size);

#endif
