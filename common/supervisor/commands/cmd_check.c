#include "command.h"

#include "common/supervisor/settings.h"
#include "common/supervisor/tell.h"

#include <jansson.h>
#include <stdlib.h>

static enum exits check_for_programs(const struct options *options)
{
    char path[PATH_MAX], *text = NULL;
    size_t size = 0;
    FILE *faults = open_memstream(&text, &size);
    if (!faults)
        return EXIT_FAILED;
    struct conf *conf = settings_load(options, path, faults);
    fclose(faults);
    json_t *answer = json_pack("{s:b, s:s, s:i, s:o}", "ok", conf != NULL, "file", path, "cameras",
                               conf ? (int)conf->camera_count : 0, "faults", tell_lines(text));
    json_dumpf(answer, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(answer);
    enum exits status = conf ? EXIT_DONE : EXIT_CONFIG;
    conf_free(conf);
    free(text);
    return status;
}

enum exits cmd_check(const struct options *options)
{
    char path[PATH_MAX];
    if (options->json)
        return check_for_programs(options);
    struct conf *conf = settings_load(options, path, stderr);
    if (!conf)
        return EXIT_CONFIG;
    printf("%s: ok, %u camera%s\n", path, conf->camera_count, conf->camera_count == 1 ? "" : "s");
    conf_free(conf);
    return EXIT_DONE;
}
