/* DESIGN
 *
 * libavfilter draws a text in one font, and empty boxes for what that doesn't have, without a word.
 * So the fonts of Debian's packages are asked for the text's characters, in an order that gives
 * plain Latin its usual look.  fontconfig would know every font, but builds its caches at the first
 * use, complains where it can't write them, and is the slowest part of a start. */
#include "chain_font.h"

#include "common/step_text.h"

#include <dlfcn.h>
#include <ft2build.h>
#include FT_FREETYPE_H
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#define FONTS "/usr/share/fonts/"

static const char *const installed[] = {
    FONTS "truetype/dejavu/DejaVuSans.ttf",
    FONTS "truetype/noto/NotoSans-Regular.ttf",
    FONTS "truetype/liberation/LiberationSans-Regular.ttf",
    FONTS "truetype/nanum/NanumGothic.ttf",
    FONTS "opentype/noto/NotoSansCJK-Regular.ttc",
    FONTS "truetype/unfonts-core/UnDotum.ttf",
    FONTS "truetype/wqy/wqy-microhei.ttc",
    FONTS "truetype/droid/DroidSansFallbackFull.ttf",
    FONTS "truetype/freefont/FreeSans.ttf",
    FONTS "opentype/unifont/unifont.otf",
    FONTS "truetype/unifont/unifont.ttf",
};

struct freetype {
    __typeof__(FT_Init_FreeType) *init;
    __typeof__(FT_Done_FreeType) *done;
    __typeof__(FT_New_Face) *open;
    __typeof__(FT_Done_Face) *close;
    __typeof__(FT_Get_Char_Index) *index;
};

/* libavfilter draws with it, so it is there where that is. */
static bool load_freetype(struct freetype *freetype, struct error *err)
{
    void *library = dlopen("libfreetype.so.6", RTLD_NOW | RTLD_LOCAL);
    if (library) {
        freetype->init = (__typeof__(freetype->init))dlsym(library, "FT_Init_FreeType");
        freetype->done = (__typeof__(freetype->done))dlsym(library, "FT_Done_FreeType");
        freetype->open = (__typeof__(freetype->open))dlsym(library, "FT_New_Face");
        freetype->close = (__typeof__(freetype->close))dlsym(library, "FT_Done_Face");
        freetype->index = (__typeof__(freetype->index))dlsym(library, "FT_Get_Char_Index");
    }
    if (library && freetype->init && freetype->done && freetype->open && freetype->close &&
        freetype->index)
        return true;
    error_set(err, 0, "no text can be drawn: %s", dlerror());
    return false;
}

/* What a font lacks. */
struct lack {
    uint32_t character; /* the first that it doesn't have; 0: it has all */
    size_t at;          /* where that is in the text */
};

static struct lack find_lack(const struct freetype *freetype, FT_Face face, const char *text)
{
    static const char always[] = "0:-/,.+AMPapmzZ";
    uint32_t character;
    for (const char *p = always; (character = step_text_next(&p));)
        if (freetype->index(face, character) == 0)
            return (struct lack){character, 0};
    const char *before = text;
    for (const char *p = text; (character = step_text_next(&p)); before = p)
        if (character >= ' ' && freetype->index(face, character) == 0)
            return (struct lack){character, (size_t)(before - text)};
    return (struct lack){0};
}

/* False if it is no font. */
static bool look_into(const struct freetype *freetype, FT_Library library, const char *path,
                      const char *text, struct lack *lack)
{
    struct stat st;
    FT_Face face;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode) ||
        freetype->open(library, path, 0, &face) != 0)
        return false;
    *lack = find_lack(freetype, face, text);
    freetype->close(face);
    return true;
}

static const char *check_wanted(const struct freetype *freetype, FT_Library library,
                                const char *text, const char *wanted, struct error *err)
{
    struct lack lack;
    if (!look_into(freetype, library, wanted, text, &lack))
        error_set(err, 0, "%s is no font that can be read", wanted);
    else if (lack.character > 0)
        error_set(err, 0, "%s has not all characters of the text (U+%04X is the first missing)",
                  wanted, lack.character);
    else
        return wanted;
    return NULL;
}

static const char *choose_font(const struct freetype *freetype, FT_Library library,
                               const char *text, struct error *err)
{
    struct lack lack, least = {0};
    for (size_t i = 0; i < sizeof installed / sizeof *installed; i++) {
        if (!look_into(freetype, library, installed[i], text, &lack))
            continue;
        if (lack.character == 0)
            return installed[i];
        if (least.character == 0 || lack.at > least.at)
            least = lack;
    }
    if (least.character == 0)
        error_set(err, 0,
                  "no font is installed (Debian package fonts-dejavu-core; for Korean, Chinese and "
                  "Japanese fonts-noto-cjk, or for Korean fonts-nanum)");
    else
        error_set(err, 0,
                  "no installed font has all characters of the text (U+%04X is the first missing): "
                  "install fonts-noto-cjk or fonts-nanum, or name a file with \"font\"",
                  least.character);
    return NULL;
}

const char *chain_font_find(const char *text, const char *wanted, struct error *err)
{
    struct freetype freetype;
    FT_Library library;
    if (!load_freetype(&freetype, err))
        return NULL;
    if (freetype.init(&library) != 0) {
        error_set(err, 0, "no text can be drawn: FreeType doesn't start");
        return NULL;
    }
    const char *font = wanted[0] ? check_wanted(&freetype, library, text, wanted, err)
                                 : choose_font(&freetype, library, text, err);
    freetype.done(library);
    return font;
}
