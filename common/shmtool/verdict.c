#include "verdict.h"

#include <stdarg.h>
#include <stdio.h>

void verdict_open(struct verdict *verdict)
{
    *verdict = (struct verdict){.faults = json_array(), .remains = json_array()};
}

void verdict_close(struct verdict *verdict)
{
    json_decref(verdict->faults);
    json_decref(verdict->remains);
    *verdict = (struct verdict){0};
}

void verdict_add(struct verdict *verdict, bool left, const char *instance, const char *ring,
                 const char *fault, const char *where, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_array_append_new(left ? verdict->remains : verdict->faults,
                          json_pack("{s:s, s:s?, s:s, s:s, s:s}", "instance", instance, "ring",
                                    ring, "fault", fault, "where", where, "text", text));
}

void verdict_add_findings(struct verdict *verdict, const char *instance, const char *ring,
                          const struct ring_findings *findings)
{
    for (unsigned i = 0; i < findings->count; i++) {
        const struct ring_finding *finding = &findings->list[i];
        verdict_add(verdict, finding->left, instance, ring, ring_fault_name(finding->fault),
                    finding->where, "%s", finding->text);
    }
    if (findings->dropped > 0)
        verdict_add(verdict, false, instance, ring, "more", "", "%u more faults",
                    findings->dropped);
}

static bool list_contains(const json_t *list, const json_t *wanted)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_equal(json_array_get(list, i), wanted))
            return true;
    return false;
}

static void list_intersect(json_t *list, const json_t *other)
{
    for (size_t i = json_array_size(list); i-- > 0;)
        if (!list_contains(other, json_array_get(list, i)))
            json_array_remove(list, i);
}

void verdict_intersect(struct verdict *verdict, const struct verdict *other)
{
    list_intersect(verdict->faults, other->faults);
    list_intersect(verdict->remains, other->remains);
}

bool verdict_is_empty(const struct verdict *verdict)
{
    return json_array_size(verdict->faults) == 0 && json_array_size(verdict->remains) == 0;
}

void verdict_append(struct verdict *verdict, const struct verdict *more)
{
    json_array_extend(verdict->faults, more->faults);
    json_array_extend(verdict->remains, more->remains);
}
