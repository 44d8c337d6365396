/* `chain:`, from the file's list to struct conf_chain.  What takes libavfilter to know is tried
 * later, by an encoder. */
#include "conf_private.h"

#include "filter_list.h"
#include "step_text.h"

#include <stdlib.h>
#include <string.h>

#define POINTS_MAX 500 /* of a polygon */

#define STEP(field) .offset = offsetof(struct conf_step, field)
#define PIXELS(least) .type = CONF_NUMBER, .min = (least), .max = RING_MAX_DIMENSION

static const char *const flip_names[] = {"horizontal", "vertical", NULL}; /* enum conf_flip */
static const char *const position_names[] = {                             /* enum conf_position */
                                             "top-left",     "top",   "top-right",   "left",
                                             "center",       "right", "bottom-left", "bottom",
                                             "bottom-right", NULL};

/* Keys without a fallback are needed, but for scale's. */
static const struct conf_option crop_keys[] = {{"x", STEP(crop.x), PIXELS(0), .fallback = "0"},
                                               {"y", STEP(crop.y), PIXELS(0), .fallback = "0"},
                                               {"width", STEP(crop.width), PIXELS(1)},
                                               {"height", STEP(crop.height), PIXELS(1)},
                                               {.path = NULL}};
static const struct conf_option scale_keys[] = {{"width", STEP(scale.width), PIXELS(1)},
                                                {"height", STEP(scale.height), PIXELS(1)},
                                                {.path = NULL}};
static const struct conf_option text_keys[] = {
    {"text", STEP(text.text), .type = CONF_SOURCE},
    {"position", STEP(text.position), .type = CONF_CHOICE, .names = position_names,
     .fallback = "top-left"},
    {"size", STEP(text.size), .type = CONF_NUMBER, .min = 4, .max = 512, .fallback = "24"},
    {"font", STEP(text.font), .type = CONF_FILE, .fallback = ""},
    {.path = NULL}};
static const char *const absent_names[] = {"raw", "placeholder", NULL}; /* enum conf_absent */
static const struct conf_option external_keys[] = {
    {"name", STEP(external.name), .type = CONF_NAME},
    {"timeout", STEP(external.timeout_ns), .type = CONF_DURATION, .min = 1000 * 1000,
     .max = CONF_TIMEOUT_MAX, .fallback = "200ms"},
    {"absent", STEP(external.absent), .type = CONF_CHOICE, .names = absent_names,
     .fallback = "raw"},
    {.path = NULL}};
static const struct conf_option flip_value = {"flip", STEP(flip), .type = CONF_CHOICE,
                                              .names = flip_names};

struct reader {
    struct conf_chain *chain;
    struct conf_step step;
    const char *where; /* "cameras.door.chain" */
    const char *name;  /* of the step */
    struct conf_faults *faults;
};

/* ---- faults ---- */

static void steps_fault(struct reader *reader, const struct conf_node *node, const char *words)
{
    conf_fault(reader->faults, node->line, node->column, "%s: %s%s%s", reader->where,
               reader->name ? reader->name : "", reader->name ? ": " : "", words);
}

static bool fault_expected(struct reader *reader, const struct conf_node *node,
                           const char *expected)
{
    char quote[CONF_QUOTE_SIZE], words[320];
    const char *is = node->missing                    ? "empty"
                     : node->kind == CONF_NODE_SCALAR ? conf_quote(node->text, quote)
                                                      : conf_node_kind_name(node);
    snprintf(words, sizeof words, "must be %s, not %s", expected, is);
    steps_fault(reader, node, words);
    return false;
}

/* For a place within a text; `offset` counts its bytes. */
static void fault_inside(struct reader *reader, const struct conf_node *node, const char *text,
                         size_t offset, const char *words)
{
    struct conf_node at = *node;
    if (node->text_column > 0 && strcmp(node->text, text) == 0) {
        at.column = node->text_column;
        for (size_t i = 0; i < offset; i++)
            at.column += (node->text[i] & 0xc0) != 0x80;
    }
    steps_fault(reader, &at, words);
}

/* ---- values ---- */

/* False, with the fault, if it is no single value, or can't be expanded. */
static bool read_scalar(struct reader *reader, const struct conf_node *node, const char *expected,
                        char out[static CONF_VALUE_SIZE])
{
    if (node->kind != CONF_NODE_SCALAR || node->missing)
        return fault_expected(reader, node, expected);
    return conf_expand(node, false, out, reader->faults);
}

static bool steps_store(struct reader *reader, const struct conf_node *node, const void *bytes,
                        size_t size, struct conf_piece *piece)
{
    char words[96];
    if (conf_chain_store(reader->chain, bytes, size, piece))
        return true;
    snprintf(words, sizeof words, "all texts and points of the chain together exceed %d bytes",
             CONF_CHAIN_BYTES);
    steps_fault(reader, node, words);
    return false;
}

static bool read_text(struct reader *reader, const struct conf_node *node)
{
    char text[CONF_VALUE_SIZE];
    size_t at;
    if (!read_scalar(reader, node, "a text", text))
        return false;
    const char *wrong = step_text_wrong(text, &at);
    if (wrong) {
        fault_inside(reader, node, text, at, wrong);
        return false;
    }
    return steps_store(reader, node, text, strlen(text) + 1, &reader->step.text.text);
}

static bool read_font(struct reader *reader, const struct conf_node *node)
{
    char text[CONF_VALUE_SIZE], path[CONF_FILE_SIZE];
    if (!read_scalar(reader, node, "the path of a font's file", text))
        return false;
    if (!conf_file_resolve(reader->faults->file, text, path)) {
        steps_fault(reader, node, "the path is empty or too long");
        return false;
    }
    return steps_store(reader, node, path, strlen(path) + 1, &reader->step.text.font);
}

/* Of an external step: the name of the ring that its program writes. */
static bool read_stage_name(struct reader *reader, const struct conf_node *node)
{
    static const char expected[] =
        "a name of up to 20 characters a-z 0-9 _ -, other than raw, out, "
        "jpeg, v0 and so on, not ending in -in";
    const struct conf_chain *chain = reader->chain;
    char text[CONF_VALUE_SIZE];
    if (!read_scalar(reader, node, expected, text))
        return false;
    if (!conf_stage_name_valid(text))
        return fault_expected(reader, node, expected);
    for (unsigned i = 0; i < chain->count; i++)
        if (chain->steps[i].kind == CONF_STEP_EXTERNAL &&
            strcmp(conf_chain_text(chain, chain->steps[i].external.name), text) == 0) {
            steps_fault(reader, node, "another external step of this chain has that name");
            return false;
        }
    return steps_store(reader, node, text, strlen(text) + 1, &reader->step.external.name);
}

static bool read_value(struct reader *reader, const struct conf_option *option,
                       const struct conf_node *node)
{
    char text[CONF_VALUE_SIZE], expected[160];
    if (option->type == CONF_NAME)
        return read_stage_name(reader, node);
    if (option->type == CONF_SOURCE)
        return read_text(reader, node);
    if (option->type == CONF_FILE)
        return read_font(reader, node);
    conf_value_expected(option, expected, sizeof expected);
    if (!read_scalar(reader, node, expected, text))
        return false;
    return conf_value_parse(option, text, &reader->step) || fault_expected(reader, node, expected);
}

static const struct conf_node *find_child(const struct conf_node *map, const char *key)
{
    for (const struct conf_node *node = map->first; node; node = node->next)
        if (node->key->kind == CONF_NODE_SCALAR && strcmp(node->key->text, key) == 0)
            return node;
    return NULL;
}

static const struct conf_option *find_key(const struct conf_option *keys, const char *name)
{
    for (; keys->path; keys++)
        if (strcmp(keys->path, name) == 0)
            return keys;
    return NULL;
}

static bool refuse_unknown(struct reader *reader, const struct conf_option *keys,
                           const struct conf_node *map)
{
    bool ok = true;
    for (const struct conf_node *node = map->first; node; node = node->next) {
        char words[320], quote[CONF_QUOTE_SIZE];
        if (node->key->kind != CONF_NODE_SCALAR || find_key(keys, node->key->text))
            continue;
        int used = snprintf(words, sizeof words, "has no key %s; there are",
                            conf_quote(node->key->text, quote));
        for (const struct conf_option *key = keys; key->path; key++)
            used += snprintf(words + used, sizeof words - (size_t)used, "%s %s",
                             key == keys ? "" : ",", key->path);
        steps_fault(reader, node->key, words);
        ok = false;
    }
    return ok;
}

static bool read_map(struct reader *reader, const struct conf_option *keys,
                     const struct conf_node *map)
{
    if (map->kind != CONF_NODE_MAP)
        return fault_expected(reader, map, "a mapping like {width: 640}");
    bool ok = refuse_unknown(reader, keys, map);
    for (const struct conf_option *key = keys; key->path; key++) {
        char words[64];
        const struct conf_node *node = find_child(map, key->path);
        if (node) {
            ok = read_value(reader, key, node) && ok;
        } else if (key->fallback && key->fallback[0]) {
            conf_value_parse(key, key->fallback, &reader->step);
        } else if (!key->fallback && keys != scale_keys) {
            snprintf(words, sizeof words, "needs %s", key->path);
            steps_fault(reader, map->key, words);
            ok = false;
        }
    }
    return ok;
}

/* ---- steps ---- */

static bool read_crop(struct reader *reader, const struct conf_node *node)
{
    return read_map(reader, crop_keys, node);
}

static bool read_scale(struct reader *reader, const struct conf_node *node)
{
    if (!read_map(reader, scale_keys, node))
        return false;
    if (reader->step.scale.width > 0 || reader->step.scale.height > 0)
        return true;
    steps_fault(reader, node, "needs width or height; the other one follows from the picture");
    return false;
}

static bool read_rotate(struct reader *reader, const struct conf_node *node)
{
    static const char *const turns[] = {"90", "180", "270"};
    static const char expected[] = "90, 180 or 270, which turns clockwise";
    char text[CONF_VALUE_SIZE];
    if (!read_scalar(reader, node, expected, text))
        return false;
    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(text, turns[i]) == 0) {
            reader->step.rotate = 90 * (i + 1);
            return true;
        }
    }
    return fault_expected(reader, node, expected);
}

static bool read_flip(struct reader *reader, const struct conf_node *node)
{
    return read_value(reader, &flip_value, node);
}

static bool read_point_number(struct reader *reader, const struct conf_node *node, uint16_t *out)
{
    static const struct conf_option option = {"mask", PIXELS(0)};
    char text[CONF_VALUE_SIZE], expected[160];
    unsigned value;
    conf_value_expected(&option, expected, sizeof expected);
    if (!read_scalar(reader, node, expected, text))
        return false;
    if (!conf_value_parse(&option, text, &value))
        return fault_expected(reader, node, expected);
    *out = (uint16_t)value;
    return true;
}

/* Writes how many points it has, and the points. */
static bool read_polygon(struct reader *reader, const struct conf_node *node,
                         uint16_t out[static 1 + 2 * POINTS_MAX], size_t *count)
{
    if (node->kind != CONF_NODE_LIST)
        return fault_expected(reader, node, "a list of polygons, each a list [x, y, x, y, …]");
    *count = 1;
    for (const struct conf_node *number = node->first; number; number = number->next) {
        if (*count == 1 + 2 * POINTS_MAX) {
            steps_fault(reader, node, "a polygon has too many points");
            return false;
        }
        if (!read_point_number(reader, number, &out[(*count)++]))
            return false;
    }
    out[0] = (uint16_t)(*count / 2);
    if (*count >= 7 && *count % 2 == 1)
        return true;
    steps_fault(reader, node, "a polygon needs at least three points, x and y of each");
    return false;
}

static bool read_mask(struct reader *reader, const struct conf_node *node)
{
    uint16_t polygon[1 + 2 * POINTS_MAX];
    size_t count = 0, bytes = 0;
    bool ok = true;
    if (node->kind != CONF_NODE_LIST || !node->first)
        return fault_expected(reader, node, "a list of polygons, each a list [x, y, x, y, …]");
    struct conf_piece all = {0}, piece;
    for (const struct conf_node *entry = node->first; entry; entry = entry->next) {
        if (!read_polygon(reader, entry, polygon, &count) ||
            !steps_store(reader, entry, polygon, count * sizeof *polygon, &piece)) {
            ok = false;
            continue;
        }
        if (bytes == 0)
            all.at = piece.at;
        bytes += piece.size; /* even, so that they lie one behind the other */
    }
    all.size = (uint16_t)bytes;
    reader->step.mask.points = all;
    return ok;
}

static bool read_text_step(struct reader *reader, const struct conf_node *node)
{
    if (!read_map(reader, text_keys, node))
        return false;
    const struct conf_node *font = find_child(node, "font");
    const struct conf_node *place = font ? font : find_child(node, "text");
    reader->step.line = place->line;
    reader->step.column = place->column;
    return true;
}

static bool read_filter(struct reader *reader, const struct conf_node *node)
{
    char text[CONF_VALUE_SIZE];
    struct error err;
    if (!read_scalar(reader, node, "a graph of filters like \"hqdn3d,eq=contrast=1.1\"", text))
        return false;
    if (filter_check(text, &err) < 0) {
        fault_inside(reader, node, text, (size_t)err.code, err.text);
        return false;
    }
    reader->step.text_column = strcmp(text, node->text) == 0 ? node->text_column : 0;
    return steps_store(reader, node, text, strlen(text) + 1, &reader->step.filter.graph);
}

static bool read_external(struct reader *reader, const struct conf_node *node)
{
    unsigned before = 0;
    for (unsigned i = 0; i < reader->chain->count; i++)
        before += reader->chain->steps[i].kind == CONF_STEP_EXTERNAL;
    if (before < CONF_EXTERNALS)
        return read_map(reader, external_keys, node);
    steps_fault(reader, node, "a chain can have two external steps");
    return false;
}

static bool read_nothing(struct reader *reader, const struct conf_node *node)
{
    return node->missing || fault_expected(reader, node, "without a value");
}

static const struct {
    bool (*read)(struct reader *reader, const struct conf_node *node);
    enum conf_step_kind kind;
    bool alone; /* may stand as a word, without a value */
} kinds[] = {
    {read_crop, CONF_STEP_CROP, false},     {read_scale, CONF_STEP_SCALE, false},
    {read_rotate, CONF_STEP_ROTATE, false}, {read_flip, CONF_STEP_FLIP, false},
    {read_mask, CONF_STEP_MASK, false},     {read_text_step, CONF_STEP_TEXT, false},
    {read_nothing, CONF_STEP_GRAY, true},   {read_nothing, CONF_STEP_DEINTERLACE, true},
    {read_filter, CONF_STEP_FILTER, false}, {read_external, CONF_STEP_EXTERNAL, false},
};

#define KINDS (sizeof kinds / sizeof *kinds)

/* For people; a line each. */
static const char *const descriptions[] = {
    ("- crop: {x: 0, y: 0, width: 1280, height: 720}: only that part; x and y may be left out. "
     "Where "
     "colours are coarser than the picture, x, y and both sizes become even."),
    "- scale: {width: 640}: to that width, that height, or both; one alone keeps the proportions.",
    "- rotate: 90: clockwise; or 180, 270.",
    "- flip: horizontal: left and right change sides; or vertical.",
    "- mask: [[0,0, 200,0, 200,80]]: polygons that become black, each a list x, y, x, y, ...",
    ("- text: {text: \"%{camera} %F %T\", position: top-left, size: 24}: white on a dark ground; "
     "%{camera} is the camera's id, other % are strftime(3)'s for the picture's local time. "
     "position: also top, top-right, left, center, right, bottom-left, bottom, bottom-right; size: "
     "4 to 512 pixels; font: path of a font's file, if none that is installed should be chosen by "
     "the text's letters."),
    "- gray: without colours.",
    "- deinterlace: full pictures out of half ones; each comes one picture later.",
    ("- filter: \"hqdn3d,eq=contrast=1.1\": any graph of libavfilter's filters, with one input and "
     "one output, that reach no files, sockets or devices (ffmpeg-filters(1))."),
    ("- external: {name: detector, timeout: 200ms, absent: raw}: to a program of yours and back. "
     "It "
     "reads the camera's raw ring or, where steps come before, the ring CAMERA.detector-in, and "
     "writes the ring CAMERA.detector. While it is not attached, or has given no picture for "
     "timeout (1 ms to 60 s), pictures go on without it; with absent: placeholder none do, and "
     "viewers are told. At most two in a chain."),
};

void conf_steps_describe(FILE *out)
{
    for (size_t i = 0; i < sizeof descriptions / sizeof *descriptions; i++)
        fprintf(out, "    %s\n", descriptions[i]);
    fprintf(out, "    Filters of one picture at a time: %s.\n", filter_list_plain);
    fprintf(out, "    Filters that remember pictures, or change with time: %s.\n",
            filter_list_keeping);
}

/* ---- the list ---- */

static void steps_fault_unknown(struct reader *reader, const struct conf_node *node)
{
    char words[320], quote[CONF_QUOTE_SIZE];
    int used =
        snprintf(words, sizeof words, "unknown step %s; there are", conf_quote(node->text, quote));
    for (size_t i = 0; i < KINDS; i++)
        used += snprintf(words + used, sizeof words - (size_t)used, "%s %s", i > 0 ? "," : "",
                         conf_step_name(kinds[i].kind));
    steps_fault(reader, node, words);
}

/* `name` is the word for the step, `value` what belongs to it. */
static void read_step(struct reader *reader, const struct conf_node *name,
                      const struct conf_node *value)
{
    size_t i = 0;
    while (i < KINDS && strcmp(conf_step_name(kinds[i].kind), name->text) != 0)
        i++;
    if (i == KINDS) {
        steps_fault_unknown(reader, name);
        return;
    }
    reader->name = conf_step_name(kinds[i].kind);
    reader->step =
        (struct conf_step){.kind = kinds[i].kind, .line = value->line, .column = value->column};
    if (name == value && !kinds[i].alone)
        steps_fault(reader, name, "needs a value: \"NAME: VALUE\"");
    else if (reader->chain->count == CONF_CHAIN_STEPS)
        steps_fault(reader, name, "one step too many: there can be 16");
    else if (name == value || kinds[i].read(reader, value))
        reader->chain->steps[reader->chain->count++] = reader->step;
    reader->name = NULL;
}

void conf_steps_apply(struct conf_chain *chain, const struct conf_node *node, const char *where,
                      struct conf_faults *faults)
{
    struct reader reader = {.chain = chain, .where = where, .faults = faults};
    *chain = (struct conf_chain){0};
    if (node->missing)
        return;
    if (node->kind != CONF_NODE_LIST) {
        fault_expected(&reader, node, "a list of steps");
        return;
    }
    for (const struct conf_node *entry = node->first; entry; entry = entry->next) {
        if (entry->kind == CONF_NODE_SCALAR && !entry->missing)
            read_step(&reader, entry, entry);
        else if (entry->kind != CONF_NODE_MAP || !entry->first)
            fault_expected(&reader, entry, "a step, like \"gray\" or \"scale: {width: 640}\"");
        else if (entry->first->next)
            steps_fault(&reader, entry->first->next->key, "each step has a dash (-) of its own");
        else if (entry->first->key->kind == CONF_NODE_SCALAR)
            read_step(&reader, entry->first->key, entry->first);
    }
}
