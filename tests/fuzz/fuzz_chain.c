/* Chains: a list of steps, or the description of a graph; what is made of them for libavfilter,
 * and whether that may be used.  None of it is run. */
#include "common/conf_private.h"
#include "common/filter_list.h"
#include "common/filter_text.h"
#include "common/step_text.h"
#include "encoder/chain_mask.h"
#include "encoder/chain_steps.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* All that is made of a graph that has been found good is allowed, and nothing of it is lost. */
static void read_graph(const char *text, bool is_good)
{
    static struct filter_entry entry;
    static struct filter_option option;
    struct filter_text reader;
    struct error err;
    int result;
    filter_text_begin(&reader, text);
    while ((result = filter_text_next(&reader, &entry, &err)) > 0) {
        size_t at = 0;
        int more;
        require(entry.offset < strlen(text) && entry.in_count <= FILTER_MAX_LABELS &&
                entry.out_count <= FILTER_MAX_LABELS);
        require(!is_good || filter_is_allowed(entry.name));
        while ((more = filter_text_option(&entry, &at, &option, &err)) > 0) {
            require(option.offset <= strlen(text) && at <= strlen(entry.args));
            require(!is_good || !filter_refuses(entry.name, option.key, option.value));
        }
        require(!is_good || more == 0);
    }
    require(!is_good || result == 0);
    require(result >= 0 || (err.code >= 0 && (size_t)err.code <= strlen(text)));
}

static void try_graph(const char *text)
{
    struct error err;
    bool is_good = filter_check(text, &err) == 0;
    read_graph(text, is_good);
    filter_graph_keeps_state(text);
}

static void try_mask(const struct conf_chain *chain, const struct conf_step *step)
{
    static uint8_t luma[64 * 48], chroma[2][32 * 24];
    struct chain_planes planes = {.data = {luma, chroma[0], chroma[1]},
                                  .stride = {64, 32, 32},
                                  .width = 64,
                                  .height = 48,
                                  .across = 1,
                                  .down = 1};
    const void *points = chain->data + step->mask.points.at;
    struct chain_mask *mask = chain_mask_create(points, step->mask.points.size / 2);
    require(mask && chain_mask_prepare(mask, 64, 48));
    chain_mask_paint(mask, &planes);
    chain_mask_destroy(mask);
}

static void try_step(const struct conf_chain *chain, unsigned number)
{
    const struct conf_step *step = &chain->steps[number];
    char text[CHAIN_STEP_SIZE], drawn[STEP_TEXT_SIZE];
    if (step->kind == CONF_STEP_MASK) {
        try_mask(chain, step);
    } else if (step->kind == CONF_STEP_TEXT) {
        step_text_expand(conf_chain_text(chain, step->text.text), "door", 0, drawn);
        for (const char *p = drawn; *p;)
            require(step_text_next(&p) != 0);
    }
    const char *font = conf_chain_text(chain, step->text.font);
    if (chain_steps_describe(chain, number, step->kind == CONF_STEP_TEXT ? font : "", text))
        read_graph(text, true);
}

static void try_steps(const char *text, size_t size)
{
    struct conf_chain chain;
    char *said = NULL;
    size_t length;
    struct conf_faults faults = {.file = "/fuzz.yaml"};
    struct conf_tree tree = conf_tree_read(text, size, &faults);
    FILE *out = open_memstream(&said, &length);
    require(out);
    if (tree.root)
        conf_steps_apply(&chain, tree.root, "chain", &faults);
    bool is_good = tree.root && !conf_faults_any(&faults);
    conf_faults_finish(&faults, out);
    fclose(out);
    free(said);
    if (tree.root)
        require(conf_chain_valid(&chain) && conf_chain_same(&chain, &chain));
    for (unsigned i = 0; is_good && i < chain.count; i++)
        try_step(&chain, i);
    conf_tree_free(&tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* exactly as long, so that reading beyond its end is found */
    char *text = malloc(size + 1);
    require(text);
    memcpy(text, data, size);
    text[size] = '\0';
    try_graph(text);
    try_steps(text, size);
    free(text);
    return 0;
}
