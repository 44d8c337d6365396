/* Each step of a chain against FFmpeg's own program, byte for byte: sizes that are odd, every
 * format, three pictures in a row. */
#include "chain_fixture.h"

#define PICTURES 3
#define FONT "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"
#define KOREAN "/usr/share/fonts/truetype/nanum/NanumGothic.ttf"
#define DRAWTEXT                                                                                   \
    "drawtext=fontcolor=white:box=1:boxcolor=black@0.6:expansion=none:textfile=%s/text:"

static const struct {
    const char *steps, *graph; /* %s: the folder */
} cases[] = {
    {"- crop: {x: 11, y: 7, width: 101, height: 51}", "crop=101:51:11:7"},
    {"- crop: {width: 64, height: 48}", "crop=64:48:0:0"},
    {"- scale: {width: 160}", "scale=160:-1"},
    {"- scale: {height: 91}", "scale=-1:91"},
    {"- scale: {width: 401, height: 203}", "scale=401:203"},
    {"- rotate: 90", "transpose=clock"},
    {"- rotate: 180", "hflip,vflip"},
    {"- rotate: 270", "transpose=cclock"},
    {"- flip: horizontal", "hflip"},
    {"- flip: vertical", "vflip"},
    {"- gray", "lutyuv=u=128:v=128"},
    {"- gray\n- scale: {width: 200}\n- rotate: 90",
     "lutyuv=u=128:v=128,scale=200:-1,transpose=clock"},
    {"- flip: vertical\n- gray\n- filter: 'unsharp,hue=h=20'",
     "vflip,lutyuv=u=128:v=128,unsharp,hue=h=20"},
    {"- deinterlace", "yadif"},
    {"- filter: 'hqdn3d,eq=contrast=1.1'", "hqdn3d,eq=contrast=1.1"},
    {"- filter: 'split[a][b];[b]crop=100:80,vflip[c];[a][c]overlay=5:6'",
     "split[a][b];[b]crop=100:80,vflip[c];[a][c]overlay=5:6"},
    {"- filter: '[in]hflip[a];[a]negate[out]'", "hflip,negate"},
    {"- mask: [[11,7, 112,7, 112,58, 11,58]]", "drawbox=11:7:101:51:black:fill"},
    {"- mask: [[0,0, 40,0, 40,30, 0,30], [9000,10, 9000,60, 50,60, 50,10]]\n- scale: {width: 100}",
     "drawbox=0:0:40:30:black:fill,drawbox=50:10:9000:50:black:fill,scale=100:-1"},
    {"- crop: {x: 20, y: 10, width: 200, height: 100}\n- scale: {width: 150}\n- rotate: 270\n"
     "- flip: horizontal\n- gray",
     "crop=200:100:20:10,scale=150:-1,transpose=cclock,hflip,lutyuv=u=128:v=128"},
    {"- flip: vertical\n- mask: [[11,7, 112,7, 112,58, 11,58]]\n- scale: {width: 100}",
     "vflip,drawbox=11:7:101:51:black:fill,scale=100:-1"},
    {"- flip: vertical\n- gray\n- mask: [[11,7, 112,7, 112,58, 11,58]]\n- flip: vertical",
     "vflip,lutyuv=u=128:v=128,drawbox=11:7:101:51:black:fill,vflip"},
    {"- crop: {x: 10, y: 10, width: 90, height: 80}\n- rotate: 90\n- crop: {width: 70, height: 60}",
     "crop=90:80:10:10,transpose=clock,crop=70:60:0:0"},
    {"- text: {text: \"it's 5:30\\\\ 100%%, [x]; a=b 문을 'q' #{1}\\nsecond line\"}",
     DRAWTEXT "fontfile=" KOREAN ":fontsize=24:boxborderw=7:x=14:y=14"},
    {"- text: {text: \"it's 5:30\\\\ 100%%, [x]; a=b 문을 'q' #{1}\\nsecond line\", size: 17, "
     "position: bottom-right, font: " KOREAN "}\n- flip: vertical",
     DRAWTEXT "fontfile=" KOREAN ":fontsize=17:boxborderw=5:x=w-tw-10:y=h-th-10,vflip"},
};

#define CASES (sizeof cases / sizeof *cases)

static const char drawn[] = "it's 5:30\\ 100%, [x]; a=b 문을 'q' #{1}\nsecond line";

static const struct kind {
    uint32_t format, width, height;
    const char *name;
} kinds[] = {
    {RING_I420, 322, 182, "yuv420p"},
    {RING_I420, 321, 183, "yuv420p"},
    {RING_I422, 321, 181, "yuv422p"},
    {RING_I444, 319, 180, "yuv444p"},
};

static char folder[64];

/* ---- files ---- */

static FILE *open_file(const char *name, const char *mode)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, mode);
    assert_non_null(file);
    return file;
}

static void write_planes(FILE *file)
{
    for (unsigned i = 0; i < RING_PLANES; i++)
        for (uint32_t y = 0; y < ring_plane_height(in.format, i, in.height); y++)
            assert_true(fwrite(row_in(i, y), ring_plane_width(in.format, i, in.width), 1, file));
}

static void write_input(const struct kind *kind)
{
    FILE *file = open_file("in", "w");
    for (unsigned seed = 0; seed < PICTURES; seed++) {
        make_picture(kind->format, kind->width, kind->height, seed);
        write_planes(file);
    }
    assert_int_equal(fclose(file), 0);
    file = open_file("text", "w");
    assert_true(fwrite(drawn, sizeof drawn - 1, 1, file));
    assert_int_equal(fclose(file), 0);
}

/* All cases in one run of FFmpeg: its start is what takes long. */
static void run_ffmpeg(const struct kind *kind)
{
    char command[16384];
    int used = snprintf(command, sizeof command,
                        "ffmpeg -v error -nostdin -y -f rawvideo -pix_fmt %s -s %ux%u -i %s/in",
                        kind->name, kind->width, kind->height, folder);
    for (size_t i = 0; i < CASES; i++) {
        char graph[512];
        snprintf(graph, sizeof graph, cases[i].graph, folder);
        used += snprintf(command + used, sizeof command - (size_t)used,
                         " -vf '%s' -pix_fmt %s -f rawvideo %s/%zu", graph, kind->name, folder, i);
    }
    assert_true((size_t)used < sizeof command);
    assert_int_equal(system(command), 0);
}

/* ---- comparing ---- */

static void compare(size_t number, const struct kind *kind, unsigned seed, FILE *expected)
{
    uint8_t line[2048];
    for (unsigned i = 0; i < RING_PLANES; i++) {
        uint32_t width = ring_plane_width(out.format, i, out.width);
        for (uint32_t y = 0; y < ring_plane_height(out.format, i, out.height); y++) {
            assert_true(fread(line, width, 1, expected));
            if (memcmp(line, row_out(i, y), width) == 0)
                continue;
            uint32_t x = 0;
            while (line[x] == row_out(i, y)[x])
                x++;
            fail_msg("%s\n%s %ux%u, picture %u, plane %u at %u,%u: %u instead of %u",
                     cases[number].steps, kind->name, kind->width, kind->height, seed, i, x, y,
                     row_out(i, y)[x], line[x]);
        }
    }
}

static void compare_case(size_t number, const struct kind *kind)
{
    char name[24];
    snprintf(name, sizeof name, "%zu", number);
    FILE *expected = open_file(name, "r");
    use_chain(cases[number].steps);
    for (unsigned seed = 0; seed < PICTURES; seed++) {
        make_picture(kind->format, kind->width, kind->height, seed);
        enum chain_result result = run_chain();
        if (result == CHAIN_FAILED)
            fail_msg("%s: %s", cases[number].steps, err.text);
        if (result == CHAIN_PICTURE)
            compare(number, kind, seed, expected);
        else
            assert_true(chain_keeps_state(&camera.chain) && seed == 0);
    }
    fclose(expected);
}

static void results_are_as_ffmpegs_own(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        write_input(&kinds[k]);
        run_ffmpeg(&kinds[k]);
        for (size_t i = 0; i < CASES; i++)
            compare_case(i, &kinds[k]);
    }
}

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/camring-steps-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(results_are_as_ffmpegs_own)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
