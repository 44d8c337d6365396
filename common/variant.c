#include "variant.h"

#include "ring_store.h"

#include <stdio.h>
#include <string.h>

#define QUALITY_STEP 5
#define QUALITY_MIN 10
#define QUALITY_MAX 95

/* A word: variant_pack << 32 | users. */
#define USERS UINT64_C(0xffffffff)

_Static_assert(RING_MAX_WAKERS <= 32, "a bit for each server");

/* ---- which variants there can be ---- */

static unsigned round_width(unsigned width, unsigned source_width)
{
    static const unsigned ladder[] = {160, 240,  320,  480,  640,  800,
                                      960, 1280, 1600, 1920, 2560, 3840};
    unsigned step = 0;
    if (width == 0)
        return 0;
    while (step < sizeof ladder / sizeof *ladder && ladder[step] < width)
        step++;
    if (step == sizeof ladder / sizeof *ladder ||
        (source_width > 0 && ladder[step] >= source_width))
        return 0;
    return ladder[step];
}

static unsigned round_quality(unsigned quality, unsigned source_quality)
{
    if (quality == 0)
        return 0;
    unsigned rounded = (quality + QUALITY_STEP / 2) / QUALITY_STEP * QUALITY_STEP;
    rounded = rounded < QUALITY_MIN ? QUALITY_MIN : rounded > QUALITY_MAX ? QUALITY_MAX : rounded;
    return rounded == source_quality || quality == source_quality ? 0 : rounded;
}

struct variant variant_round(unsigned width, unsigned quality, unsigned source_width,
                             unsigned source_quality)
{
    return (struct variant){.width = (uint16_t)round_width(width, source_width),
                            .quality = (uint8_t)round_quality(quality, source_quality)};
}

void variant_size(struct variant variant, uint32_t width, uint32_t height, uint32_t *out_width,
                  uint32_t *out_height)
{
    *out_width = width;
    *out_height = height;
    if (variant.width == 0 || variant.width >= width)
        return;
    uint64_t even = ((uint64_t)height * variant.width + width) / (2 * (uint64_t)width) * 2;
    *out_width = variant.width;
    *out_height = even < 2 ? 2 : even > RING_MAX_DIMENSION ? RING_MAX_DIMENSION : (uint32_t)even;
}

uint32_t variant_pack(struct variant variant)
{
    return (uint32_t)variant.width << 8 | variant.quality;
}

struct variant variant_unpack(uint32_t packed)
{
    return (struct variant){.width = (uint16_t)(packed >> 8), .quality = (uint8_t)packed};
}

const char *variant_text(struct variant variant, char out[static VARIANT_TEXT_SIZE])
{
    int used = 0;
    out[0] = '\0';
    if (variant.width > 0)
        used = snprintf(out, VARIANT_TEXT_SIZE, "%uw", variant.width);
    if (variant.quality > 0)
        snprintf(out + used, VARIANT_TEXT_SIZE - (size_t)used, "%sq%u", used ? " " : "",
                 variant.quality);
    return out;
}

/* ---- which servers use one ---- */

static uint64_t load_word(const struct variant_words *words, unsigned slot)
{
    return atomic_load(&words->slot[slot]);
}

/* The slot that has the variant and users, else the first without users; -1: neither.  *word is
 * what was there. */
static int choose_slot(const struct variant_words *words, uint32_t variant, uint64_t *word)
{
    int empty = -1;
    uint64_t found = 0;
    for (unsigned i = 0; i < VARIANT_SLOTS; i++) {
        uint64_t there = load_word(words, i);
        if (there >> 32 == variant && (there & USERS) != 0) {
            *word = there;
            return (int)i;
        }
        if (empty < 0 && (there & USERS) == 0) {
            empty = (int)i;
            found = there;
        }
    }
    *word = found;
    return empty;
}

int variant_join(struct variant_words *words, unsigned server, struct variant wanted)
{
    uint32_t variant = variant_pack(wanted);
    uint64_t word, me = UINT64_C(1) << server;
    int slot;
    if (variant == 0 || server >= RING_MAX_WAKERS)
        return -1;
    while ((slot = choose_slot(words, variant, &word)) >= 0) {
        if (ring_swap_u64(&words->slot[slot], word, (uint64_t)variant << 32 | (word & USERS) | me,
                          memory_order_seq_cst))
            return slot;
    }
    return -1;
}

static void clear_user(_Atomic uint64_t *word, unsigned server)
{
    uint64_t me = UINT64_C(1) << server, there;
    while (((there = atomic_load(word)) & me) != 0 &&
           !ring_swap_u64(word, there, there & ~me, memory_order_seq_cst))
        continue;
}

void variant_leave(struct variant_words *words, unsigned server, unsigned slot)
{
    if (server < RING_MAX_WAKERS && slot < VARIANT_SLOTS)
        clear_user(&words->slot[slot], server);
}

void variant_clear_server(struct variant_words *words, unsigned server)
{
    for (unsigned i = 0; i < VARIANT_SLOTS; i++)
        variant_leave(words, server, i);
}

bool variant_wanted(const struct variant_words *words, unsigned slot, struct variant *out)
{
    uint64_t word = load_word(words, slot);
    *out = variant_unpack((uint32_t)(word >> 32));
    return (word & USERS) != 0;
}

bool variant_any_wanted(const struct variant_words *words)
{
    atomic_thread_fence(memory_order_seq_cst);
    for (unsigned i = 0; i < VARIANT_SLOTS; i++)
        if ((load_word(words, i) & USERS) != 0)
            return true;
    return false;
}

bool variant_was_wanted(const struct variant_words *words, unsigned slot)
{
    return load_word(words, slot) != 0;
}
