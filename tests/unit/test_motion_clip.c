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
} rests[] = {{0, 142}, {310, 325}, {635, 645}, {FRAMES - 10, FRAMES - 1}};

enum {
    BOTTLES = sizeof entries / sizeof entries[0],
    PHASES = 3, /* one frame in three is looked at: each may be the first */
};

struct clip {
    AVFormatContext *format;
    AVCodecContext *codec;
    AVPacket *packet;
    AVFrame *frame;
    int64_t count;
    struct motion *motion[PHASES];
    int64_t found[PHASES][BOTTLES]; /* frame, -1: not yet */
    bool active[PHASES][FRAMES];    /* whether an event goes on */
};

static int open_clip(void **state)
{
    static struct clip clip;
    assert_int_equal(avformat_open_input(&clip.format, CLIP, NULL, NULL), 0);
    const AVCodecParameters *parameters = clip.format->streams[0]->codecpar;
    clip.codec = avcodec_alloc_context3(avcodec_find_decoder(parameters->codec_id));
    clip.packet = av_packet_alloc();
    clip.frame = av_frame_alloc();
    assert_true(clip.codec && clip.packet && clip.frame);
    for (unsigned i = 0; i < PHASES; i++) {
        clip.motion[i] = motion_create(&(struct conf_motion){.sensitivity = 50}, NULL);
        assert_non_null(clip.motion[i]);
        for (unsigned bottle = 0; bottle < BOTTLES; bottle++)
            clip.found[i][bottle] = -1;
    }
    assert_true(avcodec_parameters_to_context(clip.codec, parameters) >= 0);
    assert_int_equal(avcodec_open2(clip.codec, NULL, NULL), 0);
    *state = &clip;
    return 0;
}

static int close_clip(void **state)
{
    struct clip *clip = *state;
    for (unsigned i = 0; i < PHASES; i++)
        motion_destroy(clip->motion[i]);
    av_frame_free(&clip->frame);
    av_packet_free(&clip->packet);
    avcodec_free_context(&clip->codec);
    avformat_close_input(&clip->format);
    return 0;
}

static bool is_way_of(const struct entry *entry, const struct motion_box *box)
{
    return box->x < entry->right && box->x + box->width > entry->left;
}

/* Notes which bottles the boxes of a frame show.  Before a bottle comes there is no box there. */
static void note(struct clip *clip, unsigned phase)
{
    const struct motion_state *now = motion_state(clip->motion[phase]);
    clip->active[phase][clip->count] = now->active;
    for (unsigned i = 0; i < BOTTLES; i++)
        for (uint32_t box = 0; box < now->box_count; box++)
            if (clip->found[phase][i] < 0 && clip->count >= entries[i].shadow - 15 &&
                is_way_of(&entries[i], &now->boxes[box]))
                clip->found[phase][i] = clip->count;
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
    for (unsigned i = 0; i < PHASES; i++) {
        if (clip->count >= i && motion_is_due(clip->motion[i], picture.at_ns))
            motion_look(clip->motion[i], &picture);
        note(clip, i);
    }
    clip->count++;
}

static void decode(struct clip *clip, const AVPacket *packet)
{
    assert_int_equal(avcodec_send_packet(clip->codec, packet), 0);
    while (avcodec_receive_frame(clip->codec, clip->frame) == 0)
        look_at(clip);
}

static void play(struct clip *clip)
{
    while (av_read_frame(clip->format, clip->packet) == 0) {
        decode(clip, clip->packet);
        av_packet_unref(clip->packet);
    }
    decode(clip, NULL);
    assert_int_equal(clip->count, FRAMES);
}

static void check(const struct clip *clip, unsigned phase)
{
    for (unsigned i = 0; i < BOTTLES; i++) {
        int64_t found = clip->found[phase][i];
        printf("# bottle of frame %d: found at frame %d\n", (int)entries[i].visible, (int)found);
        assert_in_range(found, entries[i].shadow, entries[i].visible + 15);
        assert_true(clip->active[phase][found]);
    }
    for (size_t i = 0; i < sizeof rests / sizeof rests[0]; i++)
        for (int64_t frame = rests[i].first; frame <= rests[i].last; frame++)
            assert_false(clip->active[phase][frame]);
    /* the four bottles, the hand that takes away the first, and those that take away others, each
     * of which may belong to the event before */
    assert_in_range(motion_state(clip->motion[phase])->event, BOTTLES + 1, BOTTLES + 3);
}

static void test_bottles(void **state)
{
    struct clip *clip = *state;
    play(clip);
    for (unsigned i = 0; i < PHASES; i++)
        check(clip, i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bottles, open_clip, close_clip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
