#include "command.h"

#include "common/supervisor/settings.h"
#include "common/supervisor/supervise.h"

#include <fcntl.h>
#include <unistd.h>

enum exits cmd_run(const struct options *options)
{
    char path[PATH_MAX];
    struct conf *conf = settings_load(options, path, stderr);
    if (!conf)
        return EXIT_CONFIG;
    int out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int status = supervise(
        &(struct supervise){.conf = conf, .config_path = path, .options = options, .url_fd = out});
    conf_free(conf);
    return status;
}
