#include "conf_chain.h"

#include "ring.h"

#include <string.h>

const char *conf_step_name(enum conf_step_kind kind)
{
    static const char *const names[] = {
        [CONF_STEP_CROP] = "crop",     [CONF_STEP_SCALE] = "scale",
        [CONF_STEP_ROTATE] = "rotate", [CONF_STEP_FLIP] = "flip",
        [CONF_STEP_MASK] = "mask",     [CONF_STEP_TEXT] = "text",
        [CONF_STEP_GRAY] = "gray",     [CONF_STEP_DEINTERLACE] = "deinterlace",
        [CONF_STEP_FILTER] = "filter", [CONF_STEP_EXTERNAL] = "external"};
    return kind >= CONF_STEP_CROP && kind < CONF_STEP_END ? names[kind] : "unknown";
}

const char *conf_chain_text(const struct conf_chain *chain, struct conf_piece piece)
{
    return piece.size > 0 ? (const char *)chain->data + piece.at : "";
}

bool conf_chain_store(struct conf_chain *chain, const void *bytes, size_t size,
                      struct conf_piece *piece)
{
    if (size > sizeof chain->data - chain->used)
        return false;
    *piece = (struct conf_piece){(uint16_t)chain->used, (uint16_t)size};
    memcpy(chain->data + chain->used, bytes, size);
    chain->used += (uint32_t)size;
    chain->used += chain->used % 2;
    return true;
}

unsigned conf_chain_column(const struct conf_chain *chain, const struct conf_step *step,
                           unsigned offset)
{
    if (step->kind != CONF_STEP_FILTER || step->text_column == 0)
        return step->column;
    const char *text = conf_chain_text(chain, step->filter.graph);
    unsigned column = step->text_column;
    for (unsigned i = 0; i < offset && text[i]; i++)
        column += (text[i] & 0xc0) != 0x80;
    return column;
}

unsigned conf_chain_external(const struct conf_chain *chain, unsigned from)
{
    while (from < chain->count && chain->steps[from].kind != CONF_STEP_EXTERNAL)
        from++;
    return from;
}

bool conf_stage_name_valid(const char *name)
{
    static const char *const taken[] = {"raw", "out", "jpeg"};
    size_t length = strlen(name);
    if (!ring_id_valid(name) || length >= CONF_STAGE_SIZE)
        return false;
    if (length > 3 && strcmp(name + length - 3, "-in") == 0)
        return false;
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (strcmp(name, taken[i]) == 0)
            return false;
    return name[0] != 'v' || name[1] < '0' || name[1] > '9';
}

/* ---- pieces ---- */

static bool same_piece(const struct conf_chain *a, struct conf_piece first,
                       const struct conf_chain *b, struct conf_piece second)
{
    return first.size == second.size &&
           memcmp(a->data + first.at, b->data + second.at, first.size) == 0;
}

static bool is_inside(struct conf_piece piece)
{
    return piece.at <= CONF_CHAIN_BYTES && piece.size <= CONF_CHAIN_BYTES - piece.at;
}

static bool is_text(const struct conf_chain *chain, struct conf_piece piece)
{
    return is_inside(piece) && piece.size > 0 && chain->data[piece.at + piece.size - 1] == '\0';
}

/* ---- steps ---- */

static bool same_step(const struct conf_chain *a, const struct conf_step *first,
                      const struct conf_chain *b, const struct conf_step *second)
{
    if (first->kind != second->kind)
        return false;
    switch ((enum conf_step_kind)first->kind) {
    case CONF_STEP_CROP:
        return memcmp(&first->crop, &second->crop, sizeof first->crop) == 0;
    case CONF_STEP_SCALE:
        return memcmp(&first->scale, &second->scale, sizeof first->scale) == 0;
    case CONF_STEP_ROTATE:
        return first->rotate == second->rotate;
    case CONF_STEP_FLIP:
        return first->flip == second->flip;
    case CONF_STEP_MASK:
        return same_piece(a, first->mask.points, b, second->mask.points);
    case CONF_STEP_TEXT:
        return first->text.position == second->text.position &&
               first->text.size == second->text.size &&
               same_piece(a, first->text.text, b, second->text.text) &&
               same_piece(a, first->text.font, b, second->text.font);
    case CONF_STEP_FILTER:
        return same_piece(a, first->filter.graph, b, second->filter.graph);
    case CONF_STEP_EXTERNAL:
        return first->external.absent == second->external.absent &&
               first->external.timeout_ns == second->external.timeout_ns &&
               same_piece(a, first->external.name, b, second->external.name);
    case CONF_STEP_GRAY:
    case CONF_STEP_DEINTERLACE:
    case CONF_STEP_END:
        break;
    }
    return true;
}

bool conf_chain_same(const struct conf_chain *a, const struct conf_chain *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (!same_step(a, &a->steps[i], b, &b->steps[i]))
            return false;
    return true;
}

/* The polygons' counts add up to the piece. */
static bool valid_points(const struct conf_chain *chain, struct conf_piece piece)
{
    if (!is_inside(piece) || piece.at % 2 || piece.size % 2)
        return false;
    const uint8_t *at = chain->data + piece.at, *end = at + piece.size;
    while (at < end) {
        uint16_t count;
        memcpy(&count, at, sizeof count);
        size_t size = (1 + 2 * (size_t)count) * sizeof count;
        if (size > (size_t)(end - at))
            return false;
        at += size;
    }
    return true;
}

static bool valid_step(const struct conf_chain *chain, const struct conf_step *step)
{
    if (step->kind == CONF_STEP_MASK)
        return valid_points(chain, step->mask.points);
    if (step->kind == CONF_STEP_TEXT)
        return is_text(chain, step->text.text) &&
               (step->text.font.size == 0 || is_text(chain, step->text.font));
    if (step->kind == CONF_STEP_FILTER)
        return is_text(chain, step->filter.graph);
    if (step->kind == CONF_STEP_EXTERNAL)
        return is_text(chain, step->external.name) &&
               conf_stage_name_valid(conf_chain_text(chain, step->external.name)) &&
               step->external.timeout_ns > 0 && step->external.timeout_ns <= CONF_TIMEOUT_MAX;
    return step->kind >= CONF_STEP_CROP && step->kind < CONF_STEP_END;
}

bool conf_chain_valid(const struct conf_chain *chain)
{
    if (chain->count > CONF_CHAIN_STEPS || chain->used > sizeof chain->data)
        return false;
    unsigned externals = 0;
    for (uint32_t i = 0; i < chain->count; i++) {
        externals += chain->steps[i].kind == CONF_STEP_EXTERNAL;
        if (!valid_step(chain, &chain->steps[i]))
            return false;
    }
    return externals <= CONF_EXTERNALS;
}
