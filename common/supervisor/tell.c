#include "tell.h"

#include <string.h>

void tell_answer(const struct options *options, json_t *answer)
{
    if (options->json && answer) {
        json_dumpf(answer, stdout, JSON_COMPACT);
        printf("\n");
    }
    json_decref(answer);
}

void tell_error(const struct options *options, const char *text)
{
    fprintf(stderr, "camring: %s\n", text);
    tell_answer(options, json_pack("{s:s}", "error", text));
}

json_t *tell_lines(char *text)
{
    json_t *lines = json_array();
    for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
        if (*line)
            json_array_append_new(lines, json_string(line));
    return lines;
}

void tell_faults(const struct options *options, char *text)
{
    fputs(text ? text : "camring: out of memory\n", stderr);
    tell_answer(options,
                json_pack("{s:b, s:o}", "ok", 0, "faults", text ? tell_lines(text) : json_array()));
}
