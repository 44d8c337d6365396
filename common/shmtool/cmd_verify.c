#include "find.h"
#include "instance_check.h"
#include "objects.h"
#include "print.h"
#include "shmtool.h"
#include "verdict.h"

#include <stdio.h>
#include <stdlib.h>

struct verification {
    const struct shm_options *options;
    struct verdict verdict;
    unsigned rings, instances;
};

static bool verify_rings(struct verification *verification, const struct find_set *set)
{
    struct ring_findings *findings = malloc(sizeof *findings);
    if (!findings) {
        print_fault("out of memory");
        return false;
    }
    for (size_t i = 0; i < set->count; i++) {
        const struct find_ring *ring = &set->ring[i];
        struct error err = {0};
        if (ring_verify(ring->instance, ring->name, findings, &err) < 0)
            continue; /* gone since it was found */
        verification->rings++;
        verdict_add_findings(&verification->verdict, ring->instance, ring->name, findings);
    }
    free(findings);
    return true;
}

static bool verify_instance(struct verification *verification, const char *instance)
{
    const char *wanted = verification->options->ring;
    struct find_set set = wanted ? find_some(instance, wanted) : find_all(instance);
    bool done = (wanted && set.count == 0) || verify_rings(verification, &set);
    if (!wanted || set.count > 0)
        instance_check(instance, wanted, &verification->verdict);
    verification->instances++;
    find_free(&set);
    return done;
}

static bool verify_all(struct verification *verification)
{
    struct object_set found = objects_find(NULL);
    bool done = true;
    for (size_t i = 0; i < found.count && done; i++)
        if (objects_is_first(&found, i))
            done = verify_instance(verification, found.list[i].instance);
    objects_free(&found);
    if (done && verification->options->ring && verification->rings == 0) {
        print_fault("no instance has a ring or camera \"%s\"", verification->options->ring);
        return false;
    }
    return done;
}

static bool verify_one(struct verification *verification)
{
    const struct shm_options *options = verification->options;
    if (options->ring) {
        struct find_set set = find_wanted(options->instance, options->ring);
        size_t count = set.count;
        find_free(&set);
        if (count == 0)
            return false;
    }
    return verify_instance(verification, options->instance);
}

static const char *finding_text(const json_t *finding, const char *key)
{
    const char *text = json_string_value(json_object_get(finding, key));
    return text ? text : "";
}

/* "door.raw: slot 3 holds frame 4, as slot 2 does (duplicate)" */
static void print_list(const struct verification *verification, const json_t *list,
                       const char *before)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *finding = json_array_get(list, i);
        const char *instance = finding_text(finding, "instance"),
                   *ring = finding_text(finding, "ring"), *where = finding_text(finding, "where");
        bool both = verification->options->all && ring[0];
        printf("%s%s%s%s: %s%s%s (%s)\n", before, both ? instance : "", both ? " " : "",
               ring[0] ? ring : instance, where, where[0] ? " " : "", finding_text(finding, "text"),
               finding_text(finding, "fault"));
    }
}

static void print_text(const struct verification *verification)
{
    const struct verdict *verdict = &verification->verdict;
    size_t faults = json_array_size(verdict->faults), remains = json_array_size(verdict->remains);
    print_list(verification, verdict->faults, "");
    print_list(verification, verdict->remains, "left by the dead: ");
    printf("%u rings checked: ", verification->rings);
    if (faults > 0)
        printf("%zu fault%s", faults, faults > 1 ? "s" : "");
    else
        printf("all right");
    if (remains > 0)
        printf(", %zu thing%s left by dead processes", remains, remains > 1 ? "s" : "");
    printf("\n");
}

static void print_verdict(const struct verification *verification)
{
    const struct verdict *verdict = &verification->verdict;
    json_t *root =
        json_pack("{s:b, s:i, s:O, s:O}", "ok", json_array_size(verdict->faults) == 0, "checked",
                  (int)verification->rings, "faults", verdict->faults, "remains", verdict->remains);
    print_json(root, JSON_INDENT(2));
}

enum shm_exit cmd_verify(const struct shm_options *options)
{
    struct verification verification = {.options = options};
    verdict_open(&verification.verdict);
    bool done = options->all ? verify_all(&verification) : verify_one(&verification);
    bool good = done && json_array_size(verification.verdict.faults) == 0;
    if (done)
        options->json ? print_verdict(&verification) : print_text(&verification);
    verdict_close(&verification.verdict);
    return good ? SHM_DONE : SHM_FAILED;
}
