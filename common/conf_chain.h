/* conf_chain.h: what is done to a camera's pictures before they are encoded (`chain:`): steps, in
 * order.  Plain data without pointers, as it travels to children with its camera. */
#ifndef CAMRING_CONF_CHAIN_H
#define CAMRING_CONF_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONF_CHAIN_STEPS 16
#define CONF_CHAIN_BYTES 4000                       /* texts and points of all steps together */
#define CONF_EXTERNALS 2                            /* external steps of a chain */
#define CONF_TIMEOUT_MAX (INT64_C(60) * 1000000000) /* of one, in ns */
#define CONF_STAGE_SIZE 21                          /* the name of one, with its NUL */

enum conf_step_kind {
    CONF_STEP_CROP = 1,
    CONF_STEP_SCALE,
    CONF_STEP_ROTATE,
    CONF_STEP_FLIP,
    CONF_STEP_MASK,
    CONF_STEP_TEXT,
    CONF_STEP_GRAY,
    CONF_STEP_DEINTERLACE,
    CONF_STEP_FILTER,
    CONF_STEP_EXTERNAL,
    CONF_STEP_END
};

enum conf_flip { CONF_FLIP_HORIZONTAL, CONF_FLIP_VERTICAL };

enum conf_position {
    CONF_TOP_LEFT,
    CONF_TOP,
    CONF_TOP_RIGHT,
    CONF_LEFT,
    CONF_CENTER,
    CONF_RIGHT,
    CONF_BOTTOM_LEFT,
    CONF_BOTTOM,
    CONF_BOTTOM_RIGHT
};

/* What becomes of pictures while the program is absent or late. */
enum conf_absent { CONF_ABSENT_RAW, CONF_ABSENT_PLACEHOLDER };

/* A piece of conf_chain.data: a text, ended by a NUL that `size` counts, or uint16_t numbers. */
struct conf_piece {
    uint16_t at, size;
};

/* Pixels count from the top left corner of the picture as the steps before have made it. */
struct conf_step {
    uint32_t kind; /* enum conf_step_kind */
    /* where its value stands in the file; conf_chain_same ignores these */
    uint32_t line, column;
    uint32_t text_column; /* where the first character of its text stands; 0: not as it is used */
    union {
        struct {
            uint32_t x, y, width, height;
        } crop;
        struct {
            uint32_t width, height; /* one of them may be 0: by the picture's proportions */
        } scale;
        uint32_t rotate; /* clockwise: 90, 180 or 270 */
        uint32_t flip;   /* enum conf_flip */
        struct {
            struct conf_piece points; /* of each polygon: how many, then x, y, x, y … */
        } mask;
        struct {
            struct conf_piece text, font; /* font: path of its file, size 0: chosen by the text */
            uint32_t position;            /* enum conf_position */
            uint32_t size;                /* height of a line in pixels */
        } text;
        struct {
            struct conf_piece graph; /* as libavfilter describes it */
        } filter;
        struct {
            struct conf_piece name;
            uint32_t absent;    /* enum conf_absent */
            int64_t timeout_ns; /* how long a picture of the program is waited for */
        } external;
    };
};

struct conf_chain {
    uint32_t count; /* 0: pictures are encoded as they come */
    uint32_t used;  /* of data */
    struct conf_step steps[CONF_CHAIN_STEPS];
    _Alignas(2) uint8_t data[CONF_CHAIN_BYTES];
};

const char *conf_step_name(enum conf_step_kind kind); /* "crop" …: the key in the file */

/* The text of a piece; "" for one of size 0. */
const char *conf_chain_text(const struct conf_chain *chain, struct conf_piece piece);

/* Stores a copy of `size` bytes, at an even place; false if there is no room. */
bool conf_chain_store(struct conf_chain *chain, const void *bytes, size_t size,
                      struct conf_piece *piece);

/* The column in the file of what stands at `offset` of the text of a filter. */
unsigned conf_chain_column(const struct conf_chain *chain, const struct conf_step *step,
                           unsigned offset);

/* The number of the first external step at or after `from`; chain->count if there is none. */
unsigned conf_chain_external(const struct conf_chain *chain, unsigned from);

/* True if `name` can be that of an external step: [a-z0-9][a-z0-9_-]{0,19}, and not what names
 * another ring of a camera. */
bool conf_stage_name_valid(const char *name);

/* True if both do the same to a picture. */
bool conf_chain_same(const struct conf_chain *a, const struct conf_chain *b);

/* False if a piece lies outside of the data, a text has no end, or a kind is unknown: for chains
 * that come from another process. */
bool conf_chain_valid(const struct conf_chain *chain);

#endif
