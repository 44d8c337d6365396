/* test_source.c: the built-in camera, test:[?size=1280x720&fps=30&static=1].  Colour bars, its
 * name, a clock, a moving bar, and a frame number for machines over the top 32 rows; I420, limited
 * range, BT.601. */
#include "test_source.h"

#include "common/clock.h"
#include "common/draw.h"
#include "common/rate_limit.h"
#include "common/url.h"
#include "publish.h"
#include "source.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_SIDE 64
#define MOST_SIDE 8192
#define NUMBER_ROWS 32
#define BLACK 16
#define WHITE 235
#define NEUTRAL 128
#define LATE_NS NS_PER_S
#define MILLI_NS (1000 * NS_PER_S)

struct test_source {
    struct capture *capture;
    struct publish *publish;
    struct test_source_options options;
    struct publish_layout layout;
    uint8_t *background; /* one picture, laid out like a slot */
    int text_scale;
    int64_t number; /* of the next frame */
    struct rate_limit rate;
};

/* ---- numbers ---- */

static bool parse_size(const char *text, struct test_source_options *options)
{
    unsigned width, height;
    int used = 0;
    if (strlen(text) > 9 || sscanf(text, "%4u%*1[xX]%4u%n", &width, &height, &used) != 2 ||
        text[used] || width < LEAST_SIDE || width > MOST_SIDE || height < LEAST_SIDE ||
        height > MOST_SIDE)
        return false;
    options->width = width;
    options->height = height;
    return true;
}

static bool parse_fps(const char *text, struct test_source_options *options)
{
    char *end;
    double fps = strtod(text, &end);
    if (end == text || *end || !(fps >= 1 && fps <= 1000))
        return false;
    options->fps_milli = (int64_t)(fps * 1000 + 0.5);
    return true;
}

int test_source_parse(const char *url, struct test_source_options *options, struct error *err)
{
    char path[64], value[32];
    *options = (struct test_source_options){.width = 1280, .height = 720, .fps_milli = 30000};
    url_path(url, path, sizeof path);
    if (path[0]) {
        error_set(err, EINVAL, "test: takes no path, only ?size=, fps= and static=");
        return -1;
    }
    if (url_query(url, "size", value, sizeof value) && !parse_size(value, options)) {
        error_set(err, EINVAL, "test: size must be WIDTHxHEIGHT, %d to %d each, not \"%s\"",
                  LEAST_SIDE, MOST_SIDE, value);
        return -1;
    }
    if (url_query(url, "fps", value, sizeof value) && !parse_fps(value, options)) {
        error_set(err, EINVAL, "test: fps must be 1 to 1000, not \"%s\"", value);
        return -1;
    }
    if (url_query(url, "static", value, sizeof value)) {
        options->is_static = strcmp(value, "1") == 0;
        if (!options->is_static && strcmp(value, "0") != 0) {
            error_set(err, EINVAL, "test: static must be 0 or 1, not \"%s\"", value);
            return -1;
        }
    }
    return 0;
}

/* In two parts, so that nothing overflows. */
int64_t test_source_due(int64_t number, int64_t fps_milli)
{
    return number / fps_milli * MILLI_NS +
           (number % fps_milli * MILLI_NS + fps_milli - 1) / fps_milli;
}

int64_t test_source_number(int64_t now, int64_t fps_milli)
{
    int64_t whole = now / NS_PER_S * fps_milli, rest = now % NS_PER_S * fps_milli / NS_PER_S;
    int64_t number = whole / 1000 + (whole % 1000 + rest) / 1000;
    return test_source_due(number + 1, fps_milli) <= now ? number + 1 : number;
}

/* ---- drawing ---- */

static struct draw_plane plane_of(const struct test_source *test, uint8_t *picture, unsigned plane)
{
    return (struct draw_plane){
        .data = picture + test->layout.offset[plane],
        .stride = test->layout.stride[plane],
        .width = ring_plane_width(RING_I420, plane, test->options.width),
        .height = ring_plane_height(RING_I420, plane, test->options.height),
    };
}

static int text_line(const struct test_source *test, int line)
{
    return NUMBER_ROWS + (3 + 10 * line) * test->text_scale;
}

/* 75 % colour bars below the text; black above, so that the number and the text are grey. */
static void draw_background(const struct test_source *test)
{
    static const uint8_t bars[][RING_PLANES] = {{180, 128, 128}, {162, 44, 142}, {131, 156, 44},
                                                {112, 72, 58},   {84, 184, 198}, {65, 100, 212},
                                                {35, 212, 114},  {16, 128, 128}};
    const int count = sizeof bars / sizeof *bars;
    for (unsigned p = 0; p < RING_PLANES; p++) {
        struct draw_plane plane = plane_of(test, test->background, p);
        int width = (int)plane.width, height = (int)plane.height;
        int top = (text_line(test, 2) + 1) / (p ? 2 : 1);
        draw_fill(&plane, 0, 0, width, height, p ? NEUTRAL : BLACK);
        for (int i = 0; i < count; i++)
            draw_fill(&plane, i * width / count, top, (i + 1) * width / count - i * width / count,
                      height, bars[i][p]);
    }
    struct draw_plane luma = plane_of(test, test->background, 0);
    draw_text(&luma, 2 * test->text_scale, text_line(test, 0), test->text_scale, WHITE,
              test->capture->conf->id);
}

static void draw_clock(const struct test_source *test, const struct draw_plane *luma, int64_t now)
{
    int64_t wall = clock_wall(now);
    time_t seconds = wall / NS_PER_S;
    struct tm local;
    localtime_r(&seconds, &local);
    char text[48];
    size_t used = strftime(text, sizeof text, "%F %T", &local);
    snprintf(text + used, sizeof text - used, ".%03d", (int)(wall % NS_PER_S / NS_PER_MS));
    draw_text(luma, 2 * test->text_scale, text_line(test, 1), test->text_scale, WHITE, text);
}

/* A bar that crosses the picture in two seconds. */
static void draw_bar(const struct test_source *test, const struct draw_plane *luma)
{
    int width = (int)luma->width, top = text_line(test, 2);
    int64_t cycle = test_source_due(test->number, test->options.fps_milli) % (2 * NS_PER_S);
    draw_fill(luma, (int)(cycle * width / (2 * NS_PER_S)), top, width / 40 + 2,
              ((int)luma->height - top) / 2, WHITE);
}

static void draw_picture(const struct test_source *test, uint8_t *picture, int64_t now)
{
    memcpy(picture, test->background, test->layout.bytes);
    struct draw_plane luma = plane_of(test, picture, 0);
    draw_number(&luma, (uint32_t)test->number, BLACK, WHITE);
    if (test->options.is_static)
        return;
    draw_clock(test, &luma, now);
    draw_bar(test, &luma);
}

/* ---- the source ---- */

static void test_close(void *source)
{
    struct test_source *test = source;
    free(test->background);
    free(test);
}

static int choose_text_scale(const struct test_source_options *options)
{
    int by_width = (int)options->width / (6 * 26),
        by_height = ((int)options->height - NUMBER_ROWS) / 60;
    int scale = by_width < by_height ? by_width : by_height;
    return scale > 1 ? scale : 1;
}

static void *test_open(struct capture *capture, struct error *err)
{
    struct test_source *test = calloc(1, sizeof *test);
    error_set(err, ENOMEM, "out of memory");
    if (!test)
        return NULL;
    test->capture = capture;
    if (test_source_parse(capture->conf->source, &test->options, err) < 0)
        goto fail;
    uint32_t width = test->options.width, height = test->options.height;
    test->publish = publish_get(capture, err);
    publish_layout_fill(&test->layout, RING_I420, width, height);
    if (!test->publish || publish_reserve(test->publish, &test->layout, width, height, 1, err) < 0)
        goto fail;
    test->background = calloc(1, test->layout.bytes);
    if (!test->background)
        goto fail;
    test->text_scale = choose_text_scale(&test->options);
    draw_background(test);
    test->rate = rate_limit_of(capture->conf->fps);
    test->number = test_source_number(clock_now(), test->options.fps_milli) + 1;
    return test;
fail:
    test_close(test);
    return NULL;
}

static enum publish_result test_source_publish(struct test_source *test, int64_t due, int64_t now)
{
    struct board_camera *shared = test->capture->shared;
    struct ring_loan loan;
    if (!publish_loan(test->publish, &loan)) {
        board_count(&shared->no_slot, 1);
        return PUBLISH_REFUSED;
    }
    draw_picture(test, loan.data, now);
    struct ring_frame frame = {.camera_ns = due,
                               .captured_ns = now,
                               .started_ns = now,
                               .matrix = RING_MATRIX_BT601,
                               .range = RING_RANGE_LIMITED};
    publish_describe(&test->layout, test->options.width, test->options.height, &frame);
    enum publish_result result = publish_commit(test->publish, &loan, &frame);
    publish_release(test->publish, &loan);
    if (result == PUBLISH_DONE)
        capture_tell_picture(test->capture, test->options.width, test->options.height, "test");
    return result;
}

static enum source_result test_next(void *source, struct error *err)
{
    struct test_source *test = source;
    int64_t fps_milli = test->options.fps_milli;
    int64_t due = test_source_due(test->number, fps_milli);
    if (!capture_wait_until(test->capture, due)) {
        error_set(err, CAPTURE_STOPPED, "stopped");
        return SOURCE_FAILED;
    }
    int64_t now = clock_now();
    if (now - due > LATE_NS) {
        test->number = test_source_number(now, fps_milli);
        due = test_source_due(test->number, fps_milli);
    }
    board_count(&test->capture->shared->packets, 1);
    atomic_store_explicit(&test->capture->shared->packet_ns, now, memory_order_relaxed);
    if (rate_limit_due(&test->rate, due, due) &&
        test_source_publish(test, due, now) == PUBLISH_STOPPED) {
        error_set(err, CAPTURE_STOPPED, "stopped");
        return SOURCE_FAILED;
    }
    test->number++;
    return SOURCE_MORE;
}

const struct source_ops source_test = {.open = test_open, .next = test_next, .close = test_close};
