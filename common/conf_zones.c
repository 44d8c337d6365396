/* motion.zones: polygons, each a list of x and y in turns. */
#include "conf_private.h"

#include "number.h"

#include <string.h>

struct zones_reader {
    const char *where;
    struct conf_faults *faults;
};

static void zones_fault(const struct zones_reader *reader, const struct conf_node *node,
                        const char *words)
{
    conf_fault(reader->faults, node->line, node->column, "%smotion.zones: %s", reader->where,
               words);
}

static void zones_fault_expected(const struct zones_reader *reader, const struct conf_node *node,
                                 const char *expected)
{
    char quote[CONF_QUOTE_SIZE], words[CONF_QUOTE_SIZE + 96];
    const char *is = node->missing                    ? "empty"
                     : node->kind == CONF_NODE_SCALAR ? conf_quote(node->text, quote)
                                                      : conf_node_kind_name(node);
    snprintf(words, sizeof words, "must be %s, not %s", expected, is);
    zones_fault(reader, node, words);
}

static bool read_coordinate(const struct zones_reader *reader, const struct conf_node *node,
                            uint16_t *out)
{
    char text[CONF_VALUE_SIZE], expected[64];
    const char *rest = text;
    int64_t value;
    snprintf(expected, sizeof expected, "a whole number from 0 to %d", RING_MAX_DIMENSION);
    if (node->kind != CONF_NODE_SCALAR || node->missing) {
        zones_fault_expected(reader, node, expected);
        return false;
    }
    if (!conf_expand(node, false, text, reader->faults))
        return false;
    if (!number_whole(&rest, &value) || *rest || value < 0 || value > RING_MAX_DIMENSION) {
        zones_fault_expected(reader, node, expected);
        return false;
    }
    *out = (uint16_t)value;
    return true;
}

/* False with a fault. */
static bool read_zone(const struct zones_reader *reader, const struct conf_node *list,
                      struct conf_zone *zone)
{
    uint16_t numbers[2 * CONF_ZONE_POINTS];
    unsigned count = 0;
    bool ok = true;
    if (list->kind != CONF_NODE_LIST) {
        zones_fault_expected(reader, list, "a list of polygons like [[0,0, 200,0, 200,80]]");
        return false;
    }
    for (const struct conf_node *node = list->first; node; node = node->next, count++)
        if (count < 2 * CONF_ZONE_POINTS)
            ok = read_coordinate(reader, node, &numbers[count]) && ok;
    if (count % 2 != 0 || count < 6 || count > 2 * CONF_ZONE_POINTS) {
        char words[96];
        snprintf(words, sizeof words, "a polygon is x and y of 3 to %d corners, not %u numbers",
                 CONF_ZONE_POINTS, count);
        zones_fault(reader, list, words);
        return false;
    }
    zone->count = count / 2;
    for (unsigned i = 0; ok && i < zone->count; i++) {
        zone->points[i].x = numbers[2 * i];
        zone->points[i].y = numbers[2 * i + 1];
    }
    return ok;
}

void conf_zones_apply(struct conf_motion *motion, const struct conf_node *node, const char *where,
                      struct conf_faults *faults)
{
    const struct zones_reader reader = {.where = where, .faults = faults};
    motion->zone_count = 0;
    if (node->kind != CONF_NODE_LIST) {
        zones_fault_expected(&reader, node, "a list of polygons like [[0,0, 200,0, 200,80]]");
        return;
    }
    for (const struct conf_node *entry = node->first; entry; entry = entry->next) {
        if (motion->zone_count == CONF_ZONES) {
            zones_fault(&reader, entry, "one polygon too many: at most 8 are possible");
            return;
        }
        struct conf_zone *zone = &motion->zones[motion->zone_count];
        memset(zone, 0, sizeof *zone);
        if (read_zone(&reader, entry, zone))
            motion->zone_count++;
    }
}

bool conf_motion_valid(const struct conf_motion *motion)
{
    if (motion->zone_count > CONF_ZONES)
        return false;
    for (unsigned i = 0; i < motion->zone_count; i++)
        if (motion->zones[i].count < 3 || motion->zones[i].count > CONF_ZONE_POINTS)
            return false;
    return true;
}
