#include "reexec.h"

#include "settings.h"
#include "tell.h"

#include "common/supervisor/listening/activation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void reexec_open(struct reexec *reexec, const struct options *options)
{
    ssize_t length = readlink("/proc/self/exe", reexec->program, sizeof reexec->program - 1);
    reexec->program[length > 0 ? length : 0] = '\0';
    reexec->options = options;
}

json_t *reexec_check(const struct reexec *reexec)
{
    char path[PATH_MAX], *text = NULL;
    size_t size = 0;
    if (reexec->options->config && strcmp(reexec->options->config, "-") == 0)
        return json_pack("{s:s}", "error",
                         "the configuration came from standard input and can't be read again");
    FILE *faults = reexec->program[0] ? open_memstream(&text, &size) : NULL;
    if (!faults)
        return json_pack("{s:s}", "error", "out of memory, or /proc is missing");
    struct conf *conf = settings_load(reexec->options, path, faults);
    fclose(faults);
    json_t *answer = conf ? json_pack("{s:b}", "ok", 1)
                          : json_pack("{s:b, s:o}", "ok", 0, "faults", tell_lines(text));
    conf_free(conf);
    free(text);
    return answer;
}

void reexec_run(const struct reexec *reexec, const struct listen_set *listen)
{
    if (listen->given && activation_pass_on(listen) != 0)
        fprintf(stderr, "camring: cannot keep the sockets that a service manager gave: %s\n",
                strerror(errno));
    else if (execv(reexec->program, reexec->options->argv) != 0)
        fprintf(stderr, "camring: cannot begin anew: %s: %s\n", reexec->program, strerror(errno));
}
