/* camring: starts, stops and watches an installation: main() finds the command and its options. */

#include "common/ring.h"
#include "common/supervisor/commands/command.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

/* Prints the usage line. */
static int wrong_usage(const struct command *command)
{
    if (command)
        fprintf(stderr, "usage: camring %s%s%s; see camring %s --help\n", command->name,
                *command->arguments ? " " : "", command->arguments, command->name);
    else
        command_usage(stderr, NULL);
    return EXIT_USAGE;
}

enum parsed { PARSED_OK, PARSED_HELP, PARSED_VERSION, PARSED_WRONG };

/* Options up to the first word (`first`: the command), or all. */
static enum parsed parse_options(int argc, char **argv, bool first, struct options *options,
                                 unsigned *given)
{
    enum { OPTION_INSTANCE = 256, OPTION_JSON, OPTION_DEBUG, OPTION_NO_WAIT, OPTION_VERSION };
    const struct option names[] = {
        {"config", required_argument, NULL, 'c'},
        {"instance", required_argument, NULL, OPTION_INSTANCE},
        {"json", no_argument, NULL, OPTION_JSON},
        {"debug", no_argument, NULL, OPTION_DEBUG},
        {"no-wait", no_argument, NULL, OPTION_NO_WAIT},
        {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {first ? "version" : NULL, no_argument, NULL, OPTION_VERSION},
        {NULL, 0, NULL, 0},
    };
    optind = 0;
    for (int c; (c = getopt_long(argc, argv, first ? "+c:vh" : "c:vh", names, NULL)) != -1;) {
        switch (c) {
        case 'c':
            options->config = optarg, *given |= TAKES_CONFIG;
            break;
        case OPTION_INSTANCE:
            options->instance = optarg;
            break;
        case OPTION_JSON:
            options->json = true, *given |= TAKES_JSON;
            break;
        case OPTION_NO_WAIT:
            options->no_wait = true, *given |= TAKES_NO_WAIT;
            break;
        case OPTION_DEBUG:
            options->debug = true;
            break;
        case 'v':
            options->verbose = true;
            break;
        case 'h':
            return PARSED_HELP;
        case OPTION_VERSION:
            return PARSED_VERSION;
        default:
            return PARSED_WRONG; /* getopt has printed why */
        }
    }
    options->count = argc - optind;
    options->arguments = argv + optind;
    return PARSED_OK;
}

static bool check_arguments(const struct command *command, const struct options *options,
                            unsigned given)
{
    if (given & ~command->takes) {
        unsigned extra = given & ~command->takes;
        fprintf(stderr, "camring: %s takes no %s\n", command->name,
                extra & TAKES_CONFIG ? "--config"
                : extra & TAKES_JSON ? "--json"
                                     : "--no-wait");
        return false;
    }
    if (options->count > command->most) {
        fprintf(stderr, "camring: %s: unexpected argument \"%s\"\n", command->name,
                options->arguments[command->most]);
        return false;
    }
    if (options->instance && !ring_id_valid(options->instance)) {
        fprintf(stderr,
                "camring: \"%s\" is not an instance name: it must be [a-z0-9][a-z0-9_-]{0,31}\n",
                options->instance);
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct options options = {.argv = argv};
    unsigned given = 0;
    enum parsed parsed = parse_options(argc, argv, true, &options, &given);
    if (parsed == PARSED_HELP) {
        command_usage(stdout, NULL);
        return EXIT_DONE;
    }
    if (parsed == PARSED_VERSION)
        return cmd_version(&options);
    if (parsed == PARSED_WRONG || options.count == 0)
        return wrong_usage(NULL);

    const char *name = options.arguments[0];
    const struct command *command = command_find(name);
    if (!command) {
        fprintf(stderr, "camring: unknown command \"%s\"; camring help lists them\n", name);
        return EXIT_USAGE;
    }
    if (command->takes & TAKES_ANYTHING) {
        options.arguments++, options.count--;
        return command->run(&options);
    }
    parsed = parse_options(options.count, options.arguments, false, &options, &given);
    if (parsed == PARSED_HELP) {
        command_usage(stdout, command);
        return EXIT_DONE;
    }
    if (parsed == PARSED_WRONG || !check_arguments(command, &options, given))
        return wrong_usage(command);
    return command->run(&options);
}
