#include "testcam.h"

#include "common/clock.h"
#include "common/draw.h"

#include <stdlib.h>
#include <string.h>

#define NUMBER_ROWS 32
#define BLOCKS 20
#define BLACK 16
#define WHITE 235
#define BLOCK 8             /* of a JPEG */
#define TOLERANCE (20 * 64) /* of a block's sum */

struct testcam {
    unsigned width, height, fps;
    unsigned top;       /* the first row below the text */
    uint8_t *planes[3]; /* without number and bar, which are drawn for each picture */
    uint8_t *luma;      /* a picture with both */
};

static unsigned chroma(unsigned side)
{
    return (side + 1) / 2;
}

static struct draw_plane plane_of(uint8_t *data, unsigned width, unsigned height)
{
    return (struct draw_plane){.data = data, .stride = width, .width = width, .height = height};
}

/* The bars below the text: Y, Cb, Cr. */
static void draw_bars(const struct testcam *cam, unsigned p)
{
    static const uint8_t levels[8][3] = {{180, 128, 128}, {162, 44, 142}, {131, 156, 44},
                                         {112, 72, 58},   {84, 184, 198}, {65, 100, 212},
                                         {35, 212, 114},  {16, 128, 128}};
    int width = (int)(p ? chroma(cam->width) : cam->width),
        height = (int)(p ? chroma(cam->height) : cam->height);
    int top = (int)(cam->top + 1) / (p ? 2 : 1);
    struct draw_plane plane = plane_of(cam->planes[p], (unsigned)width, (unsigned)height);
    draw_fill(&plane, 0, 0, width, height, p ? 128 : BLACK);
    for (int i = 0; i < 8; i++)
        draw_fill(&plane, i * width / 8, top, (i + 1) * width / 8 - i * width / 8, height,
                  levels[i][p]);
}

struct testcam *testcam_create(unsigned width, unsigned height, unsigned fps)
{
    struct testcam *cam = calloc(1, sizeof *cam);
    if (!cam)
        return NULL;
    unsigned by_width = width / (6 * 26), by_height = (height - NUMBER_ROWS) / 60;
    unsigned scale = by_width < by_height ? by_width : by_height;
    *cam = (struct testcam){.width = width,
                            .height = height,
                            .fps = fps,
                            .top = NUMBER_ROWS + 23 * (scale > 1 ? scale : 1)};
    cam->luma = calloc(width, height);
    for (unsigned p = 0; p < 3; p++)
        cam->planes[p] = p ? calloc(chroma(width), chroma(height)) : calloc(width, height);
    if (!cam->luma || !cam->planes[0] || !cam->planes[1] || !cam->planes[2]) {
        testcam_destroy(cam);
        return NULL;
    }
    for (unsigned p = 0; p < 3; p++)
        draw_bars(cam, p);
    return cam;
}

void testcam_destroy(struct testcam *cam)
{
    for (unsigned p = 0; p < 3; p++)
        free(cam->planes[p]);
    free(cam->luma);
    free(cam);
}

/* ---- numbers ---- */

int64_t testcam_number(const struct testcam *cam, int64_t ns)
{
    return ns / NS_PER_S * cam->fps + ns % NS_PER_S * cam->fps / NS_PER_S;
}

int64_t testcam_unwrap(uint16_t code, int64_t about)
{
    return about + (int16_t)(code - (uint16_t)about);
}

bool testcam_read_code(const struct testcam *cam, const uint8_t *luma, size_t stride,
                       uint16_t *code)
{
    uint32_t bits = 0;
    for (unsigned block = 0; block < BLOCKS; block++) {
        unsigned x = (2 * block + 1) * cam->width / (2 * BLOCKS);
        for (unsigned row = 4; row < NUMBER_ROWS - 4; row++) {
            uint8_t level = luma[row * stride + x];
            if ((level > 127) != (luma[4 * stride + x] > 127) || (level > 77 && level < 177))
                return false;
        }
        bits |= (uint32_t)(luma[4 * stride + x] > 127) << block;
    }
    *code = bits & 0xffff;
    return bits >> 16 == *code % 13u + 1;
}

/* ---- pictures ---- */

static void draw(struct testcam *cam, int64_t number)
{
    int width = (int)cam->width, top = (int)cam->top;
    struct draw_plane plane = plane_of(cam->luma, cam->width, cam->height);
    memcpy(cam->luma, cam->planes[0], (size_t)cam->width * cam->height);
    draw_number(&plane, (uint32_t)number, BLACK, WHITE);
    /* when it is due */
    int64_t fps = cam->fps,
            due = number / fps * NS_PER_S + (number % fps * NS_PER_S + fps - 1) / fps;
    int64_t cycle = due % (2 * NS_PER_S); /* once across in two seconds */
    draw_fill(&plane, (int)(cycle * width / (2 * NS_PER_S)), top, width / 40 + 2,
              ((int)cam->height - top) / 2, WHITE);
}

static bool rows_equal(const uint8_t *a, size_t a_stride, const uint8_t *b, size_t b_stride,
                       unsigned width, unsigned from, unsigned to)
{
    for (unsigned row = from; row < to; row++)
        if (memcmp(a + row * a_stride, b + row * b_stride, width) != 0)
            return false;
    return true;
}

bool testcam_check(struct testcam *cam, int64_t number, const uint8_t *const planes[3],
                   const uint32_t strides[3])
{
    draw(cam, number);
    unsigned width = cam->width, height = cam->height;
    return rows_equal(planes[0], strides[0], cam->luma, width, width, 0, NUMBER_ROWS) &&
           rows_equal(planes[0], strides[0], cam->luma, width, width, cam->top, height) &&
           rows_equal(planes[1], strides[1], cam->planes[1], chroma(width), chroma(width), 0,
                      chroma(height)) &&
           rows_equal(planes[2], strides[2], cam->planes[2], chroma(width), chroma(width), 0,
                      chroma(height));
}

static int block_sum(const uint8_t *luma, unsigned stride, unsigned x, unsigned y)
{
    int sum = 0;
    for (unsigned row = y; row < y + BLOCK; row++)
        for (unsigned column = x; column < x + BLOCK; column++)
            sum += luma[(size_t)row * stride + column];
    return sum;
}

bool testcam_check_jpeg(struct testcam *cam, int64_t number, const uint8_t *luma)
{
    draw(cam, number);
    for (unsigned y = 0; y + BLOCK <= cam->height; y += BLOCK) {
        if (y + BLOCK > NUMBER_ROWS && y < cam->top)
            continue; /* the clock */
        for (unsigned x = 0; x + BLOCK <= cam->width; x += BLOCK) {
            int wanted = (block_sum(cam->luma, cam->width, x, y) - BLACK * BLOCK * BLOCK) * 255 /
                         (WHITE - BLACK);
            if (abs(block_sum(luma, cam->width, x, y) - wanted) > TOLERANCE)
                return false;
        }
    }
    return true;
}
