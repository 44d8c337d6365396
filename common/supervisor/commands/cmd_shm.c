/* camring shm …: runs camring-shm …, for the instance that the options name. */
#include "command.h"

#include "common/supervisor/children/spawn.h"
#include "common/supervisor/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum exits cmd_shm(const struct options *options)
{
    char path[PATH_MAX], instance[RING_ID_SIZE];
    struct error err;
    if (!settings_instance(options, instance))
        return EXIT_CONFIG;
    char **arguments = calloc((size_t)options->count + 4, sizeof *arguments);
    if (!arguments || spawn_path("camring-shm", path, sizeof path, &err) != 0) {
        fprintf(stderr, "camring: %s\n", arguments ? err.text : "out of memory");
        free(arguments);
        return EXIT_FAILED;
    }
    unsigned n = 0;
    arguments[n++] = (char *)"camring-shm";
    /* before the arguments, so that an --instance among them wins */
    arguments[n++] = (char *)"--instance";
    arguments[n++] = instance;
    for (int i = 0; i < options->count; i++)
        arguments[n++] = options->arguments[i];
    execv(path, arguments);
    fprintf(stderr, "camring: cannot run %s: %s\n", path, strerror(errno));
    free(arguments);
    return EXIT_FAILED;
}
