#include "logfile.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_directories(char *path, struct error *err)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int r = mkdir(path, 0755);
        if (r != 0 && errno != EEXIST) {
            error_set(err, errno, "cannot create %s: %s", path, strerror(errno));
            *slash = '/';
            return -1;
        }
        *slash = '/';
    }
    return 0;
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

int logfile_path(const char *instance, char *out, size_t size, struct error *err)
{
    char state[PATH_MAX - 128];
    state_directory(state, sizeof state);
    if (snprintf(out, size, "%s/camring/%s.log", state, instance) >= (int)size) {
        error_set(err, ENAMETOOLONG, "%s is too long a path", state);
        return -1;
    }
    return make_directories(out, err);
}
