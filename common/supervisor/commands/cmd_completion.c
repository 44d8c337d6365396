/* completion: prints a script for bash, which is made from the tables of commands and options, and
 * the ids of the running instance's cameras, which the script asks for. */
#include "client.h"
#include "command.h"

#include "common/supervisor/settings.h"
#include "common/supervisor/tell.h"

#include <ctype.h>
#include <string.h>

/* ---- parts that come from the tables ---- */

static void print_names(const struct command_option *option, const char *separator)
{
    if (option->letter)
        printf("-%c%s", option->letter, separator);
    printf("--%s", option->name);
}

static void print_options_of(const struct command *command)
{
    const char *space = "";
    for (const struct command_option *option = command_options; option->name; option++)
        if (!option->takes || (option->takes & command->takes)) {
            printf("%s", space);
            print_names(option, " ");
            space = " ";
        }
}

static void print_commands(void)
{
    for (const struct command *command = command_table; command->name; command++)
        printf("%s%s", command == command_table ? "" : " ", command->name);
}

/* Prints the words of the usage line that are typed as they are: "list | show RING" has two. */
static void print_own_words(const char *arguments)
{
    for (const char *c = arguments; *c;) {
        size_t length = strcspn(c, " []|()");
        if (islower((unsigned char)c[0]))
            printf(" %.*s", (int)length, c);
        c += length;
        c += strspn(c, " []|()");
    }
}

/* `first`: what the first word after the command may be.  `cameras`: whether ids may follow: from
 * the first word on or from the second. */
static void print_words_of(const struct command *command)
{
    const char *arguments = command->arguments;
    printf("        first='");
    print_own_words(arguments);
    if (strstr(arguments, "COMMAND")) {
        printf(" ");
        print_commands();
    }
    printf("' cameras=%s\n", strstr(arguments, "CAMERA") ? "0"
                             : strstr(arguments, "RING") ? "1"
                                                         : "");
}

enum kind { FILES, FOLDERS, OTHERS, ANY };

static bool is_of(const struct command_option *option, enum kind kind)
{
    if (!option->argument)
        return false;
    enum kind own = strcmp(option->argument, "FILE") == 0  ? FILES
                    : strcmp(option->argument, "DIR") == 0 ? FOLDERS
                                                           : OTHERS;
    return kind == ANY || kind == own;
}

/* "-c | --config | --instance": the options with arguments of that kind. */
static void print_pattern(enum kind kind)
{
    const char *bar = "";
    for (const struct command_option *option = command_options; option->name; option++)
        if (is_of(option, kind)) {
            printf("%s", bar);
            print_names(option, " | ");
            bar = " | ";
        }
}

/* ---- the script ---- */

static void print_tables(void)
{
    printf("_camring_about() # the command $1\n{\n    case $1 in\n");
    for (const struct command *command = command_table; command->name; command++) {
        printf("    %s)\n        options='", command->name);
        if (command->takes & TAKES_ANYTHING)
            printf("--help");
        else
            print_options_of(command);
        printf("'\n");
        print_words_of(command);
        printf("        ;;\n");
    }
    printf("    esac\n}\n\n");
}

static void print_line_reader(void)
{
    printf("    for ((i = 1; i < COMP_CWORD; i++)); do\n"
           "        word=${COMP_WORDS[i]}\n"
           "        case $word in\n"
           "        ");
    print_pattern(ANY);
    printf(")\n"
           "            [ \"${COMP_WORDS[i + 1]}\" != = ] || ((i++))\n"
           "            case $word in -c | --config | --instance)\n"
           "                instance+=(\"$word\" \"${COMP_WORDS[i + 1]}\") ;;\n"
           "            esac\n"
           "            ((i++))\n"
           "            ;;\n"
           "        -*) ;;\n"
           "        *) if [ \"$command\" ]; then ((count++)); else command=$word; fi ;;\n"
           "        esac\n"
           "    done\n");
}

static void print_choice(void)
{
    printf("    case $previous in\n    ");
    print_pattern(FILES);
    printf(")\n"
           "        compopt -o filenames\n"
           "        mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
           "        return\n"
           "        ;;\n    ");
    print_pattern(FOLDERS);
    printf(")\n"
           "        compopt -o filenames\n"
           "        mapfile -t COMPREPLY < <(compgen -d -- \"$current\")\n"
           "        return\n"
           "        ;;\n    ");
    print_pattern(OTHERS);
    printf(") return ;;\n"
           "    esac\n"
           "    if [ ! \"$command\" ]; then\n"
           "        first='");
    print_commands();
    printf("' options='--help --version'\n"
           "    else\n"
           "        _camring_about \"$command\"\n"
           "    fi\n"
           "    if [ \"${current:0:1}\" = - ]; then\n"
           "        words=$options\n"
           "    else\n"
           "        [ \"$count\" -gt 0 ] || words=$first\n"
           "        [ ! \"$cameras\" ] || [ \"$count\" -lt \"$cameras\" ] ||\n"
           "            words+=\" $(\"${COMP_WORDS[0]}\" completion cameras \"${instance[@]}\" "
           "2>/dev/null)\"\n"
           "    fi\n"
           "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n");
}

static void print_script(void)
{
    printf("# Completion of camring's command line in bash, printed by `camring completion "
           "bash`.\n\n");
    print_tables();
    printf("_camring()\n{\n"
           "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
           "    local command='' count=0 first='' cameras='' options='' words='' word i\n"
           "    local -a instance=()\n"
           "    COMPREPLY=()\n"
           "    if [ \"$current\" = = ]; then # --output=DIR is three words\n"
           "        current=''\n"
           "    elif [ \"$previous\" = = ]; then\n"
           "        previous=${COMP_WORDS[COMP_CWORD - 2]}\n"
           "    fi\n");
    print_line_reader();
    print_choice();
    printf("}\ncomplete -F _camring camring\n");
}

/* ---- the cameras ---- */

static enum exits print_cameras(const struct options *options)
{
    char instance[RING_ID_SIZE];
    struct error err;
    if (!settings_instance(options, instance))
        return EXIT_CONFIG;
    struct client *client = client_open(instance, &err);
    json_t *request = json_pack("{s:s}", "command", "status"), *camera;
    json_t *status = client ? client_ask(client, request, &err) : NULL;
    size_t i;
    json_array_foreach(json_object_get(status, "cameras"), i, camera)
    {
        printf("%s\n", json_string_value(json_object_get(camera, "id")));
    }
    if (!status)
        tell_error(options, err.text);
    enum exits result = status ? EXIT_DONE : client ? EXIT_FAILED : EXIT_NOT_RUNNING;
    json_decref(status);
    json_decref(request);
    client_close(client);
    return result;
}

enum exits cmd_completion(const struct options *options)
{
    const char *what = options->count > 0 ? options->arguments[0] : "";
    if (strcmp(what, "cameras") == 0)
        return print_cameras(options);
    if (strcmp(what, "bash") == 0) {
        print_script();
        return EXIT_DONE;
    }
    fprintf(stderr, "camring: completion: bash is the only shell; camring completion bash\n");
    return EXIT_USAGE;
}
