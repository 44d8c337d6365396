/* camring-shm: inspects the rings of any instance, running or dead. It only reads, except for
 * `clean`, and needs no supervisor. */
#include "common/ring.h"
#include "print.h"
#include "shmtool.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum option_id {
    OPTION_INSTANCE = 256,
    OPTION_FORMAT,
    OPTION_INTERVAL,
    OPTION_COUNT,
    OPTION_FRAMES,
    OPTION_DRY_RUN,
    OPTION_DEBUG,
    OPTION_VERSION
};

enum {
    TAKES_ALL = 1 << 0,
    TAKES_OUTPUT = 1 << 1,
    TAKES_FORMAT = 1 << 2,
    TAKES_INTERVAL = 1 << 3,
    TAKES_COUNT = 1 << 4,
    TAKES_DRY_RUN = 1 << 5,
    TAKES_FRAMES = 1 << 6
};

static const char *const option_names[] = {"--all",   "-o",        "--format", "--interval",
                                           "--count", "--dry-run", "--frames"}; /* by bit */

enum { RING_NOT_TAKEN, RING_TAKEN, RING_NEEDED };

struct command {
    const char *name;
    const char *usage;
    unsigned takes;
    int ring;
    enum shm_exit (*run)(const struct shm_options *options);
    const char *summary;
    const char *help;
};

static const struct command commands[] = {
    {"list", "list [--all]", TAKES_ALL, RING_NOT_TAKEN, cmd_list,
     "one line per ring: state, picture, fps, age, readers",
     "      --all            rings of every instance, whatever --instance says\n"},
    {"show", "show RING", 0, RING_NEEDED, cmd_show,
     "everything about a ring: header, each slot, each reader", ""},
    {"watch", "watch [RING] [--interval 1s] [--count N]", TAKES_ALL | TAKES_INTERVAL | TAKES_COUNT,
     RING_TAKEN, cmd_watch, "a line per ring, or all of one, live: fps and age and how they were",
     "      --all            rings of every instance\n"
     "      --interval TIME  how often to look, such as 500ms or 2s (default: 1s)\n"
     "      --count N        end after so many looks (default: on q or Ctrl-C)\n"
     "\n"
     "On a terminal one page, drawn anew each time; elsewhere a line per ring and look, with "
     "--json one object a line.\n\n"},
    {"dump", "dump RING -o FILE.{jpg,png,ppm,raw}", TAKES_OUTPUT | TAKES_FORMAT, RING_NEEDED,
     cmd_dump, "the newest picture, to a file",
     "  -o, --output FILE    where to; its ending says the type; - is standard output\n"
     "      --format TYPE    jpg, png, ppm or raw (planes Y, Cb, Cr without gaps; what they are is "
     "said on stderr)\n"},
    {"cat", "cat RING [--frames N]", TAKES_FRAMES, RING_NEEDED, cmd_cat,
     "the frames as a stream: y4m of raw ones, else MJPEG",
     "      --frames N       end after so many\n"
     "\n"
     "Where the program is slower than the camera, whole frames are left out.  A y4m stream ends "
     "with exit status 1\n"
     "when the size of the pictures changes, which it can't express.\n\n"},
    {"verify", "verify [RING]", TAKES_ALL, RING_TAKEN, cmd_verify,
     "what is broken, of all that is promised",
     "      --all            every instance\n"
     "\n"
     "Exit status 1 says that something is broken.  What a killed process left, which its "
     "successor clears, is\n"
     "listed too, but breaks nothing.\n\n"},
    {"clean", "clean [--dry-run]", TAKES_ALL | TAKES_DRY_RUN, RING_NOT_TAKEN, cmd_clean,
     "memory back that no living process holds",
     "      --all            of every instance\n"
     "      --dry-run        only say what would go\n"},
};

#define COMMANDS (sizeof commands / sizeof commands[0])

struct arguments {
    struct shm_options options;
    unsigned given; /* TAKES_… bits */
    bool help, version;
    const char *word[3]; /* command, ring, one too many */
    int words;
};

static void print_help(FILE *out, const struct command *only)
{
    if (only)
        fprintf(out, "usage: camring-shm %s [--instance NAME] [--json]\n\nGives %s.\n\n",
                only->usage, only->summary);
    else
        fprintf(out, "usage: camring-shm COMMAND [--instance NAME] [--json]\n\nLooks into "
                     "shared-memory rings; only clean "
                     "changes anything.\n\n");
    for (size_t i = 0; i < COMMANDS && !only; i++)
        fprintf(out, "  %-40s %s\n", commands[i].usage, commands[i].summary);
    fprintf(out, "%s", only ? only->help : "\n");
    fprintf(out, "      --instance NAME  whose rings (default: camring)\n"
                 "      --json           for programs\n"
                 "  -h, --help\n"
                 "\n"
                 "RING is the name of a ring (door.raw) or the id of a camera (door).\n"
                 "Exit status: 0 done, 1 failed, 2 wrong usage.\n");
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static enum shm_exit wrong_command(const char *name)
{
    char names[128] = "";
    for (size_t i = 0; i < COMMANDS; i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? ", " : "",
                 commands[i].name);
    if (name)
        print_fault("unknown command \"%s\"; there are: %s", name, names);
    else
        print_fault("no command given; there are: %s (--help says more)", names);
    return SHM_USAGE;
}

/* False: an unknown option, or one without its value; getopt has printed that. */
static bool parse_arguments(int argc, char **argv, struct arguments *args)
{
    static const struct option options[] = {
        {"instance", required_argument, NULL, OPTION_INSTANCE},
        {"json", no_argument, NULL, 'j'},
        {"all", no_argument, NULL, 'a'},
        {"output", required_argument, NULL, 'o'},
        {"format", required_argument, NULL, OPTION_FORMAT},
        {"interval", required_argument, NULL, OPTION_INTERVAL},
        {"count", required_argument, NULL, OPTION_COUNT},
        {"frames", required_argument, NULL, OPTION_FRAMES},
        {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
        {"debug", no_argument, NULL, OPTION_DEBUG},
        {"version", no_argument, NULL, OPTION_VERSION},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    for (int c; (c = getopt_long(argc, argv, "o:hv", options, NULL)) != -1;) {
        switch (c) {
        case OPTION_INSTANCE:
            args->options.instance = optarg;
            break;
        case 'j':
            args->options.json = true;
            break;
        case 'a':
            args->options.all = true, args->given |= TAKES_ALL;
            break;
        case 'o':
            args->options.output = optarg, args->given |= TAKES_OUTPUT;
            break;
        case OPTION_FORMAT:
            args->options.format = optarg, args->given |= TAKES_FORMAT;
            break;
        case OPTION_INTERVAL:
            args->options.interval = optarg, args->given |= TAKES_INTERVAL;
            break;
        case OPTION_COUNT:
            args->options.count = optarg, args->given |= TAKES_COUNT;
            break;
        case OPTION_FRAMES:
            args->options.frames = optarg, args->given |= TAKES_FRAMES;
            break;
        case OPTION_DRY_RUN:
            args->options.dry_run = true, args->given |= TAKES_DRY_RUN;
            break;
        case OPTION_VERSION:
            args->version = true;
            break;
        case 'h':
            args->help = true;
            break;
        case 'v': /* nothing more to tell, but common to all programs */
        case OPTION_DEBUG:
            break;
        default:
            return false;
        }
    }
    for (; optind < argc && args->words < 3; optind++)
        args->word[args->words++] = argv[optind];
    return true;
}

/* True if the arguments fit the command; else prints what does not. */
static bool arguments_fit(const struct command *command, struct arguments *args)
{
    const char *surplus = args->words > 2 ? args->word[2] : NULL;
    if (command->ring == RING_NOT_TAKEN && args->words > 1)
        surplus = args->word[1];
    unsigned wrong = args->given & ~command->takes;

    if (surplus)
        print_fault("%s: unexpected argument \"%s\"", command->name, surplus);
    else if (command->ring == RING_NEEDED && args->words < 2)
        print_fault("%s: which ring?  usage: camring-shm %s", command->name, command->usage);
    else if (wrong)
        print_fault("%s: does not take %s", command->name, option_names[__builtin_ctz(wrong)]);
    else if (!ring_id_valid(args->options.instance))
        print_fault("\"%s\" is not the name of an instance", args->options.instance);
    else
        return true;
    return false;
}

static enum shm_exit run_command(const struct command *command, const struct arguments *args)
{
    struct shm_options options = args->options;
    options.ring = args->word[1];
    enum shm_exit code = command->run(&options);
    if (code == SHM_FAILED && options.json)
        print_json_fault();
    if (fflush(stdout) != 0 || ferror(stdout)) {
        print_fault("can't write to standard output: %m");
        return SHM_FAILED;
    }
    return code;
}

int main(int argc, char **argv)
{
    struct arguments args = {.options.instance = PRINT_DEFAULT_INSTANCE};
    if (!parse_arguments(argc, argv, &args))
        return SHM_USAGE;
    if (args.words > 0 && strcmp(args.word[0], "help") == 0) {
        args.help = true;
        args.word[0] = args.word[1];
        args.words--;
    }
    if (args.version) {
        printf("camring-shm %s\n", CAMRING_VERSION);
        return SHM_DONE;
    }

    const struct command *command = args.words > 0 ? find_command(args.word[0]) : NULL;
    if (!command && (args.words > 0 || !args.help))
        return wrong_command(args.words > 0 ? args.word[0] : NULL);
    if (args.help) {
        print_help(stdout, command);
        return SHM_DONE;
    }
    if (!arguments_fit(command, &args))
        return SHM_USAGE;
    return run_command(command, &args);
}
