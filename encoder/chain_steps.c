#include "chain_steps.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

void chain_steps_key(unsigned step, char out[static 24])
{
    snprintf(out, 24, "camring_text_%u", step);
}

/* A value for an option: a description is read twice, as a graph and as options, and what must
 * arrive as it is gets its backslashes for both. */
static bool escape_value(const char *text, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (const char *p = text; *p; p++) {
        bool plain = isalnum((unsigned char)*p) || strchr("/_-", *p) || (*p & 0x80);
        int n = snprintf(out + used, size - used, plain ? "%c" : "\\\\\\%c", *p);
        if (n < 0 || (size_t)n >= size - used)
            return false;
        used += (size_t)n;
    }
    return true;
}

/* drawtext's own expressions for the place of a text with that much room around it. */
static const char *text_x(enum conf_position position)
{
    static const char *const places[] = {"%u", "(w-tw)/2", "w-tw-%u"};
    return places[position % 3];
}

static const char *text_y(enum conf_position position)
{
    static const char *const places[] = {"%u", "(h-th)/2", "h-th-%u"};
    return places[position / 3];
}

/* White on a dark ground, which can be read on any picture.  The text itself comes with each
 * picture: no character of it is read as a description. */
static bool describe_text(const struct conf_step *step, unsigned number, const char *font,
                          char out[static CHAIN_STEP_SIZE])
{
    char file[CHAIN_STEP_SIZE / 2], key[24], x[32], y[32];
    unsigned border = step->text.size / 4 + 1;
    if (!escape_value(font, file, sizeof file))
        return false;
    chain_steps_key(number, key);
    snprintf(x, sizeof x, text_x(step->text.position), 2 * border);
    snprintf(y, sizeof y, text_y(step->text.position), 2 * border);
    int n = snprintf(out, CHAIN_STEP_SIZE,
                     "drawtext=fontfile=%s:fontsize=%u:fontcolor=white:box=1:boxcolor=black@0.6:"
                     "boxborderw=%u:x=%s:y=%s:text=%%{metadata\\\\:%s}",
                     file, step->text.size, border, x, y, key);
    return n > 0 && n < CHAIN_STEP_SIZE;
}

bool chain_steps_describe(const struct conf_chain *chain, unsigned number, const char *font,
                          char out[static CHAIN_STEP_SIZE])
{
    const struct conf_step *step = &chain->steps[number];
    const char *turn = step->rotate == 90    ? "transpose=dir=clock"
                       : step->rotate == 270 ? "transpose=dir=cclock"
                                             : "hflip,vflip";
    switch ((enum conf_step_kind)step->kind) {
    case CONF_STEP_CROP:
        snprintf(out, CHAIN_STEP_SIZE, "crop=w=%u:h=%u:x=%u:y=%u", step->crop.width,
                 step->crop.height, step->crop.x, step->crop.y);
        return true;
    case CONF_STEP_SCALE: /* -1: by the proportions */
        snprintf(out, CHAIN_STEP_SIZE, "scale=w=%d:h=%d:flags=bicubic",
                 step->scale.width > 0 ? (int)step->scale.width : -1,
                 step->scale.height > 0 ? (int)step->scale.height : -1);
        return true;
    case CONF_STEP_ROTATE:
        snprintf(out, CHAIN_STEP_SIZE, "%s", turn);
        return true;
    case CONF_STEP_FLIP:
        snprintf(out, CHAIN_STEP_SIZE, "%s",
                 step->flip == CONF_FLIP_HORIZONTAL ? "hflip" : "vflip");
        return true;
    case CONF_STEP_TEXT:
        return describe_text(step, number, font, out);
    case CONF_STEP_DEINTERLACE:
        snprintf(out, CHAIN_STEP_SIZE, "yadif=mode=send_frame:parity=auto:deint=all");
        return true;
    case CONF_STEP_FILTER:
        snprintf(out, CHAIN_STEP_SIZE, "%s", conf_chain_text(chain, step->filter.graph));
        return true;
    case CONF_STEP_MASK:
    case CONF_STEP_GRAY:
    case CONF_STEP_EXTERNAL:
    case CONF_STEP_END:
        break;
    }
    return false;
}
