/* URLs.  The first two bytes of an input say how much room the result gets; a line break ends the
 * URL, what follows is a text to be scrubbed of its secrets. */
#include "common/url.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *copy_text(const uint8_t *bytes, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        abort();
    memcpy(text, bytes, size);
    text[size] = '\0';
    return text;
}

static void check_ended(const char *text, size_t size)
{
    if (!memchr(text, '\0', size))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const keys[] = {"password", "loop", "", "a&b"};
    if (size < 2)
        return -1;
    size_t room = 1 + (data[0] | data[1] << 8) % 4096;
    const uint8_t *start = data + 2, *end = memchr(start, '\n', size - 2);
    size_t length = end ? (size_t)(end - start) : size - 2;
    char *url = copy_text(start, length), *out = malloc(room);
    char *text = end ? copy_text(end + 1, size - 3 - length) : copy_text(start, length);
    if (!out)
        abort();

    url_redact(url, out, room);
    check_ended(out, room);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (url_query(url, keys[i], out, room))
            check_ended(out, room);
    if (url_scheme_length(url) > strlen(url))
        abort();
    url_path(url, out, room);
    check_ended(out, room);
    url_scrub(url, text);
    free(url);
    free(out);
    free(text);
    return 0;
}
