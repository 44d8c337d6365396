#include "image.h"

#include <errno.h>
#include <libswscale/swscale.h>

static int round_even(uint32_t size)
{
    return (int)((size + 1) / 2 * 2);
}

static enum AVPixelFormat image_pixel_format(uint32_t format)
{
    return format == RING_I420   ? AV_PIX_FMT_YUV420P
           : format == RING_I422 ? AV_PIX_FMT_YUV422P
                                 : AV_PIX_FMT_YUV444P;
}

int image_rgb_convert(struct image_rgb *rgb, const struct image_planes *planes, struct error *err)
{
    /* swscale stretches the chroma of odd sizes to fit; with one more column and row, which lie in
     * the padding, it has no need to */
    int width = round_even(planes->width), height = round_even(planes->height);
    if (image_rgb_alloc(rgb, planes->width, planes->height, err) < 0)
        return -1;
    struct SwsContext *sws = sws_getContext(
        width, height, image_pixel_format(planes->format), width, height, AV_PIX_FMT_RGB24,
        SWS_BICUBIC | SWS_FULL_CHR_H_INT | SWS_ACCURATE_RND, NULL, NULL, NULL);
    const int *table =
        sws_getCoefficients(planes->matrix == RING_MATRIX_BT709 ? SWS_CS_ITU709 : SWS_CS_ITU601);
    int done = -1;
    if (sws && sws_setColorspaceDetails(sws, table, planes->range == RING_RANGE_FULL, table, 1, 0,
                                        1 << 16, 1 << 16) >= 0) {
        const uint8_t *in[4] = {planes->plane[0], planes->plane[1], planes->plane[2], NULL};
        const int in_stride[4] = {(int)planes->stride[0], (int)planes->stride[1],
                                  (int)planes->stride[2], 0};
        uint8_t *out[4] = {rgb->data, NULL, NULL, NULL};
        const int out_stride[4] = {(int)rgb->stride, 0, 0, 0};
        done = sws_scale(sws, in, in_stride, 0, height, out, out_stride);
    }
    sws_freeContext(sws);
    if (done == height)
        return 0;
    error_set(err, EINVAL, "swscale can't convert %s %dx%d", ring_format_name(planes->format),
              (int)planes->width, (int)planes->height);
    return -1;
}
