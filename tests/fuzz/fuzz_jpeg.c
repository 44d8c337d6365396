/* JPEGs: looking into them, and decoding those that are not too large for that to be quick. */
#include "common/jpeg.h"
#include "common/jpeg_decode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#define PIXELS_MOST (128u * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* True if the first frame header there is says so; jpeg_inspect may well refuse what libjpeg takes.
 */
static bool is_small(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i + 9 < size; i++)
        if (data[i] == 0xff && data[i + 1] >= 0xc0 && data[i + 1] <= 0xcf && data[i + 1] != 0xc4 &&
            data[i + 1] != 0xc8 && data[i + 1] != 0xcc) {
            unsigned height = (unsigned)data[i + 5] << 8 | data[i + 6],
                     width = (unsigned)data[i + 7] << 8 | data[i + 8];
            if ((uint64_t)height * width > PIXELS_MOST)
                return false;
        }
    return true;
}

static void decode(const uint8_t *data, size_t size)
{
    struct image_rgb rgb = {0};
    struct image_planes planes = {0}; /* filled again and again, as an encoder does */
    struct error err = {0};
    bool damaged;
    static const uint32_t least_widths[] = {0, 160, 40, 7, 1};
    if (jpeg_decode_rgb(&rgb, data, size, &damaged, &err) < 0 && !err.text[0])
        abort();
    for (size_t i = 0; i < sizeof least_widths / sizeof *least_widths; i++) {
        err.text[0] = '\0';
        if (jpeg_decode_planes(&planes, data, size, least_widths[i], &damaged, &err) < 0 &&
            !err.text[0])
            abort();
    }
    image_rgb_free(&rgb);
    image_planes_free(&planes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct jpeg_info info;
    bool whole = jpeg_inspect(data, size, &info);
    if (whole && (info.length > size || info.tables_at < 2 || info.tables_at > info.length ||
                  info.width == 0 || info.height == 0))
        abort();
    if (is_small(data, size))
        decode(data, size);
    return 0;
}
