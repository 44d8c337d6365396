#include "logfile.h"

#include "common/lockfile.h"

#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Creates the directories above the file `path`; false if it can't be written there. */
static bool make_directories(char *path)
{
    bool writable = false;
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0755);
        writable = access(path, W_OK | X_OK) == 0;
        *slash = '/';
    }
    return writable;
}

static void state_directory(char *out, size_t size)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    const struct passwd *user;
    if (geteuid() == 0)
        snprintf(out, size, "/var/log");
    else if (state && state[0] == '/')
        snprintf(out, size, "%s", state);
    else if (home && home[0] == '/')
        snprintf(out, size, "%s/.local/state", home);
    else if ((user = getpwuid(geteuid())))
        snprintf(out, size, "%s/.local/state", user->pw_dir);
    else
        snprintf(out, size, "/tmp");
}

bool logfile_find(const char *instance, char *out, size_t size)
{
    char state[PATH_MAX - 128];
    struct error ignored;
    state_directory(state, sizeof state);
    if (snprintf(out, size, "%s/camring/%s.log", state, instance) < (int)size &&
        access(out, F_OK) == 0)
        return true;
    if (lockfile_path(instance, "log", out, size, &ignored) == 0 && access(out, F_OK) == 0)
        return true;
    out[0] = '\0';
    return false;
}

int logfile_path(const char *instance, char *out, size_t size, struct error *err)
{
    char state[PATH_MAX - 128];
    state_directory(state, sizeof state);
    if (snprintf(out, size, "%s/camring/%s.log", state, instance) < (int)size &&
        make_directories(out))
        return 0;
    return lockfile_make_directory(err) != 0 ? -1 : lockfile_path(instance, "log", out, size, err);
}
