/* encoder/motion.h on footage of a fixed camera: tests/clips/bottle-detection.mp4, in which hands
 * take bottles away and put them down again. */
#include "encoder/motion.h"

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define CLIP "tests/clips/bottle-detection.mp4"
#define FRAMES 1189

/* What a person sees who looks at every frame.  `shadow`: the first frame in which something is
 * different from before, the shadow that falls ahead; `visible`: the first that shows a part of the
 * bottle; where: columns of the picture through which it comes. */
static const struct entry {
    int64_t shadow, visible;
    uint32_t left, right;
} entries[] = {
    {326, 333, 60, 140},
    {646, 655, 270, 340},
    {806, 813, 0, 40},
    {1023, 1032, 540, 610},
};

/* Frames in which nothing moves and no event goes on: from two seconds and some more after the last
 * movement to the first shadow of a hand or a bottle. */
static const struct rest {
    int64_t first, last;
} rests[] = {{0, 142}, {300, 325}, {630, 645}, {FRAMES - 10, FRAMES - 1}};

struct clip {
    AVFormatContext *format;
    AVCodecContext *codec;
    AVPacket *packet;
    AVFrame *frame;
    int64_t count;
    struct motion *motion;
    int64_t found[sizeof entries / sizeof entries[0]]; /* frame, -1: not yet */
    bool active[FRAMES];                               /* whether an event goes on */
};

static int open_clip(void **state)
{
    static struct clip clip;
    assert_int_equal(avformat_open_input(&clip.format, CLIP, NULL, NULL), 0);
    const AVCodecParameters *parameters = clip.format->streams[0]->codecpar;
    clip.codec = avcodec_alloc_context3(avcodec_find_decoder(parameters->codec_id));
    clip.packet = av_packet_alloc();
    clip.frame = av_frame_alloc();
    clip.motion = motion_create(&(struct motion_settings){.sensitivity = 50}, NULL);
    assert_true(clip.codec && clip.packet && clip.frame && clip.motion);
    assert_true(avcodec_parameters_to_context(clip.codec, parameters) >= 0);
    assert_int_equal(avcodec_open2(clip.codec, NULL, NULL), 0);
    *state = &clip;
    return 0;
}

static int close_clip(void **state)
{
    struct clip *clip = *state;
    motion_destroy(clip->motion);
    av_frame_free(&clip->frame);
    av_packet_free(&clip->packet);
    avcodec_free_context(&clip->codec);
    avformat_close_input(&clip->format);
    return 0;
}

/* Notes which bottles the boxes of a frame show.  Before a bottle comes there is no box there. */
static void note(struct clip *clip, int64_t number)
{
    const struct motion_state *now = motion_state(clip->motion);
    clip->active[number] = now->active;
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++)
        for (uint32_t box = 0; box < now->box_count; box++)
            if (clip->found[i] < 0 && number >= entries[i].shadow - 15 &&
                now->boxes[box].x < entries[i].right &&
                now->boxes[box].x + now->boxes[box].width > entries[i].left)
                clip->found[i] = number;
}

static void look_at(struct clip *clip)
{
    const AVFrame *frame = clip->frame;
    struct motion_picture picture = {
        .luma = frame->data[0],
        .stride = (size_t)frame->linesize[0],
        .width = (uint32_t)frame->width,
        .height = (uint32_t)frame->height,
        .full_width = (uint32_t)frame->width,
        .full_height = (uint32_t)frame->height,
        .range = RING_RANGE_LIMITED,
        .at_ns = NS_PER_S + clip->count * NS_PER_S / 30,
    };
    assert_in_range(clip->count, 0, FRAMES - 1);
    if (motion_is_due(clip->motion, picture.at_ns))
        motion_look(clip->motion, &picture);
    note(clip, clip->count++);
}

static void decode(struct clip *clip, const AVPacket *packet)
{
    assert_int_equal(avcodec_send_packet(clip->codec, packet), 0);
    while (avcodec_receive_frame(clip->codec, clip->frame) == 0)
        look_at(clip);
}

static void play(struct clip *clip)
{
    for (size_t i = 0; i < sizeof clip->found / sizeof clip->found[0]; i++)
        clip->found[i] = -1;
    while (av_read_frame(clip->format, clip->packet) == 0) {
        decode(clip, clip->packet);
        av_packet_unref(clip->packet);
    }
    decode(clip, NULL);
    assert_int_equal(clip->count, FRAMES);
}

static void test_bottles(void **state)
{
    struct clip *clip = *state;
    play(clip);
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        printf("# bottle of frame %d: found at frame %d\n", (int)entries[i].visible,
               (int)clip->found[i]);
        assert_in_range(clip->found[i], entries[i].shadow, entries[i].visible + 15);
        assert_true(clip->active[clip->found[i]]);
    }
    for (size_t i = 0; i < sizeof rests / sizeof rests[0]; i++)
        for (int64_t frame = rests[i].first; frame <= rests[i].last; frame++)
            assert_false(clip->active[frame]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bottles, open_clip, close_clip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
