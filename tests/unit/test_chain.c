/* A camera's chain: what comes out of it, and that nothing that goes in brings it down. */
#include "chain_fixture.h"

#include <dirent.h>

#define EVERY_STEP                                                                                 \
    "- crop: {x: 4, y: 2, width: 60, height: 40}\n"                                                \
    "- mask: [[0,0, 20,0, 0,20]]\n"                                                                \
    "- scale: {width: 90}\n"                                                                       \
    "- rotate: 90\n"                                                                               \
    "- flip: vertical\n"                                                                           \
    "- filter: 'eq=contrast=1.1'\n"                                                                \
    "- text: {text: '%T'}\n"                                                                       \
    "- gray\n"                                                                                     \
    "- rotate: 180\n"                                                                              \
    "- deinterlace\n"                                                                              \
    "- filter: 'split[a][b];[a][b]hstack'\n"

/* ---- origin, sizes, failures ---- */

static void results_say_where_they_come_from(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {{64, 48}, {64, 48}, {63, 47}, {128, 96}, {16, 16}};
    use_chain("- filter: hflip");
    for (uint32_t format = RING_I420; format <= RING_I444; format++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            make_picture(format, sizes[i][0], sizes[i][1], 0);
            in.range = i % 2;
            in.matrix = i / 2 % 2;
            assert_int_equal(run_chain(), CHAIN_PICTURE);
            assert_int_equal(out.format, format);
            assert_int_equal(out.width, sizes[i][0]);
            assert_int_equal(out.height, sizes[i][1]);
            assert_int_equal(out.range, in.range);
            assert_int_equal(out.matrix, in.matrix);
            assert_int_equal(out.source, in.number);
            assert_int_equal(out.camera_ns, in.camera_ns);
            assert_int_equal(out.captured_ns, in.captured_ns);
            for (uint32_t x = 0; x < out.width; x++)
                assert_int_equal(row_out(0, 5)[x], row_in(0, 5)[in.width - 1 - x]);
        }
    }
}

static void sizes_may_change_at_any_time(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {{320, 180}, {63, 47}, {65, 300}, {640, 42},
                                        {63, 41},   {16, 16}, {1, 1},    {320, 180}};
    use_chain(EVERY_STEP);
    for (unsigned turn = 0; turn < 3; turn++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            uint32_t format = RING_I420 + (uint32_t)(i + turn) % 3;
            bool fits = sizes[i][0] >= 60 && sizes[i][1] >= 40;
            for (unsigned k = 0; k < 2 + turn; k++) {
                make_picture(format, sizes[i][0], sizes[i][1], k);
                enum chain_result result = run_chain();
                if ((result != CHAIN_FAILED) != fits)
                    fail_msg("%ux%u: %d %s", in.width, in.height, result, err.text);
                if (result != CHAIN_PICTURE)
                    continue;
                assert_int_equal(out.width, 120);
                assert_int_equal(out.height, 90);
            }
        }
    }
}

static void what_a_size_cannot_have_says_why(void **state)
{
    (void)state;
    use_chain("- flip: vertical\n- crop: {width: 1000, height: 1000}");
    make_picture(RING_I420, 64, 48, 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(run_chain(), CHAIN_FAILED);
        if (strncmp(err.text, "step 2 (crop): Invalid too big", 30) != 0)
            fail_msg("%s", err.text);
        assert_null(strstr(err.text, "configure"));
        assert_int_equal(CHAIN_STEP(err.code), 2);
    }
    make_picture(RING_I420, 1200, 1000, 0);
    assert_int_equal(run_chain(), CHAIN_PICTURE);
    assert_int_equal(out.width, 1000);
    use_chain("- filter: 'hflip,scale=iw*200:ih'");
    make_picture(RING_I420, 160, 16, 0);
    assert_int_equal(run_chain(), CHAIN_FAILED);
    assert_int_equal(CHAIN_STEP(err.code), 1);
    assert_non_null(strstr(err.text, "a picture can be at most 16384x16384"));
}

/* Whose height would be rounded to nothing. */
static void a_very_flat_picture_is_a_fault(void **state)
{
    (void)state;
    use_chain("- scale: {width: 16}");
    make_picture(RING_I420, 3000, 2, 0);
    assert_int_equal(run_chain(), CHAIN_FAILED);
    assert_non_null(strstr(err.text, "16x0 is invalid"));
}

static void faults_of_filters_have_a_place(void **state)
{
    (void)state;
    static const struct {
        const char *steps;
        unsigned step, offset;
        const char *words;
    } cases[] = {
        {"- gray\n- filter: 'hflip,eq=contrastt=1'", 2, 9, "the filter eq has no option contrastt"},
        {"- filter: 'hflip,eq=1:2:brightness=0:contrast=x'", 1, 6, "for contrast"},
        {"- filter: 'hflip,gblur=sigma=-5'", 1, 12, "out of range"},
        {"- filter: 'hflip,crop=1000:1000'", 1, 6, "Invalid too big"},
        {"- filter: 'hflip,crop=foo:10'", 1, 6, "foo"},
        {"- filter: 'hflip,vflip=3'", 1, 12, "a value without a name"},
        {"- filter: 'overlay'", 1, 0, "one open input and one open output, not 2 and 1"},
        {"- filter: 'split'", 1, 0, "one open input and one open output, not 1 and 2"},
        {"- filter: 'nullsrc'", 1, 0, "one open input and one open output, not 0 and 1"},
        {"- filter: 'hflip[a];[b]vflip'", 1, 0, "not 2 and 2"},
        {"- filter: 'hflip,hflip[a][b]'", 1, 6, "fewer outputs than labels"},
        {"- filter: '[a][b]hflip'", 1, 6, "than it has inputs"},
        {"- filter: 'split,hflip'", 1, 6, "than it has inputs"},
        {"- filter: 'scale=8:8:0:0:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1'", 1, 0,
         ""},
        {"- filter: 'hflip,psnr=/tmp/camring-never'", 1, 11,
         "the option stats_file of the filter psnr reaches files"},
        {"- filter: 'drawtext=text=a:fontfile=/dev/zero'", 1, 16, "names no file"},
    };
    make_picture(RING_I420, 64, 48, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        err = (struct error){0};
        use_chain(cases[i].steps);
        if (run_chain() != CHAIN_FAILED || CHAIN_STEP(err.code) != cases[i].step ||
            (cases[i].offset && CHAIN_OFFSET(err.code) != cases[i].offset) ||
            !strstr(err.text, cases[i].words))
            fail_msg("%s: \"%s\" at step %u, %u", cases[i].steps, err.text, CHAIN_STEP(err.code),
                     CHAIN_OFFSET(err.code));
    }
    assert_int_equal(access("/tmp/camring-never", F_OK), -1);
}

static void filters_that_need_another_size_say_so(void **state)
{
    (void)state;
    use_chain("- flip: vertical\n- filter: 'split[a][b];[a][b]vstack'");
    make_picture(RING_I420, 64, 47, 0);
    assert_int_equal(run_chain(), CHAIN_FAILED);
    assert_int_equal(err.code, CHAIN_PLACE(2, 18));
    assert_non_null(strstr(err.text,
                           "the filter vstack needs pictures of an even width and height, "
                           "not of 64x47"));
    make_picture(RING_I420, 64, 48, 0);
    assert_int_equal(run_chain(), CHAIN_PICTURE);
}

static void refused_filters_are_refused_here_too(void **state)
{
    (void)state;
    camera = (struct conf_camera){.id = "door"};
    camera.chain.count = 1;
    camera.chain.steps[0].kind = CONF_STEP_FILTER;
    static const char graph[] = "hflip,movie=/etc/passwd";
    assert_true(
        conf_chain_store(&camera.chain, graph, sizeof graph, &camera.chain.steps[0].filter.graph));
    assert_null(chain_create(&camera, &err));
    assert_int_equal(err.code, CHAIN_PLACE(1, 6));
}

/* ---- memory ---- */

static void a_raw_frame_is_not_written_to(void **state)
{
    (void)state;
    static const char *const chains[] = {"- mask: [[0,0, 20,0, 0,20]]\n- scale: {width: 30}",
                                         "- text: {text: x}", "- gray", EVERY_STEP,
                                         "- filter: 'negate,drawbox=0:0:10:10:red:fill'"};
    for (size_t i = 0; i < sizeof chains / sizeof *chains; i++) {
        use_chain(chains[i]);
        for (unsigned k = 0; k < 3; k++) {
            make_picture(RING_I420, 65, 47, k);
            assert_int_equal(
                mprotect(memory + FIXTURE_PAGE, memory_size - 2 * FIXTURE_PAGE, PROT_READ), 0);
            assert_int_not_equal(run_chain(), CHAIN_FAILED);
        }
    }
}

static void nothing_behind_a_raw_frame_is_read(void **state)
{
    (void)state;
    use_chain("- filter: 'format=rgb24'");
    for (uint32_t format = RING_I420; format <= RING_I444; format++) {
        for (uint32_t width = 16; width < 60; width++) {
            lay_picture(format, width, 32, 0);
            memset(input, 100, in.bytes);
            assert_int_equal(run_chain(), CHAIN_PICTURE);
        }
    }
}

/* Graphs that hold pictures have copies: the raw frame's memory is gone when they use them. */
static void a_raw_frame_is_given_back(void **state)
{
    (void)state;
    use_chain("- filter: 'tmix=frames=3'");
    for (unsigned k = 0; k < 5; k++) {
        lay_picture(RING_I420, 64, 48, 64);
        memset(input, (int)(40 * k), in.bytes);
        assert_int_equal(chain_run(chain, &in, input, &out, &err), CHAIN_PICTURE);
        forget_picture();
        free(output);
        output = malloc(out.bytes);
        assert_non_null(output);
        chain_copy(chain, output);
        if (k >= 2)
            assert_int_equal(row_out(0, 0)[0], 40 * (k - 1));
    }
}

/* ---- state ---- */

static void chains_that_keep_state_are_known(void **state)
{
    (void)state;
    static const char *const plain[] = {
        "[]", "- gray", "- scale: {width: 20}\n- text: {text: '%T n t'}\n- mask: [[1,1, 2,2, 3,3]]",
        "- filter: 'unsharp,scale=20:20'"};
    static const char *const keeping[] = {"- gray\n- deinterlace", "- filter: 'tmix'",
                                          "- gray\n- filter: 'hflip,hue=h=n'"};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        read_chain(plain[i]);
        assert_false(chain_keeps_state(&camera.chain));
    }
    for (size_t i = 0; i < sizeof keeping / sizeof *keeping; i++) {
        read_chain(keeping[i]);
        assert_true(chain_keeps_state(&camera.chain));
    }
}

static void held_pictures_come_later(void **state)
{
    (void)state;
    use_chain("- deinterlace\n- text: {text: x}\n- gray");
    make_picture(RING_I420, 64, 48, 0);
    assert_int_equal(run_chain(), CHAIN_NONE);
    uint64_t first = in.number;
    make_picture(RING_I420, 64, 48, 1);
    assert_int_equal(run_chain(), CHAIN_PICTURE);
    assert_int_equal(out.source, first);
    assert_int_equal(out.captured_ns, (int64_t)first * 40 * NS_PER_MS);
    assert_int_equal(out.camera_ns, (int64_t)first * 7);
}

/* More come out than go in, or fewer; a long pause is no reason for a thousand. */
static void the_newest_of_several_counts(void **state)
{
    (void)state;
    use_chain("- filter: 'fps=100'");
    for (unsigned k = 0; k < 6; k++) {
        make_picture(RING_I420, 64, 48, k);
        in.captured_ns += k >= 4 ? 3600 * NS_PER_S : 0;
        assert_int_equal(run_chain(), k == 0 ? CHAIN_NONE : CHAIN_PICTURE);
    }
    use_chain("- filter: 'fps=100000'");
    make_picture(RING_I420, 64, 48, 0);
    run_chain();
    make_picture(RING_I420, 64, 48, 0);
    assert_int_equal(run_chain(), CHAIN_FAILED);
    assert_non_null(strstr(err.text, "more than 256 pictures"));
    use_chain("- filter: 'thumbnail=n=5'");
    unsigned got = 0;
    for (unsigned k = 0; k < 20; k++) {
        make_picture(RING_I420, 64, 48, k);
        got += run_chain() == CHAIN_PICTURE;
    }
    assert_true(got >= 2 && got <= 4);
}

/* Filters that could divide a picture among threads, and one that could have swscale do it. */
static void one_thread_does_it_all(void **state)
{
    (void)state;
    unsigned tasks = 0;
    use_chain("- scale: {width: 320}\n- filter: 'gblur,unsharp,eq=contrast=1.1,scale=200:-1'\n"
              "- deinterlace\n- rotate: 90");
    for (unsigned k = 0; k < 2; k++) {
        make_picture(RING_I420, 640, 360, k);
        assert_int_not_equal(run_chain(), CHAIN_FAILED);
    }
    DIR *folder = opendir("/proc/self/task");
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));)
        tasks += entry->d_name[0] != '.';
    closedir(folder);
    assert_int_equal(tasks, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(results_say_where_they_come_from),     TEST(sizes_may_change_at_any_time),
        TEST(what_a_size_cannot_have_says_why),     TEST(a_very_flat_picture_is_a_fault),
        TEST(faults_of_filters_have_a_place),       TEST(filters_that_need_another_size_say_so),
        TEST(refused_filters_are_refused_here_too), TEST(a_raw_frame_is_not_written_to),
        TEST(nothing_behind_a_raw_frame_is_read),   TEST(a_raw_frame_is_given_back),
        TEST(chains_that_keep_state_are_known),     TEST(held_pictures_come_later),
        TEST(the_newest_of_several_counts),         TEST(one_thread_does_it_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
