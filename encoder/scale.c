/* DESIGN
 *
 * What swscale prepares for a pair of sizes costs as much as many pictures, and is the same for all
 * cameras of a size: it is kept, for the pairs used last.  Range and matrix stay what they are, so
 * that what knows about colours (common/jpeg.c) does so for small pictures as for large ones. */
#include "scale.h"

#include <errno.h>
#include <libavutil/log.h>
#include <libswscale/swscale.h>
#include <stdbool.h>
#include <stdlib.h>

#define PLANS 16

struct plan {
    uint32_t format, width, height, to_width, to_height;
    uint64_t used; /* when, in pictures */
    struct SwsContext *sws;
};

struct scale {
    uint64_t pictures;
    struct plan plans[PLANS];
};

struct scale *scale_create(void)
{
    av_log_set_level(AV_LOG_QUIET); /* failures are reported by err */
    return calloc(1, sizeof(struct scale));
}

void scale_destroy(struct scale *scale)
{
    for (unsigned i = 0; scale && i < PLANS; i++)
        sws_freeContext(scale->plans[i].sws);
    free(scale);
}

static enum AVPixelFormat scale_pixel_format(uint32_t format)
{
    return format == RING_I420   ? AV_PIX_FMT_YUV420P
           : format == RING_I422 ? AV_PIX_FMT_YUV422P
                                 : AV_PIX_FMT_YUV444P;
}

/* The mean of the pixels that fall into one costs a third of a cubic filter, and from four pixels
 * on there is no visible difference. */
static int choose_filter(const struct plan *plan)
{
    return plan->width >= 2 * plan->to_width && plan->height >= 2 * plan->to_height ? SWS_AREA
                                                                                    : SWS_BICUBIC;
}

static bool prepare_plan(struct plan *plan)
{
    sws_freeContext(plan->sws);
    plan->sws = sws_getContext(
        (int)plan->width, (int)plan->height, scale_pixel_format(plan->format), (int)plan->to_width,
        (int)plan->to_height, AV_PIX_FMT_YUV420P, choose_filter(plan), NULL, NULL, NULL);
    const int *table = sws_getCoefficients(SWS_CS_ITU601);
    return plan->sws &&
           sws_setColorspaceDetails(plan->sws, table, 0, table, 0, 0, 1 << 16, 1 << 16) >= 0;
}

/* The plan for these sizes, made in the place of the one not used for longest if there is none;
 * NULL: it can't be. */
static struct plan *find_plan(struct scale *scale, const struct image_planes *in, uint32_t width,
                              uint32_t height)
{
    struct plan *oldest = &scale->plans[0];
    scale->pictures++;
    for (struct plan *plan = scale->plans; plan < scale->plans + PLANS; plan++) {
        if (plan->sws && plan->format == in->format && plan->width == in->width &&
            plan->height == in->height && plan->to_width == width && plan->to_height == height) {
            plan->used = scale->pictures;
            return plan;
        }
        if (plan->used < oldest->used)
            oldest = plan;
    }
    *oldest = (struct plan){.format = in->format,
                            .width = in->width,
                            .height = in->height,
                            .to_width = width,
                            .to_height = height,
                            .used = scale->pictures,
                            .sws = oldest->sws};
    if (prepare_plan(oldest))
        return oldest;
    sws_freeContext(oldest->sws);
    *oldest = (struct plan){0};
    return NULL;
}

int scale_picture(struct scale *scale, const struct image_planes *in, uint32_t width,
                  uint32_t height, struct image_planes *out, struct error *err)
{
    const uint8_t *from[4] = {in->plane[0], in->plane[1], in->plane[2], NULL};
    const int from_stride[4] = {(int)in->stride[0], (int)in->stride[1], (int)in->stride[2], 0};
    if (image_planes_alloc(out, RING_I420, width, height, err) < 0)
        return -1;
    out->range = in->range;
    out->matrix = in->matrix;
    uint8_t *to[4] = {out->plane[0], out->plane[1], out->plane[2], NULL};
    const int to_stride[4] = {(int)out->stride[0], (int)out->stride[1], (int)out->stride[2], 0};
    struct plan *plan = find_plan(scale, in, width, height);
    if (plan &&
        sws_scale(plan->sws, from, from_stride, 0, (int)in->height, to, to_stride) == (int)height)
        return 0;
    error_set(err, EINVAL, "swscale can't make %ux%u of %s %ux%u", width, height,
              ring_format_name(in->format), in->width, in->height);
    return -1;
}
