/* DESIGN: YAML text to a tree of nodes that know their places.
 *
 * libyaml's events are turned into nodes with a stack instead of recursion.  Refused here, so that
 * no later step has to handle it: anchors and aliases (they allow cycles and exponential growth),
 * tags, several documents, NUL bytes, deep nesting, too many values. Duplicate keys are found when
 * a mapping ends.  After a syntax error the nodes read so far stay, so that their faults are
 * reported as well. */
#include "conf_private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#define DEPTH_MAX 32
#define NODES_MAX 200000

struct builder {
    yaml_parser_t parser;
    const char *text;
    size_t size;
    struct conf_faults *faults;
    struct conf_tree tree;
    struct conf_node *stack[DEPTH_MAX];
    struct conf_node *pending[DEPTH_MAX]; /* a mapping's key that waits for its value */
    unsigned depth, nodes, documents;
};

static void node_free(struct conf_node *node)
{
    while (node) {
        struct conf_node *next = node->next;
        node_free(node->key);
        node_free(node->first);
        free(node->text);
        free(node);
        node = next;
    }
}

void conf_tree_free(struct conf_tree *tree)
{
    node_free(tree->root);
    tree->root = NULL;
}

const char *conf_node_kind_name(const struct conf_node *node)
{
    if (node->kind == CONF_NODE_SCALAR)
        return "a single value";
    return node->kind == CONF_NODE_LIST ? "a list" : "a mapping";
}

static void fault_at_mark(struct builder *builder, yaml_mark_t mark, const char *text)
{
    conf_fault(builder->faults, (unsigned)mark.line + 1, (unsigned)mark.column + 1, "%s", text);
}

/* Finds line and column of a byte offset. Returns the line. */
static unsigned fault_at_offset(struct builder *builder, size_t offset, const char *text)
{
    unsigned line = 1, column = 1;
    for (size_t i = 0; i < offset && i < builder->size; i++) {
        if (builder->text[i] == '\n') {
            line++;
            column = 1;
        } else if ((builder->text[i] & 0xc0) != 0x80) {
            column++;
        }
    }
    conf_fault(builder->faults, line, column, "%s", text);
    return line;
}

/* Stops reading: faults from this line on are not reported. */
static void cut_tree(struct builder *builder, size_t line)
{
    builder->tree.partial = true;
    builder->tree.end_line = (unsigned)line + 1;
}

/* Adds an explanation to libyaml's messages that are hard to understand. */
static const char *syntax_hint(const char *problem)
{
    if (strstr(problem, "mapping values are not allowed"))
        return "; a value with a colon at its end or before a space needs quotes";
    if (strstr(problem, "cannot start any token"))
        return "; indent with spaces, not with tabs, and put quotes around values with special "
               "characters";
    return "";
}

static void fault_syntax(struct builder *builder)
{
    const yaml_parser_t *parser = &builder->parser;
    const char *problem = parser->problem ? parser->problem : "not YAML";
    char text[256];
    if (parser->error == YAML_MEMORY_ERROR) {
        conf_fault(builder->faults, 1, 1, "out of memory");
        cut_tree(builder, 0);
    } else if (parser->error == YAML_READER_ERROR) {
        snprintf(text, sizeof text, "the file is not UTF-8 text: %s", problem);
        cut_tree(builder, fault_at_offset(builder, parser->problem_offset, text) - 1);
    } else {
        snprintf(text, sizeof text, "YAML: %s%s%s", problem, parser->context ? " " : "",
                 parser->context ? parser->context : "");
        size_t used = strlen(text);
        if (parser->context && parser->context_mark.line != parser->problem_mark.line)
            used += (size_t)snprintf(text + used, sizeof text - used, " that begins at line %zu",
                                     parser->context_mark.line + 1);
        snprintf(text + used, sizeof text - used, "%s", syntax_hint(problem));
        cut_tree(builder, parser->problem_mark.line);
        fault_at_mark(builder, parser->problem_mark, text);
    }
}

/* True if the scalar is one of YAML's forms of null. */
static bool is_null(const yaml_event_t *event)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp((const char *)event->data.scalar.value, words[i]) == 0)
            return true;
    return false;
}

/* The column of text[0] in the file; 0 if the text has escapes or folded lines there, so that
 * columns don't correspond. */
static unsigned text_column(const yaml_event_t *event, const char *text)
{
    bool quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    size_t width = quoted ? 2 : 0;
    for (const char *p = text; *p; p++)
        width += (*p & 0xc0) != 0x80;
    yaml_mark_t from = event->start_mark, to = event->end_mark;
    if (from.line != to.line || to.column - from.column != width)
        return 0;
    return (unsigned)from.column + 1 + quoted;
}

static struct conf_node *node_create(struct builder *builder, const yaml_event_t *event,
                                     enum conf_node_kind kind)
{
    struct conf_node *node = calloc(1, sizeof *node);
    if (!node) {
        fault_at_mark(builder, event->start_mark, "out of memory");
        return NULL;
    }
    node->kind = kind;
    node->line = (unsigned)event->start_mark.line + 1;
    node->column = (unsigned)event->start_mark.column + 1;
    if (kind != CONF_NODE_SCALAR)
        return node;

    const char *value = (const char *)event->data.scalar.value;
    node->text = strdup(value);
    if (!node->text) {
        fault_at_mark(builder, event->start_mark, "out of memory");
        free(node);
        return NULL;
    }
    if (strlen(value) != event->data.scalar.length)
        fault_at_mark(builder, event->start_mark, "the value contains a NUL character");
    node->missing = is_null(event);
    node->text_column = text_column(event, node->text);
    return node;
}

/* Adds the node to the innermost open list or mapping. */
static void attach_node(struct builder *builder, struct conf_node *node)
{
    if (builder->depth == 0) {
        builder->tree.root = node;
        return;
    }
    struct conf_node *parent = builder->stack[builder->depth - 1],
                     **pending = &builder->pending[builder->depth - 1];
    if (parent->kind == CONF_NODE_MAP && !*pending) {
        *pending = node;
        if (node->kind != CONF_NODE_SCALAR)
            conf_fault(builder->faults, node->line, node->column, "a key must be a word, not %s",
                       conf_node_kind_name(node));
        return;
    }
    if (parent->kind == CONF_NODE_MAP) {
        node->key = *pending;
        *pending = NULL;
    }
    if (parent->last)
        parent->last->next = node;
    else
        parent->first = node;
    parent->last = node;
}

static bool refuse_extras(struct builder *builder, const yaml_event_t *event,
                          const unsigned char *anchor, const unsigned char *tag)
{
    if (anchor)
        fault_at_mark(builder, event->start_mark,
                      "anchors (&name) are not supported: use \"defaults\" for what cameras share");
    if (tag)
        fault_at_mark(builder, event->start_mark, "tags (!name) are not supported");
    if (++builder->nodes <= NODES_MAX)
        return true;
    fault_at_mark(builder, event->start_mark, "too many values in one file");
    cut_tree(builder, event->start_mark.line);
    return false;
}

static bool on_scalar(struct builder *builder, const yaml_event_t *event)
{
    if (!refuse_extras(builder, event, event->data.scalar.anchor, event->data.scalar.tag))
        return false;
    struct conf_node *node = node_create(builder, event, CONF_NODE_SCALAR);
    if (node)
        attach_node(builder, node);
    return node;
}

static bool on_start(struct builder *builder, const yaml_event_t *event, enum conf_node_kind kind)
{
    bool list = kind == CONF_NODE_LIST;
    const unsigned char *anchor =
        list ? event->data.sequence_start.anchor : event->data.mapping_start.anchor;
    const unsigned char *tag =
        list ? event->data.sequence_start.tag : event->data.mapping_start.tag;
    if (!refuse_extras(builder, event, anchor, tag))
        return false;
    if (builder->depth == DEPTH_MAX) {
        fault_at_mark(builder, event->start_mark, "nested too deeply");
        cut_tree(builder, event->start_mark.line);
        return false;
    }
    struct conf_node *node = node_create(builder, event, kind);
    if (!node)
        return false;
    attach_node(builder, node);
    builder->pending[builder->depth] = NULL;
    builder->stack[builder->depth++] = node;
    return true;
}

static int by_key(const void *a, const void *b)
{
    const struct conf_node *first = (*(struct conf_node *const *)a)->key,
                           *second = (*(struct conf_node *const *)b)->key;
    int order = strcmp(first->text, second->text);
    if (order == 0)
        order = first->line != second->line ? (first->line < second->line ? -1 : 1)
                                            : (first->column < second->column ? -1 : 1);
    return order;
}

static void tree_check_duplicates(struct builder *builder, const struct conf_node *map)
{
    size_t count = 0;
    for (const struct conf_node *node = map->first; node; node = node->next)
        count += node->key->kind == CONF_NODE_SCALAR;
    if (count < 2)
        return;
    const struct conf_node **entries = malloc(count * sizeof *entries);
    if (!entries) {
        conf_fault(builder->faults, map->line, map->column, "out of memory");
        return;
    }
    size_t i = 0;
    for (const struct conf_node *node = map->first; node; node = node->next)
        if (node->key->kind == CONF_NODE_SCALAR)
            entries[i++] = node;
    qsort(entries, count, sizeof *entries, by_key);

    const struct conf_node *original = entries[0]->key;
    for (i = 1; i < count; i++) {
        const struct conf_node *key = entries[i]->key;
        char quote[CONF_QUOTE_SIZE];
        if (strcmp(key->text, original->text) == 0)
            conf_fault(builder->faults, key->line, key->column,
                       "duplicate key %s: first at %s:%u:%u", conf_quote(key->text, quote),
                       builder->faults->file, original->line, original->column);
        else
            original = key;
    }
    free(entries);
}

/* Closes the innermost list or mapping; one that a syntax error cut short may have a key without
 * value. */
static void tree_on_end(struct builder *builder)
{
    struct conf_node *node = builder->stack[--builder->depth];
    if (node->kind == CONF_NODE_MAP)
        tree_check_duplicates(builder, node);
    if (builder->pending[builder->depth]) {
        node_free(builder->pending[builder->depth]);
        builder->pending[builder->depth] = NULL;
    }
}

/* Returns whether to go on. */
static bool tree_on_event(struct builder *builder, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return on_scalar(builder, event);
    case YAML_SEQUENCE_START_EVENT:
        return on_start(builder, event, CONF_NODE_LIST);
    case YAML_MAPPING_START_EVENT:
        return on_start(builder, event, CONF_NODE_MAP);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        tree_on_end(builder);
        return true;
    case YAML_ALIAS_EVENT:
        fault_at_mark(builder, event->start_mark,
                      "aliases (*name) are not supported: use \"defaults\" for what cameras share");
        cut_tree(builder, event->start_mark.line);
        return false;
    case YAML_DOCUMENT_START_EVENT:
        if (builder->documents++ == 0)
            return true;
        fault_at_mark(builder, event->start_mark, "a second YAML document: only one is read");
        return false;
    case YAML_STREAM_END_EVENT:
        return false;
    default:
        return true;
    }
}

static void read_events(struct builder *builder)
{
    bool more = true;
    while (more) {
        yaml_event_t event;
        if (!yaml_parser_parse(&builder->parser, &event)) {
            fault_syntax(builder);
            break;
        }
        more = tree_on_event(builder, &event);
        yaml_event_delete(&event);
    }
    while (builder->depth > 0)
        tree_on_end(builder);
}

struct conf_tree conf_tree_read(const char *text, size_t size, struct conf_faults *faults)
{
    struct builder builder = {.text = text, .size = size, .faults = faults};
    const char *nul = memchr(text, '\0', size);
    if (nul) {
        fault_at_offset(&builder, (size_t)(nul - text),
                        "the file contains a NUL byte: it must be UTF-8 text");
        builder.tree.partial = true;
        return builder.tree;
    }
    if (!yaml_parser_initialize(&builder.parser)) {
        conf_fault(faults, 1, 1, "out of memory");
        builder.tree.partial = true;
        return builder.tree;
    }
    yaml_parser_set_input_string(&builder.parser, (const unsigned char *)text, size);
    read_events(&builder);
    yaml_parser_delete(&builder.parser);
    return builder.tree;
}
