#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_in_place(struct output *output, struct error *err)
{
    output->file = fopen(output->path, "wbe");
    if (output->file)
        return 0;
    error_set(err, errno, "can't write %s: %s", output->path, strerror(errno));
    return -1;
}

static int open_temporary(struct output *output, struct error *err)
{
    if (asprintf(&output->temporary, "%s.XXXXXX", output->path) < 0) {
        output->temporary = NULL;
        error_set(err, ENOMEM, "out of memory");
        return -1;
    }
    int fd = mkostemp(output->temporary, O_CLOEXEC);
    output->file = fd >= 0 ? fdopen(fd, "wb") : NULL;
    if (output->file) {
        mode_t mask = umask(0);
        umask(mask);
        fchmod(fd, 0666 & ~mask); /* mkostemp makes files for the owner alone */
        return 0;
    }
    error_set(err, errno, "can't write %s: %s", output->path, strerror(errno));
    if (fd >= 0) {
        unlink(output->temporary);
        close(fd);
    }
    free(output->temporary);
    output->temporary = NULL;
    return -1;
}

static void output_clear(struct output *output)
{
    free(output->temporary);
    free(output->path);
    *output = (struct output){0};
}

int output_open(struct output *output, const char *path, struct error *err)
{
    *output = (struct output){0};
    if (strcmp(path, "-") == 0) {
        output->file = stdout;
        return 0;
    }
    struct stat st;
    bool exists = stat(path, &st) == 0;
    output->path = exists ? realpath(path, NULL) : strdup(path);
    if (!output->path) {
        error_set(err, errno, "can't write %s: %s", path, strerror(errno));
        return -1;
    }
    int result =
        exists && !S_ISREG(st.st_mode) ? open_in_place(output, err) : open_temporary(output, err);
    if (result < 0)
        output_clear(output);
    return result;
}

int output_finish(struct output *output, struct error *err)
{
    const char *name = output->path ? output->path : "standard output";
    bool good = fflush(output->file) == 0 && !ferror(output->file);
    if (output->file != stdout)
        good &= fclose(output->file) == 0;
    output->file = NULL;
    if (good && output->temporary)
        good = rename(output->temporary, output->path) == 0;
    if (!good) {
        error_set(err, errno, "can't write %s: %s", name, strerror(errno));
        if (output->temporary)
            unlink(output->temporary);
    }
    output_clear(output);
    return good ? 0 : -1;
}

void output_abandon(struct output *output)
{
    if (output->file && output->file != stdout)
        fclose(output->file);
    if (output->temporary)
        unlink(output->temporary);
    output_clear(output);
}
