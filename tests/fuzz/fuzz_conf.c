/* Configuration files. */
#include "common/conf_private.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* exactly as long, so that reading beyond its end is found */
    char *faults = NULL, *text = malloc(size ? size : 1);
    size_t length = 0;
    FILE *out = open_memstream(&faults, &length);
    if (!text || !out)
        abort();
    memcpy(text, data, size);
    struct conf *conf = conf_parse(text, size, "fuzz.yaml", out);
    fclose(out);
    if (!conf != (length > 0)) /* either it is right, or it is said what is wrong */
        abort();
    if (conf && (!memchr(conf->instance, '\0', sizeof conf->instance) ||
                 conf->camera_count > CONF_MAX_CAMERAS))
        abort();
    conf_free(conf);
    free(faults);
    free(text);
    return 0;
}
