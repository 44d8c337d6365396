/* image_write.c: the file formats. */
#include "image.h"

#include <errno.h>
#include <inttypes.h>
#include <png.h>
#include <string.h>

static int write_lines(const uint8_t *data, size_t stride, size_t width, size_t height, FILE *out,
                       struct error *err)
{
    for (size_t y = 0; y < height; y++) {
        if (fwrite(data + y * stride, 1, width, out) != width) {
            error_set(err, errno, "%s", strerror(errno));
            return -1;
        }
    }
    return 0;
}

int image_write_planes(const struct image_planes *planes, FILE *out, struct error *err)
{
    for (unsigned i = 0; i < RING_PLANES; i++) {
        uint32_t width = ring_plane_width(planes->format, i, planes->width);
        uint32_t height = ring_plane_height(planes->format, i, planes->height);
        if (write_lines(planes->plane[i], planes->stride[i], width, height, out, err) < 0)
            return -1;
    }
    return 0;
}

int image_write_ppm(const struct image_rgb *rgb, FILE *out, struct error *err)
{
    if (fprintf(out, "P6\n%" PRIu32 " %" PRIu32 "\n255\n", rgb->width, rgb->height) < 0) {
        error_set(err, errno, "%s", strerror(errno));
        return -1;
    }
    return write_lines(rgb->data, rgb->stride, (size_t)rgb->width * 3, rgb->height, out, err);
}

int image_write_png(const struct image_rgb *rgb, FILE *out, struct error *err)
{
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = rgb->width,
                       .height = rgb->height,
                       .format = PNG_FORMAT_RGB};
    errno = 0;
    if (png_image_write_to_stdio(&image, out, 0, rgb->data, (png_int_32)rgb->stride, NULL))
        return 0;
    if (ferror(out) && errno != 0) /* libpng only says that it could not write */
        error_set(err, errno, "%s", strerror(errno));
    else
        error_set(err, EIO, "%s", image.message);
    png_image_free(&image);
    return -1;
}
