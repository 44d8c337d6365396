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

enum parsed { PARSED_OK, PARSED_VERSION, PARSED_WRONG };

enum { OPTIONS_MAX = 24, LONG_ONLY = 256, OPTION_VERSION = 1024 };

/* The table of options as getopt_long wants it.  An option's value is its letter, or LONG_ONLY and
 * its index.  `first`: with --version, which no command takes. */
static void make_getopt(struct option names[static OPTIONS_MAX + 2], char *letters, bool first)
{
    int n = 0;
    for (const struct command_option *option = command_options; option->name && n < OPTIONS_MAX;
         option++) {
        names[n] = (struct option){.name = option->name,
                                   .has_arg = option->argument ? required_argument : no_argument,
                                   .val = option->letter ? option->letter : LONG_ONLY + n};
        n++;
        if (!option->letter)
            continue;
        *letters++ = option->letter;
        if (option->argument)
            *letters++ = ':';
    }
    *letters = '\0';
    if (first)
        names[n++] = (struct option){.name = "version", .val = OPTION_VERSION};
    names[n] = (struct option){0};
}

static void main_set_option(struct options *options, int value, unsigned *given)
{
    const struct command_option *option = command_options;
    while (value < LONG_ONLY ? option->letter != value
                             : option != command_options + value - LONG_ONLY)
        option++;
    *given |= option->takes;
    if (option->argument)
        *(const char **)((char *)options + option->field) = optarg;
    else
        *(bool *)((char *)options + option->field) = true;
}

/* Options up to the first word (`first`: the command), or all. */
static enum parsed parse_options(int argc, char **argv, bool first, struct options *options,
                                 unsigned *given)
{
    struct option names[OPTIONS_MAX + 2];
    char letters[2 * OPTIONS_MAX + 2] = "+";
    make_getopt(names, letters + first, first);
    optind = 0;
    for (int c; (c = getopt_long(argc, argv, letters, names, NULL)) != -1;) {
        if (c == OPTION_VERSION)
            return PARSED_VERSION;
        if (c == '?')
            return PARSED_WRONG; /* getopt has printed why */
        main_set_option(options, c, given);
        if (options->help)
            break;
    }
    options->count = argc - optind;
    options->arguments = argv + optind;
    return PARSED_OK;
}

static bool check_arguments(const struct command *command, const struct options *options,
                            unsigned given)
{
    for (const struct command_option *option = command_options; option->name; option++)
        if (option->takes & given & ~command->takes) {
            fprintf(stderr, "camring: %s takes no --%s\n", command->name, option->name);
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
    if (options.help) {
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
    if (options.help) {
        command_usage(stdout, command);
        return EXIT_DONE;
    }
    if (parsed == PARSED_WRONG || !check_arguments(command, &options, given))
        return wrong_usage(command);
    return command->run(&options);
}
