#include "command.h"

enum exits cmd_version(const struct options *options)
{
    (void)options;
    printf("camring %s\n", CAMRING_VERSION);
    return EXIT_DONE;
}
