/* Every filter that libavfilter has: those that may be used work in every size and format without
 * touching what is not theirs, those that are said to remember nothing do so, and none that may be
 * used has an option that reaches a file. */
#include "chain_fixture.h"

#include "common/filter_list.h"
#include "encoder/lavfi.h"

#include <libavutil/opt.h>

/* Graphs for filters that don't work by their name alone. */
static const struct {
    const char *names, *graph; /* %s: the name */
} graphs[] = {
    {"alphamerge blend convolve deconvolve framepack freezeframes hysteresis identity limitdiff "
     "lut2 "
     "maskedthreshold midequalizer mix morpho msad multiply overlay psnr ssim varblur vif xfade "
     "hstack vstack xstack",
     "split[a][b];[a][b]%s"},
    {"xcorrelate", "split[a][b];[b]crop=iw/2:ih/2[c];[a][c]%s"},
    {"colormap displace maskedclamp maskedmax maskedmerge maskedmin remap xmedian",
     "split=3[a][b][c];[a][b][c]%s"},
    {"threshold", "split=4[a][b][c][d];[a][b][c][d]%s"},
    {"scale2ref", "split[a][b];[a][b]%s[x][y];[x]nullsink;[y]null"},
    {"color colorchart colorspectrum gradients haldclutsrc nullsrc pal100bars pal75bars rgbtestsrc "
     "smptebars smptehdbars testsrc testsrc2 yuvtestsrc",
     "%s[s];[i][s]overlay"},
    {"zoompan", "%s=d=1"},
    {"haldclut", "haldclutsrc=4[s];[i][s]%s"},
    {"paletteuse", "color=s=16x16[s];[i][s]%s"},
    {"mergeplanes", "format=yuv444p,%s=0x000102:yuv444p"},
    {"nullsink", "split[a][b];[a]%s;[b]null"},
    {"split", "%s=1"},
    {"delogo", "%s=2:2:4:4"},
    {"drawtext", "%s=text=a"},
    {"crop", "%s=iw/2:ih/2"},
    {"rotate", "%s=PI/6"},
    {"format noformat", "%s=rgb24"},
    {"colorspace", "%s=all=bt709:iall=bt601-6-625"},
    {"metadata", "%s=print"},
    {"extractplanes", "%s=y"},
    {"premultiply unpremultiply", "%s=inplace=1"},
    {"drawgraph", "%s=m1=a"},
    {"geq", "%s=lum=255-lum(X\\,Y)"},
    {"tonemap", "format=gbrpf32le,%s=hable,format=yuv420p"},
    {"untile", "crop=16:16,%s=2x2"},
    {"pixscope", "scale=640:480,%s"},
    {"alphaextract", "format=yuva420p,%s"},
};

/* Of size 64x48 they hold back what they are given, or need other pictures. */
static const char giving_nothing[] =
    "thumbnail tile decimate detelecine weave doubleweave minterpolate w3fdif bwdif yadif "
    "estdif deflicker tmedian photosensitivity fieldmatch mpdecimate pullup repeatfields framestep "
    "atadenoise bm3d amplify random tmidequalizer";

static bool is_among(const char *words, const char *word)
{
    size_t length = strlen(word);
    for (const char *p = words; (p = strstr(p, word)); p += length)
        if ((p == words || p[-1] == ' ') && (!p[length] || p[length] == ' '))
            return true;
    return false;
}

static void use_filter(const char *name)
{
    const char *form = "%s";
    char graph[160], steps[200];
    for (size_t i = 0; i < sizeof graphs / sizeof *graphs; i++)
        if (is_among(graphs[i].names, name))
            form = graphs[i].graph;
    snprintf(graph, sizeof graph, form, name);
    snprintf(steps, sizeof steps, "- filter: '%s'", graph);
    use_chain(steps);
}

static void for_each(const char *names, void (*visit)(const char *name, unsigned number))
{
    char name[32];
    unsigned number = 0;
    for (const char *p = names; *p; number++) {
        size_t length = strcspn(p, " ");
        memcpy(name, p, length);
        name[length] = '\0';
        visit(name, number);
        p += length + (p[length] == ' ');
    }
}

/* ---- what may be used ---- */

static bool reaches_out(const AVOption *option)
{
    static const char words[] = "file filename textfile psfile plot stats_file result input model "
                                "fontsdir bind_address log_path cover object hint "
                                "custom_shader_path filter_name f psf socket url";
    return option->type == AV_OPT_TYPE_STRING && is_among(words, option->name);
}

static void check_options(const AVFilter *filter)
{
    const AVOption *option = NULL;
    while (filter->priv_class && (option = av_opt_next((void *)&filter->priv_class, option)))
        if (reaches_out(option) && !filter_refuses(filter->name, option->name, "x"))
            fail_msg("the option %s of %s may be used", option->name, filter->name);
}

static void refuse(const char *name)
{
    char graph[64], words[96];
    snprintf(graph, sizeof graph, "null,%s", name);
    snprintf(words, sizeof words, "\"%s\" is none of the filters", name);
    assert_int_equal(filter_check(graph, &err), -1);
    assert_int_equal(err.code, 5);
    assert_non_null(strstr(err.text, words));
}

static void what_reaches_out_is_refused(void **state)
{
    (void)state;
    static const char *const refused[] = {"movie",
                                          "amovie",
                                          "zmq",
                                          "azmq",
                                          "sendcmd",
                                          "asendcmd",
                                          "subtitles",
                                          "ass",
                                          "lut3d",
                                          "lut1d",
                                          "removelogo",
                                          "signature",
                                          "frei0r",
                                          "ladspa",
                                          "lv2",
                                          "vidstabdetect",
                                          "vidstabtransform",
                                          "find_rect",
                                          "cover_rect",
                                          "nnedi",
                                          "libplacebo",
                                          "pp",
                                          "hwupload",
                                          "buffer",
                                          "buffersink",
                                          "abuffer",
                                          "realtime",
                                          "cue",
                                          "reverse",
                                          "loop"};
    const struct lavfi *lavfi = lavfi_load(&err);
    assert_non_null(lavfi);
    const AVFilter *filter;
    void *at = NULL;
    unsigned allowed = 0, all = 0;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        refuse(refused[i]);
    for (; (filter = lavfi->av_filter_iterate(&at)); all++) {
        if (!filter_is_allowed(filter->name)) {
            refuse(filter->name);
            continue;
        }
        allowed++;
        assert_null(strstr(filter->description, "file"));
        check_options(filter);
    }
    assert_true(allowed > 200 && all > 400);
}

static void exists(const char *name, unsigned number)
{
    (void)number;
    if (!lavfi_load(&err)->avfilter_get_by_name(name))
        fail_msg("libavfilter has no filter %s", name);
}

static void what_may_be_used_is_there(void **state)
{
    (void)state;
    for_each(filter_list_plain, exists);
    for_each(filter_list_keeping, exists);
}

/* ---- what it does ---- */

/* The memory around each picture is not mapped, and the picture can't be written to. */
static void use_in_sizes(const char *name, unsigned number)
{
    static const uint32_t sizes[][2] = {{1, 1}, {16, 17}, {47, 35}, {64, 48}};
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        bool gave = false;
        enum chain_result result = CHAIN_NONE;
        use_filter(name);
        for (unsigned k = 0; k < 3; k++) {
            make_picture(RING_I420 + (number + i) % 3, sizes[i][0], sizes[i][1], k);
            assert_int_equal(
                mprotect(memory + FIXTURE_PAGE, memory_size - 2 * FIXTURE_PAGE, PROT_READ), 0);
            result = run_chain();
            gave = gave || result == CHAIN_PICTURE;
        }
        if (i == 3 && (result == CHAIN_FAILED || (!gave && !is_among(giving_nothing, name))))
            fail_msg("%s: %s", name, result == CHAIN_FAILED ? err.text : "nothing came out");
    }
}

static void plain_filters_work_in_every_size(void **state)
{
    (void)state;
    for_each(filter_list_plain, use_in_sizes);
}

static void keeping_filters_work_in_every_size(void **state)
{
    (void)state;
    for_each(filter_list_keeping, use_in_sizes);
}

static uint64_t sum_of_result(void)
{
    uint64_t sum = 14695981039346656037u ^ out.width;
    for (unsigned i = 0; i < RING_PLANES; i++)
        for (uint32_t y = 0; y < ring_plane_height(out.format, i, out.height); y++)
            for (uint32_t x = 0; x < ring_plane_width(out.format, i, out.width); x++)
                sum = (sum ^ row_out(i, y)[x]) * 1099511628211u;
    return sum;
}

static void remembers_nothing(const char *name, unsigned number)
{
    uint64_t together[3];
    (void)number;
    use_filter(name);
    if (chain_keeps_state(&camera.chain))
        return; /* made of others */
    for (unsigned k = 0; k < 3; k++) {
        make_picture(RING_I420, 64, 48, k);
        if (run_chain() != CHAIN_PICTURE)
            fail_msg("%s gives nothing", name);
        together[k] = sum_of_result();
    }
    for (unsigned k = 0; k < 3; k++) {
        use_filter(name);
        make_picture(RING_I420, 64, 48, k);
        assert_int_equal(run_chain(), CHAIN_PICTURE);
        if (sum_of_result() != together[k])
            fail_msg("%s remembers", name);
    }
}

static void plain_filters_remember_nothing(void **state)
{
    (void)state;
    for_each(filter_list_plain, remembers_nothing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_reaches_out_is_refused),      TEST(what_may_be_used_is_there),
        TEST(plain_filters_work_in_every_size), TEST(keeping_filters_work_in_every_size),
        TEST(plain_filters_remember_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
