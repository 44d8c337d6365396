#include "command.h"

enum exits cmd_version(const struct options *options)
{
    printf(options->json ? "{\"version\": \"%s\"}\n" : "camring %s\n", CAMRING_VERSION);
    return EXIT_DONE;
}
