#include "background.h"
#include "command.h"

#include "common/supervisor/settings.h"

enum exits cmd_start(const struct options *options)
{
    char path[PATH_MAX];
    struct conf *conf = settings_load(options, path, stderr);
    if (!conf)
        return EXIT_CONFIG;
    enum exits status = background_start(options, conf, path, false);
    conf_free(conf);
    return status;
}
