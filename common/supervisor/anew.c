#include "anew.h"

#include "activation.h"
#include "settings.h"
#include "tell.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void anew_open(struct anew *anew, const struct options *options)
{
    ssize_t length = readlink("/proc/self/exe", anew->program, sizeof anew->program - 1);
    anew->program[length > 0 ? length : 0] = '\0';
    anew->options = options;
}

json_t *anew_check(const struct anew *anew)
{
    char path[PATH_MAX], *text = NULL;
    size_t size = 0;
    if (anew->options->config && strcmp(anew->options->config, "-") == 0)
        return json_pack("{s:s}", "error",
                         "the configuration came from standard input and can't be read again");
    FILE *faults = anew->program[0] ? open_memstream(&text, &size) : NULL;
    if (!faults)
        return json_pack("{s:s}", "error", "out of memory, or /proc is missing");
    struct conf *conf = settings_load(anew->options, path, faults);
    fclose(faults);
    json_t *answer = conf ? json_pack("{s:b}", "ok", 1)
                          : json_pack("{s:b, s:o}", "ok", 0, "faults", tell_lines(text));
    conf_free(conf);
    free(text);
    return answer;
}

void anew_go(const struct anew *anew, const struct listen_set *listen)
{
    if (listen->given && activation_pass_on(listen) != 0)
        fprintf(stderr, "camring: cannot keep the sockets that a service manager gave: %s\n",
                strerror(errno));
    else if (execv(anew->program, anew->options->argv) != 0)
        fprintf(stderr, "camring: cannot begin anew: %s: %s\n", anew->program, strerror(errno));
}
