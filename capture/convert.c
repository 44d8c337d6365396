#include "convert.h"

#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <stdlib.h>

struct convert {
    struct SwsContext *sws;
    int width, height, format, full, matrix; /* what it was made for */
};

struct convert *convert_create(void)
{
    return calloc(1, sizeof(struct convert));
}

void convert_destroy(struct convert *convert)
{
    if (!convert)
        return;
    sws_freeContext(convert->sws);
    free(convert);
}

static bool is_rgb(enum AVPixelFormat format)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(format);
    return d && (d->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL));
}

uint32_t convert_format(enum AVPixelFormat format)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(format);
    if (!d || (d->flags & AV_PIX_FMT_FLAG_HWACCEL) || !sws_isSupportedInput(format))
        return 0;
    if (d->nb_components < 3 && !is_rgb(format))
        return RING_I420; /* grey */
    if (d->log2_chroma_h == 0)
        return d->log2_chroma_w == 0 ? RING_I444 : RING_I422;
    return d->log2_chroma_w == 0 ? RING_I444 : RING_I420;
}

static enum AVPixelFormat target_format(uint32_t format)
{
    return format == RING_I444   ? AV_PIX_FMT_YUV444P
           : format == RING_I422 ? AV_PIX_FMT_YUV422P
                                 : AV_PIX_FMT_YUV420P;
}

/* RGB is converted to JPEG's range and matrix; any other picture keeps its own, which the encoder
 * converts. */
static bool prepare_scaler(struct convert *convert, const AVFrame *picture, uint32_t to,
                           const struct ring_frame *frame)
{
    int full = frame->range == RING_RANGE_FULL;
    if (convert->sws && convert->width == picture->width && convert->height == picture->height &&
        convert->format == picture->format && convert->full == full &&
        convert->matrix == frame->matrix)
        return true;
    sws_freeContext(convert->sws);
    convert->sws = sws_getContext(
        picture->width, picture->height, picture->format, picture->width, picture->height,
        target_format(to), SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP, NULL, NULL, NULL);
    if (!convert->sws)
        return false;
    convert->width = picture->width;
    convert->height = picture->height;
    convert->format = picture->format;
    convert->full = full;
    convert->matrix = frame->matrix;
    const int *table =
        sws_getCoefficients(frame->matrix == RING_MATRIX_BT709 ? SWS_CS_ITU709 : SWS_CS_ITU601);
    sws_setColorspaceDetails(convert->sws, table, full, table, full, 0, 1 << 16, 1 << 16);
    return true;
}

bool convert_picture(struct convert *convert, const AVFrame *picture,
                     const struct publish_layout *layout, uint8_t *data, struct ring_frame *frame)
{
    if (is_rgb(picture->format)) {
        frame->range = RING_RANGE_FULL;
        frame->matrix = RING_MATRIX_BT601;
    }
    if (!prepare_scaler(convert, picture, layout->format, frame))
        return false;
    uint8_t *planes[RING_PLANES];
    int strides[RING_PLANES];
    for (unsigned i = 0; i < RING_PLANES; i++) {
        planes[i] = data + layout->offset[i];
        strides[i] = (int)layout->stride[i];
    }
    return sws_scale(convert->sws, (const uint8_t *const *)picture->data, picture->linesize, 0,
                     picture->height, planes, strides) == picture->height;
}
