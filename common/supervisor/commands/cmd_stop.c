#include "command.h"
#include "stopping.h"

#include "common/supervisor/settings.h"

enum exits cmd_stop(const struct options *options)
{
    char instance[RING_ID_SIZE];
    struct error err;
    if (!settings_instance(options, instance))
        return EXIT_CONFIG;
    switch (stopping_run(instance, &err)) {
    case STOPPING_DONE:
        return EXIT_DONE;
    case STOPPING_NOT_RUNNING:
        fprintf(stderr, "camring: instance \"%s\" is not running\n", instance);
        return EXIT_NOT_RUNNING;
    default:
        fprintf(stderr, "camring: %s\n", err.text);
        return EXIT_FAILED;
    }
}
