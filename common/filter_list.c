#include "filter_list.h"

#include "filter_text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Not among them, beside what reaches beyond the pictures: what waits (realtime, cue), what never
 * gives a picture of an endless stream (reverse, palettegen), what never ends giving (loop), what
 * changes other filters (sendcmd), and what goes beyond the memory of its pictures (pp,
 * colormatrix). */
const char filter_list_plain[] =
    "alphaextract avgblur bbox bilateral bitplanenoise boxblur cas chromahold chromakey "
    "chromanr chromashift ciescope colorbalance colorchannelmixer colorcontrast colorcorrect "
    "colorhold colorize colorkey colorlevels colorspace colortemperature convolution copy "
    "crop curves datascope dblur dctdnoiz deband deblock deflate delogo despill dilation "
    "drawbox drawgrid drawtext edgedetect entropy epx eq erosion exposure extractplanes "
    "fftfilt field fieldorder fillborders floodfill format gblur geq gradfun grayworld "
    "greyedge hflip histogram hqx hsvhold hsvkey hue huesaturation il inflate kirsch "
    "lenscorrection limiter lumakey lut lutrgb lutyuv maskfun median monochrome negate "
    "nlmeans noformat null owdenoise pad perspective pixelize pixscope prewitt pseudocolor "
    "removegrain rgbashift roberts rotate sab scale scharr selectivecolor setdar setfield "
    "setparams setrange setsar shear showpalette shuffleplanes smartblur sobel split "
    "super2xsai swaprect swapuv tonemap transpose unsharp v360 vaguedenoiser vectorscope "
    "vflip vibrance waveform xbr yaepblur zscale";

const char filter_list_keeping[] =
    "alphamerge amplify atadenoise blackdetect blackframe blend blockdetect blurdetect bm3d "
    "bwdif color colorchart colormap colorspectrum convolve cropdetect decimate deconvolve "
    "dedot deflicker dejudder deshake detelecine displace doubleweave drawgraph elbg estdif "
    "fade fftdnoiz fieldmatch fps framepack framerate framestep freezedetect freezeframes "
    "fspp gradients guided haldclut haldclutsrc histeq hqdn3d hstack hysteresis identity idet "
    "interlace kerndeint lagfun limitdiff lut2 maskedclamp maskedmax maskedmerge maskedmin "
    "maskedthreshold mergeplanes mestimate metadata midequalizer minterpolate mix morpho "
    "mpdecimate msad multiply noise normalize nullsink nullsrc oscilloscope overlay "
    "pal100bars pal75bars paletteuse phase photosensitivity pp7 premultiply psnr pullup "
    "random readeia608 readvitc remap repeatfields rgbtestsrc scale2ref scdet scroll select "
    "separatefields setpts settb shuffleframes shufflepixels signalstats siti smptebars "
    "smptehdbars spp ssim stereo3d tblend telecine testsrc testsrc2 thistogram threshold "
    "thumbnail tile tinterlace tlut2 tmedian tmidequalizer tmix unpremultiply untile varblur "
    "vfrdet vif vignette vmafmotion vstack w3fdif weave xcorrelate xfade xmedian xstack yadif "
    "yuvtestsrc zoompan";

static const struct {
    const char *filter, *options;
} refused[] = {
    {"curves", "psfile plot"}, {"deshake", "filename"},      {"drawtext", "textfile"},
    {"metadata", "file"},      {"psnr", "stats_file f"},     {"selectivecolor", "psfile"},
    {"ssim", "stats_file f"},  {"vmafmotion", "stats_file"},
};

static const char needing_even[] = "hstack kerndeint tinterlace varblur vstack xstack";
static const char needing_16[] = "blurdetect edgedetect fieldmatch gblur vaguedenoiser varblur";

static bool has_word(const char *words, const char *word)
{
    size_t length = strlen(word);
    for (const char *p = words; p && *p; p += strcspn(p, " ")) {
        p += strspn(p, " ");
        if (strncmp(p, word, length) == 0 && (p[length] == ' ' || !p[length]))
            return true;
    }
    return false;
}

bool filter_is_allowed(const char *name)
{
    return has_word(filter_list_plain, name) || has_word(filter_list_keeping, name);
}

const char *filter_refuses(const char *name, const char *key, const char *value)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (strcmp(refused[i].filter, name) == 0 && has_word(refused[i].options, key))
            return "reaches files, which no filter may";
    if (strcmp(key, "threads") == 0 || strcmp(key, "thread_type") == 0)
        return "is not for use here: encoder processes are what uses the cores";
    bool is_flags = strcmp(key, "flags") == 0 || strcmp(key, "sws_flags") == 0;
    if (is_flags && (strstr(value, "fast_bilinear") || strpbrk(value, "0123456789")))
        return "may not be fast_bilinear, which writes code while it runs, or a number";
    return NULL;
}

const char *filter_refuses_size(const char *name, int width, int height)
{
    if ((width % 2 || height % 2) && has_word(needing_even, name))
        return "needs pictures of an even width and height";
    if ((width < 16 || height < 16) && has_word(needing_16, name))
        return "needs pictures of at least 16x16";
    return NULL;
}

/* ---- a graph ---- */

static int check_options(const struct filter_entry *entry, struct filter_option *option,
                         struct error *err)
{
    size_t at = 0;
    int result;
    while ((result = filter_text_option(entry, &at, option, err)) > 0) {
        const char *wrong = filter_refuses(entry->name, option->key, option->value);
        if (wrong) {
            error_set(err, (int)option->offset, "the option %s of the filter %s %s", option->key,
                      entry->name, wrong);
            return -1;
        }
    }
    return result;
}

/* Calls `visit` for each filter until that returns something else than 0. */
static int walk_filters(const char *text, struct error *err,
                        int (*visit)(const struct filter_entry *entry, struct error *err))
{
    struct filter_text reader;
    struct filter_entry *entry = malloc(sizeof *entry);
    int result;
    if (!entry) {
        error_set(err, 0, "out of memory");
        return -1;
    }
    filter_text_begin(&reader, text);
    while ((result = filter_text_next(&reader, entry, err)) > 0)
        if ((result = visit(entry, err)) != 0)
            break;
    free(entry);
    return result;
}

static int check_filter(const struct filter_entry *entry, struct error *err)
{
    if (!filter_is_allowed(entry->name)) {
        error_set(err, (int)entry->offset,
                  "\"%s\" is none of the filters that may be used: those of FFmpeg %s", entry->name,
                  "that work on pictures and reach no file, socket or device");
        return -1;
    }
    struct filter_option *option = malloc(sizeof *option);
    if (!option) {
        error_set(err, (int)entry->offset, "out of memory");
        return -1;
    }
    int result = check_options(entry, option, err);
    free(option);
    return result;
}

int filter_check(const char *text, struct error *err)
{
    return walk_filters(text, err, check_filter);
}

/* ---- state ---- */

/* Expressions with these have another value for each picture, or remember. */
static bool is_changing(const char *word, size_t length)
{
    static const char *const words[] = {"enable", "n",   "N",  "t",  "T",      "pts",
                                        "PTS",    "pos", "st", "ld", "random", "frame_num"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == length && memcmp(words[i], word, length) == 0)
            return true;
    return false;
}

static int look_for_state(const struct filter_entry *entry, struct error *err)
{
    (void)err;
    if (!has_word(filter_list_plain, entry->name))
        return 1;
    for (const char *p = entry->args; *p;) {
        size_t length = 0;
        while (isalnum((unsigned char)p[length]) || p[length] == '_')
            length++;
        if (length > 0 && is_changing(p, length))
            return 1;
        p += length > 0 ? length : 1;
    }
    return 0;
}

bool filter_graph_keeps_state(const char *text)
{
    struct error ignored;
    return walk_filters(text, &ignored, look_for_state) != 0;
}
