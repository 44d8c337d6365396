#include "command.h"

#include "common/conf.h"

#include <string.h>

const struct command command_table[] = {
    {"run", "[-c FILE]", "run in the foreground, until told to stop", TAKES_CONFIG, 0, cmd_run},
    {"start", "[-c FILE] [--no-wait]",
     "run in the background; returns when each camera is live or has failed",
     TAKES_CONFIG | TAKES_NO_WAIT, 0, cmd_start},
    {"stop", "", "stop, and leave nothing behind", TAKES_CONFIG, 0, cmd_stop},
    {"restart", "[CAMERA] [--no-wait] [--json]", "restart one camera, or everything",
     TAKES_CONFIG | TAKES_NO_WAIT | TAKES_JSON, 1, cmd_restart},
    {"reload", "[--json]",
     "read the configuration again and take over what changed, or say what is wrong with it",
     TAKES_CONFIG | TAKES_JSON, 0, cmd_reload},
    {"status", "[--watch] [--json]", "what runs, and how each camera is",
     TAKES_CONFIG | TAKES_JSON | TAKES_WATCH, 0, cmd_status},
    {"logs", "[-f] [-n LINES] [--json] [CAMERA]",
     "show the log of an instance in the background, or what in it is about one camera",
     TAKES_CONFIG | TAKES_JSON | TAKES_FOLLOW | TAKES_LINES, 1, cmd_logs},
    {"snapshot", "--all | CAMERA... -o DIR [--jobs N] [--every TIME]",
     "save a picture of each camera, and a description of it, as files",
     TAKES_CONFIG | TAKES_ALL | TAKES_OUTPUT | TAKES_JOBS | TAKES_EVERY, CONF_MAX_CAMERAS,
     cmd_snapshot},
    {"check", "[-c FILE] [--json]", "read the configuration, and say what is wrong with it",
     TAKES_CONFIG | TAKES_JSON, 0, cmd_check},
    {"shm", "list | show RING | watch [RING] | dump RING -o FILE | cat RING | verify | clean",
     "look into the rings (camring shm --help)", TAKES_ANYTHING, 0, cmd_shm},
    {"completion", "bash | cameras",
     "print a completion script for the shell, or the ids that it completes", TAKES_CONFIG, 1,
     cmd_completion},
    {"version", "[--json]", "say which version this is", TAKES_JSON, 0, cmd_version},
    {"help", "[COMMAND | config]", "explain a command, or every key of the configuration", 0, 1,
     cmd_help},
    {.name = NULL},
};

const struct command *command_find(const char *name)
{
    for (const struct command *command = command_table; command->name; command++)
        if (strcmp(command->name, name) == 0)
            return command;
    return NULL;
}

#define FIELD(name) offsetof(struct options, name)

const struct command_option command_options[] = {
    {"config", 'c', "FILE", TAKES_CONFIG, FIELD(config),
     "instead of ./camring.yaml or /etc/camring/camring.yaml; - is standard input"},
    {"no-wait", '\0', NULL, TAKES_NO_WAIT, FIELD(no_wait),
     "return as soon as the servers accept connections"},
    {"watch", '\0', NULL, TAKES_WATCH, FIELD(watch), "show it again every second, until Ctrl-C"},
    {"follow", 'f', NULL, TAKES_FOLLOW, FIELD(follow), "show new lines as they come, until Ctrl-C"},
    {"lines", 'n', "LINES", TAKES_LINES, FIELD(lines),
     "only the last so many lines (default: all; with -f 10)"},
    {"all", '\0', NULL, TAKES_ALL, FIELD(all), "every camera"},
    {"output", 'o', "DIR", TAKES_OUTPUT, FIELD(output), "the folder for the files"},
    {"jobs", '\0', "N", TAKES_JOBS, FIELD(jobs), "at most N cameras at once (default: 8)"},
    {"every", '\0', "TIME", TAKES_EVERY, FIELD(every),
     "again and again, such as every 10s, until Ctrl-C; each time into new files"},
    {"json", '\0', NULL, TAKES_JSON, FIELD(json), "output for programs"},
    {"instance", '\0', "NAME", 0, FIELD(instance),
     "which installation; wins over the file's `instance` (default: camring)"},
    {"verbose", 'v', NULL, 0, FIELD(verbose), "log more"},
    {"debug", '\0', NULL, 0, FIELD(debug),
     "log everything; watch for slow callbacks, and frames held over 2 s"},
    {"help", 'h', NULL, 0, FIELD(help), "this text"},
    {.name = NULL},
};

static void print_option(FILE *out, const struct command_option *option)
{
    char letter[] = "-x, ", names[40];
    letter[1] = option->letter;
    snprintf(names, sizeof names, "%s--%s%s%s", option->letter ? letter : "", option->name,
             option->argument ? " " : "", option->argument ? option->argument : "");
    fprintf(out, "  %-18s  %s\n", names, option->meaning);
}

void command_usage(FILE *out, const struct command *only)
{
    fprintf(out, "usage: camring %s%s%s [OPTION...]\n\n", only ? only->name : "COMMAND",
            only && *only->arguments ? " " : "", only ? only->arguments : "");
    for (const struct command *command = command_table; !only && command->name; command++)
        fprintf(out, "  %-11s %s\n", command->name, command->summary);
    if (only)
        fprintf(out, "%s\n", only->summary);
    fprintf(out, "\n");
    for (const struct command_option *option = command_options; option->name; option++)
        if (!only || !option->takes || (option->takes & only->takes))
            print_option(out, option);
    if (!only)
        fprintf(
            out,
            "\nExit status: 0 done, 1 failed, 2 wrong usage, 3 not running, 4 bad configuration,\n"
            "5 running, but not every camera is live, or not every picture was saved.\n");
}
