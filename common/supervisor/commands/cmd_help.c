#include "command.h"

#include "common/conf.h"

#include <string.h>

enum exits cmd_help(const struct options *options)
{
    const char *topic = options->count > 0 ? options->arguments[0] : NULL;
    const struct command *command = topic ? command_find(topic) : NULL;
    if (topic && strcmp(topic, "config") == 0) {
        conf_describe(stdout);
        return EXIT_DONE;
    }
    if (topic && !command) {
        fprintf(stderr, "camring: no help on \"%s\"; camring help lists the commands\n", topic);
        return EXIT_USAGE;
    }
    command_usage(stdout, command);
    return EXIT_DONE;
}
