#include "settings.h"

enum exits cmd_check(const struct options *options)
{
    char path[PATH_MAX];
    struct conf *conf = settings_load(options, path);
    if (!conf)
        return EXIT_CONFIG;
    printf("%s: ok, %u camera%s\n", path, conf->camera_count, conf->camera_count == 1 ? "" : "s");
    conf_free(conf);
    return EXIT_DONE;
}
