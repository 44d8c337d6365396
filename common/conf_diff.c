#include "conf_diff.h"

#include "conf_private.h"

#include <stdlib.h>
#include <string.h>

/* ---- keys ---- */

static bool same_listen(const struct conf_http *a, const struct conf_http *b)
{
    if (a->listen_count != b->listen_count)
        return false;
    for (unsigned i = 0; i < a->listen_count; i++)
        if (strcmp(a->listen[i], b->listen[i]) != 0)
            return false;
    return true;
}

static bool same_origins(const struct conf_origins *a, const struct conf_origins *b)
{
    if (a->count != b->count)
        return false;
    for (unsigned i = 0; i < a->count; i++)
        if (strcmp(a->item[i], b->item[i]) != 0)
            return false;
    return true;
}

static bool same_proxies(const struct conf_proxies *a, const struct conf_proxies *b)
{
    return a->unix_sockets == b->unix_sockets && a->count == b->count &&
           memcmp(a->item, b->item, a->count * sizeof *a->item) == 0;
}

static bool same_option(const struct conf_option *option, const void *before, const void *after);

static bool same_profiles(const struct conf_camera *a, const struct conf_camera *b)
{
    if (a->profile_count != b->profile_count)
        return false;
    for (unsigned i = 0; i < a->profile_count; i++) {
        if (strcmp(a->profiles[i].name, b->profiles[i].name) != 0)
            return false;
        for (const struct conf_option *option = conf_options; option->path; option++)
            if (option->scope == CONF_SCOPE_PROFILE &&
                !same_option(option, &a->profiles[i], &b->profiles[i]))
                return false;
    }
    return true;
}

static bool same_zones(const struct conf_motion *a, const struct conf_motion *b)
{
    if (a->zone_count != b->zone_count)
        return false;
    for (unsigned i = 0; i < a->zone_count; i++)
        if (a->zones[i].count != b->zones[i].count ||
            memcmp(a->zones[i].points, b->zones[i].points,
                   a->zones[i].count * sizeof a->zones[i].points[0]) != 0)
            return false;
    return true;
}

/* `before` and `after` are what the option's scope says. */
static bool same_option(const struct conf_option *option, const void *before, const void *after)
{
    const void *a = (const char *)before + option->offset;
    const void *b = (const char *)after + option->offset;
    switch (option->type) {
    case CONF_NAME:
    case CONF_SOURCE:
    case CONF_FILE:
    case CONF_BASE_PATH:
        return strcmp(a, b) == 0;
    case CONF_NUMBER:
    case CONF_NUMBER_OR_AUTO:
    case CONF_NUMBER_OR_ZERO:
    case CONF_CHOICE:
    case CONF_PERCENT:
    case CONF_MODE:
    case CONF_SET:
        return memcmp(a, b, sizeof(unsigned)) == 0;
    case CONF_DURATION:
    case CONF_BYTES:
    case CONF_RATE:
        return memcmp(a, b, sizeof(int64_t)) == 0;
    case CONF_PICTURE_SIZE:
        return memcmp(a, b, 2 * sizeof(uint32_t)) == 0;
    case CONF_BOOL:
        return *(const bool *)a == *(const bool *)b;
    case CONF_ORIGINS:
        return same_origins(a, b);
    case CONF_PROXIES:
        return same_proxies(a, b);
    case CONF_LISTEN:
        return same_listen(&((const struct conf *)before)->http,
                           &((const struct conf *)after)->http);
    case CONF_PROFILES:
        return same_profiles(before, after);
    case CONF_CHAIN:
        return conf_chain_same(a, b);
    case CONF_ZONE_LIST:
        return same_zones(a, b);
    case CONF_CAMERAS:  /* camera by camera */
    case CONF_DEFAULTS: /* in every camera */
    case CONF_LATER:
        break;
    }
    return true;
}

static void add_key(struct conf_diff_keys *keys, const char *name)
{
    if (keys->count < CONF_DIFF_KEYS)
        keys->name[keys->count++] = name;
}

static void compare_settings(const struct conf *before, const struct conf *after,
                             struct conf_diff *diff)
{
    for (const struct conf_option *option = conf_options; option->path; option++) {
        if (option->scope != CONF_SCOPE_GLOBAL || same_option(option, before, after))
            continue;
        add_key(option->reload == CONF_RELOAD_RESTART ? &diff->fixed : &diff->settings,
                option->path);
        diff->listeners |= option->reload == CONF_RELOAD_LISTENERS;
        diff->servers |=
            option->reload == CONF_RELOAD_LISTENERS || option->reload == CONF_RELOAD_SERVERS;
        diff->log |= option->reload == CONF_RELOAD_LOG;
    }
}

/* ---- cameras ---- */

static enum conf_camera_fate compare_camera(const struct conf_camera *before,
                                            const struct conf_camera *after)
{
    enum conf_camera_fate fate = CONF_CAMERA_SAME;
    for (const struct conf_option *option = conf_options; option->path; option++) {
        if (option->scope != CONF_SCOPE_CAMERA || same_option(option, before, after))
            continue;
        if (option->reload != CONF_RELOAD_TELL)
            return CONF_CAMERA_RECAPTURED;
        fate = CONF_CAMERA_CHANGED;
    }
    if ((before->chain.count == 0) != (after->chain.count == 0) &&
        after->passthrough == CONF_PASSTHROUGH_AUTO)
        return CONF_CAMERA_CHAINED;
    return fate;
}

static int find_camera(const struct conf *conf, const char *id)
{
    for (unsigned i = 0; i < conf->camera_count; i++)
        if (strcmp(conf->cameras[i].id, id) == 0)
            return (int)i;
    return -1;
}

static void compare_cameras(const struct conf *before, const struct conf *after,
                            struct conf_diff *diff)
{
    for (unsigned i = 0; i < after->camera_count; i++) {
        int was = find_camera(before, after->cameras[i].id);
        diff->cameras[i] =
            was < 0 ? CONF_CAMERA_ADDED : compare_camera(&before->cameras[was], &after->cameras[i]);
        diff->count[diff->cameras[i]]++;
    }
    for (unsigned i = 0; i < before->camera_count; i++) {
        diff->removed[i] = find_camera(after, before->cameras[i].id) < 0;
        diff->removed_count += diff->removed[i];
    }
}

/* ---- all of it ---- */

int conf_diff(const struct conf *before, const struct conf *after, struct conf_diff *out)
{
    *out = (struct conf_diff){
        .cameras = calloc(after->camera_count + 1, sizeof *out->cameras),
        .removed = calloc(before->camera_count + 1, sizeof *out->removed),
    };
    if (!out->cameras || !out->removed) {
        conf_diff_free(out);
        return -1;
    }
    compare_settings(before, after, out);
    compare_cameras(before, after, out);
    return 0;
}

void conf_diff_free(struct conf_diff *diff)
{
    free(diff->cameras);
    free(diff->removed);
    *diff = (struct conf_diff){0};
}
