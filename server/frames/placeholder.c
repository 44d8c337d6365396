#include "server/frames/placeholder.h"

#include "common/clock.h"
#include "common/draw.h"
#include "common/jpeg.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEFAULT_WIDTH 640
#define DEFAULT_HEIGHT 360
#define MIN_SIDE 16
#define MAX_SIDE 1920 /* larger pictures would take the event loop too long to draw */
#define QUALITY 75
#define LINES 4
#define LINE_SIZE 320
#define ROWS 6 /* the third line may take three */

enum shade { SHADE_BACK = 28, SHADE_BAND = 44, SHADE_TEXT = 200, SHADE_TITLE = 245 };

/* Everything that is drawn; two pictures with equal content are the same. */
struct content {
    uint32_t width, height;
    char line[LINES][LINE_SIZE]; /* camera, title, why, since */
};

struct placeholder {
    struct jpeg_encoder *encoder;
    struct content content; /* of `picture` */
    struct picture *picture;
};

struct placeholder *placeholder_create(void)
{
    tzset();
    struct placeholder *placeholder = calloc(1, sizeof *placeholder);
    if (!placeholder)
        return NULL;
    placeholder->encoder = jpeg_encoder_create();
    if (!placeholder->encoder) {
        free(placeholder);
        return NULL;
    }
    return placeholder;
}

void placeholder_destroy(struct placeholder *placeholder)
{
    picture_release(placeholder->picture);
    jpeg_encoder_destroy(placeholder->encoder);
    free(placeholder);
}

static uint32_t clamp_side(uint64_t side)
{
    return side < MIN_SIDE ? MIN_SIDE : side > MAX_SIDE ? MAX_SIDE : (uint32_t)side;
}

static void choose_picture_size(const struct camera *camera, struct variant variant,
                                struct content *content)
{
    bool known = camera->width > 0 && camera->height > 0;
    uint32_t scaled_width, scaled_height;
    variant_size(variant, known ? camera->width : DEFAULT_WIDTH,
                 known ? camera->height : DEFAULT_HEIGHT, &scaled_width, &scaled_height);
    uint64_t width = scaled_width, height = scaled_height;
    uint64_t longer = width > height ? width : height;
    if (longer > MAX_SIDE) {
        width = width * MAX_SIDE / longer;
        height = height * MAX_SIDE / longer;
    }
    content->width = clamp_side(width);
    content->height = clamp_side(height);
}

static void placeholder_describe(const struct camera *camera, struct variant variant,
                                 int64_t since_ns, struct content *content)
{
    time_t seconds = clock_wall(since_ns) / NS_PER_S;
    struct tm local;
    char when[64];
    memset(content, 0, sizeof *content); /* compared as a whole */
    choose_picture_size(camera, variant, content);
    localtime_r(&seconds, &local);
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S %Z", &local);
    snprintf(content->line[0], LINE_SIZE, "%s", camera->id);
    snprintf(content->line[1], LINE_SIZE, "NO SIGNAL");
    if (camera->why[0])
        snprintf(content->line[2], LINE_SIZE, "%s", camera->why);
    else
        snprintf(content->line[2], LINE_SIZE, "%s",
                 camera->state == CAMERA_LIVE ? "no pictures come"
                                              : camera_state_name(camera->state));
    snprintf(content->line[3], LINE_SIZE, "since %s", when);
}

/* One line as it is drawn. */
struct row {
    char text[LINE_SIZE];
    int scale;
    uint8_t shade;
};

struct layout {
    struct row row[ROWS];
    int rows, height;
};

/* The largest scale, up to `scale`, at which `text` fits into `width`. */
static int largest_scale(const char *text, int scale, int width)
{
    while (scale > 1 && draw_text_width(text, scale) > width)
        scale--;
    return scale;
}

static int row_height(const struct row *row)
{
    return 12 * row->scale;
}

static void layout_add_row(struct layout *layout, const char *text, int length, int scale,
                           uint8_t shade)
{
    if (layout->rows == ROWS)
        return;
    struct row *row = &layout->row[layout->rows++];
    snprintf(row->text, sizeof row->text, "%.*s", length, text);
    row->scale = scale;
    row->shade = shade;
    layout->height += row_height(row);
}

/* Adds `text` in as many rows as it needs, at most three, broken at spaces where possible. */
static void add_wrapped(struct layout *layout, const char *text, int scale, int width)
{
    int columns = width / draw_text_width(" ", scale);
    if (columns < 1)
        columns = 1;
    for (int n = 0; n < 3 && *text; n++) {
        int cut = (int)strlen(text);
        if (cut > columns) {
            cut = columns;
            while (cut > columns / 2 && text[cut] != ' ')
                cut--;
            if (text[cut] != ' ')
                cut = columns;
        }
        layout_add_row(layout, text, cut, scale, SHADE_TEXT);
        text += cut;
        text += strspn(text, " ");
    }
}

static void lay_out(struct layout *layout, const struct content *content, int scale)
{
    int width = (int)content->width * 9 / 10;
    layout->rows = layout->height = 0;
    layout_add_row(layout, content->line[1], LINE_SIZE,
                   largest_scale(content->line[1], scale * 2, width), SHADE_TITLE);
    layout_add_row(layout, content->line[0], LINE_SIZE,
                   largest_scale(content->line[0], scale * 3 / 2, width), SHADE_TITLE);
    add_wrapped(layout, content->line[2], scale, width);
    layout_add_row(layout, content->line[3], LINE_SIZE,
                   largest_scale(content->line[3], scale, width), SHADE_TEXT);
}

static void draw_content(const struct draw_plane *plane, const struct content *content)
{
    struct layout layout;
    int width = (int)plane->width, height = (int)plane->height, scale = (height + 199) / 200;
    lay_out(&layout, content, scale);
    while (scale > 1 && layout.height > height * 9 / 10)
        lay_out(&layout, content, --scale);
    int y = (height - layout.height) / 2, margin = 6 * scale;
    draw_fill(plane, 0, 0, width, height, SHADE_BACK);
    draw_fill(plane, 0, y - 2 * margin, width, layout.height + 3 * margin, SHADE_BAND);
    for (int i = 0; i < layout.rows; i++) {
        const struct row *row = &layout.row[i];
        draw_text(plane, (width - draw_text_width(row->text, row->scale)) / 2, y, row->scale,
                  row->shade, row->text);
        y += row_height(row);
    }
}

static size_t encode_content(struct placeholder *placeholder, const struct content *content,
                             struct ring_buffer *out, struct error *err)
{
    uint32_t half_width = ring_plane_width(RING_I420, 1, content->width),
             half_height = ring_plane_height(RING_I420, 1, content->height);
    size_t luma = (size_t)content->width * content->height,
           chroma = (size_t)half_width * half_height;
    size_t capacity = jpeg_bound(RING_I420, content->width, content->height), length = 0;
    uint8_t *raw = malloc(luma + 2 * chroma), *jpeg = malloc(capacity);
    struct ring_frame frame = {
        .bytes = (uint32_t)(luma + 2 * chroma),
        .format = RING_I420,
        .width = content->width,
        .height = content->height,
        .offset = {0, (uint32_t)luma, (uint32_t)(luma + chroma)},
        .stride = {content->width, half_width, half_width},
        .range = RING_RANGE_FULL,
    };
    error_set(err, 0, "out of memory");
    if (!raw || !jpeg)
        goto out;
    memset(raw + luma, 128, 2 * chroma);
    draw_content(&(struct draw_plane){.data = raw,
                                      .stride = content->width,
                                      .width = content->width,
                                      .height = content->height},
                 content);
    length = jpeg_encode(placeholder->encoder, &frame, raw, QUALITY, jpeg, capacity, err);
    if (length > out->size) {
        uint8_t *grown = realloc(out->data, length);
        if (!grown)
            length = 0;
        else
            *out = (struct ring_buffer){.data = grown, .size = length};
    }
    if (length > 0)
        memcpy(out->data, jpeg, length);
out:
    free(raw);
    free(jpeg);
    return length;
}

static struct picture *placeholder_make(struct placeholder *placeholder,
                                        const struct content *content)
{
    struct error err;
    struct picture *picture = picture_create();
    if (!picture)
        return NULL;
    size_t length = encode_content(placeholder, content, &picture->buffer, &err);
    if (length == 0) {
        log_error("can't draw a placeholder: %s", err.text);
        picture_release(picture);
        return NULL;
    }
    int64_t now = clock_now();
    picture->frame = (struct ring_frame){
        .bytes = (uint32_t)length,
        .format = RING_FORMAT_JPEG,
        .width = content->width,
        .height = content->height,
        .camera_ns = -1,
        .captured_ns = now,
        .started_ns = now,
        .committed_ns = now,
    };
    return picture;
}

struct picture *placeholder_picture(struct placeholder *placeholder, const struct camera *camera,
                                    struct variant variant, int64_t since_ns)
{
    struct content content;
    placeholder_describe(camera, variant, since_ns, &content);
    if (!placeholder->picture || memcmp(&content, &placeholder->content, sizeof content) != 0) {
        picture_release(placeholder->picture);
        placeholder->content = content;
        placeholder->picture = placeholder_make(placeholder, &content);
    }
    if (!placeholder->picture)
        return NULL;
    placeholder->picture->wall_ns = clock_read_ns(CLOCK_REALTIME); /* it shows the present state */
    return picture_acquire(placeholder->picture);
}
