/* Loads a configuration: walks the tree, parses each key by its option, and checks keys that depend
 * on each other. */
#include "conf.h"

#include "conf_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct loader {
    struct conf *conf;
    struct conf_camera template; /* a camera with nothing but defaults */
    struct conf_faults faults;
    bool partial;
    const struct conf_node *listen, *defaults, *cameras; /* handled last, as they need the rest */
};

/* The struct that a mapping's keys are stored in. */
struct target {
    enum conf_scope scope;
    void *base;
    const char *where; /* "", "defaults." or "cameras.door.", before keys in messages */
    bool is_defaults;
};

static void fault_at(struct loader *loader, const struct conf_node *node, const char *text)
{
    conf_fault(&loader->faults, node->line, node->column, "%s", text);
}

static void fault_type(struct loader *loader, const struct conf_node *node, const char *where,
                       const char *path, const char *expected)
{
    conf_fault(&loader->faults, node->line, node->column, "%s%s: must be %s, not %s", where, path,
               expected, node->missing ? "empty" : conf_node_kind_name(node));
}

static void fault_unknown(struct loader *loader, const struct target *target, const char *prefix,
                          const struct conf_node *key)
{
    char quote[CONF_QUOTE_SIZE], meant[CONF_PATH_SIZE], where[2 * CONF_PATH_SIZE];
    int length = snprintf(where, sizeof where, "%s%s", target->where, prefix);
    if (length > 0)
        where[length - 1] = '\0'; /* the dot */
    bool close = conf_option_suggest(target->scope, prefix, key->text, meant);
    conf_fault(&loader->faults, key->line, key->column, "unknown key %s%s%s%s%s%s",
               conf_quote(key->text, quote), length > 0 ? " in " : "", where,
               close ? "; did you mean \"" : "", close ? meant : "", close ? "\"?" : "");
}

static void apply_scalar(struct loader *loader, const struct target *target,
                         const struct conf_option *option, const struct conf_node *node)
{
    char text[CONF_VALUE_SIZE], expected[160], quote[CONF_QUOTE_SIZE];
    conf_value_expected(option, expected, sizeof expected);
    if (option->type == CONF_SOURCE && node->kind == CONF_NODE_LIST) {
        fault_at(loader, node, "a list of sources is not supported by this version");
        return;
    }
    if (node->kind != CONF_NODE_SCALAR || node->missing) {
        fault_type(loader, node, target->where, option->path, expected);
        return;
    }
    if (!conf_expand(node, option->type == CONF_SOURCE, text, &loader->faults))
        return;
    if (option->type == CONF_SOURCE) {
        char where[CONF_PATH_SIZE];
        snprintf(where, sizeof where, "%s%s", target->where, option->path);
        conf_source_apply((char *)target->base + option->offset, text, node, where,
                          &loader->faults);
    } else if (!conf_value_parse(option, text, target->base)) {
        conf_fault(&loader->faults, node->line, node->column, "%s%s: must be %s, not %s",
                   target->where, option->path, expected, conf_quote(node->text, quote));
    }
}

static void apply_map(struct loader *loader, const struct target *target, const char *prefix,
                      const struct conf_node *map);

/* The profile of that name, added if there is none; NULL with a fault: too many, or no valid name.
 */
static struct conf_profile *place_profile(struct loader *loader, const struct target *target,
                                          const struct conf_node *key)
{
    struct conf_camera *camera = target->base;
    char quote[CONF_QUOTE_SIZE];
    conf_quote(key->text, quote);
    if (!ring_id_valid(key->text)) {
        conf_fault(&loader->faults, key->line, key->column,
                   "%sprofiles: the name %s must be a-z, 0-9, _ and -, begin with a letter or "
                   "digit, and have at most %d "
                   "characters",
                   target->where, quote, RING_ID_SIZE - 1);
        return NULL;
    }
    for (unsigned i = 0; i < camera->profile_count; i++)
        if (strcmp(camera->profiles[i].name, key->text) == 0)
            return &camera->profiles[i];
    if (camera->profile_count == CONF_MAX_PROFILES) {
        conf_fault(&loader->faults, key->line, key->column,
                   "%sprofiles: %s is one too many: at most %d are possible", target->where, quote,
                   CONF_MAX_PROFILES);
        return NULL;
    }
    return &camera->profiles[camera->profile_count++];
}

/* A camera's profile replaces the one of that name in `defaults` as a whole. */
static void apply_profiles(struct loader *loader, const struct target *target,
                           const struct conf_node *map)
{
    if (map->kind != CONF_NODE_MAP && !map->missing)
        fault_type(loader, map, target->where, "profiles", "a mapping of names to profiles");
    for (const struct conf_node *node = map->kind == CONF_NODE_MAP ? map->first : NULL; node;
         node = node->next) {
        char path[CONF_QUOTE_SIZE], where[2 * CONF_QUOTE_SIZE + 8];
        bool is_word = node->key->kind == CONF_NODE_SCALAR; /* else there is a fault already */
        struct conf_profile *profile = is_word ? place_profile(loader, target, node->key) : NULL;
        if (!profile)
            continue;
        *profile = (struct conf_profile){0};
        memcpy(profile->name, node->key->text, strlen(node->key->text) + 1);
        snprintf(path, sizeof path, "profiles.%s", profile->name);
        snprintf(where, sizeof where, "%s%s.", target->where, path);
        struct target inside = {CONF_SCOPE_PROFILE, profile, where, target->is_defaults};
        if (node->kind == CONF_NODE_MAP)
            apply_map(loader, &inside, "", node);
        else if (!node->missing)
            fault_type(loader, node, target->where, path, "a mapping");
    }
}

static void apply_file(struct loader *loader, const struct target *target,
                       const struct conf_option *option, const struct conf_node *node)
{
    char text[CONF_VALUE_SIZE], expected[160];
    conf_value_expected(option, expected, sizeof expected);
    if (node->kind != CONF_NODE_SCALAR || node->missing)
        fault_type(loader, node, target->where, option->path, expected);
    else if (conf_expand(node, false, text, &loader->faults) &&
             !conf_file_resolve(loader->faults.file, text, (char *)target->base + option->offset))
        conf_fault(&loader->faults, node->line, node->column, "%s%s: the path is empty or too long",
                   target->where, option->path);
}

static void apply_entry(struct loader *loader, const struct target *target,
                        const struct conf_option *option, const struct conf_node *node)
{
    char text[CONF_VALUE_SIZE], expected[160], quote[CONF_QUOTE_SIZE];
    conf_value_expected(option, expected, sizeof expected);
    if (node->kind != CONF_NODE_SCALAR || node->missing) {
        fault_type(loader, node, target->where, option->path, expected);
        return;
    }
    const char *wrong = conf_expand(node, false, text, &loader->faults)
                            ? conf_list_add(option, text, target->base)
                            : NULL;
    if (wrong)
        conf_fault(&loader->faults, node->line, node->column, "%s%s: must be %s; %s %s",
                   target->where, option->path, expected, conf_quote(node->text, quote), wrong);
}

/* One value stands for a list of one. */
static void apply_list(struct loader *loader, const struct target *target,
                       const struct conf_option *option, const struct conf_node *node)
{
    conf_list_clear(option, target->base);
    if (node->kind != CONF_NODE_LIST) {
        apply_entry(loader, target, option, node);
        return;
    }
    for (const struct conf_node *entry = node->first; entry; entry = entry->next)
        apply_entry(loader, target, option, entry);
}

static void apply_chain(struct loader *loader, const struct target *target,
                        const struct conf_option *option, const struct conf_node *node)
{
    char where[CONF_PATH_SIZE];
    snprintf(where, sizeof where, "%s%s", target->where, option->path);
    conf_steps_apply((void *)((char *)target->base + option->offset), node, where, &loader->faults);
}

static void apply_option(struct loader *loader, const struct target *target,
                         const struct conf_option *option, const struct conf_node *node)
{
    if (target->scope == CONF_SCOPE_GLOBAL)
        loader->conf->positions[option - conf_options] =
            (struct conf_key_position){node->key->line, node->key->column};
    switch (option->type) {
    case CONF_LATER:
        conf_fault(&loader->faults, node->key->line, node->key->column,
                   "%s%s is not supported by this version", target->where, option->path);
        break;
    case CONF_LISTEN:
        loader->listen = node;
        break;
    case CONF_FILE:
        apply_file(loader, target, option, node);
        break;
    case CONF_SET:
    case CONF_ORIGINS:
    case CONF_PROXIES:
        apply_list(loader, target, option, node);
        break;
    case CONF_DEFAULTS:
        loader->defaults = node;
        break;
    case CONF_CAMERAS:
        loader->cameras = node;
        break;
    case CONF_PROFILES:
        apply_profiles(loader, target, node);
        break;
    case CONF_CHAIN:
        apply_chain(loader, target, option, node);
        break;
    case CONF_ZONE_LIST:
        conf_zones_apply((struct conf_motion *)((char *)target->base + option->offset), node,
                         target->where, &loader->faults);
        break;
    case CONF_SOURCE:
        if (target->is_defaults)
            fault_at(loader, node->key, "defaults.source: a source belongs to one camera");
        else
            apply_scalar(loader, target, option, node);
        break;
    default:
        apply_scalar(loader, target, option, node);
        break;
    }
}

/* `prefix` is "" or "http.": where the mapping's keys stand in the option table.  Sections don't
 * nest deeper than one in it. */
static void apply_map(struct loader *loader, const struct target *target, const char *prefix,
                      const struct conf_node *map)
{
    for (const struct conf_node *node = map->first; node; node = node->next) {
        char path[CONF_PATH_SIZE], section[CONF_PATH_SIZE + 2];
        if (node->key->kind != CONF_NODE_SCALAR)
            continue;
        int length = snprintf(path, sizeof path, "%s%s", prefix, node->key->text);
        bool fits = length >= 0 && (size_t)length < sizeof path && !strchr(node->key->text, '.');
        const struct conf_option *option = fits ? conf_option_find(target->scope, path) : NULL;
        if (option) {
            apply_option(loader, target, option, node);
        } else if (!fits || !conf_option_is_section(target->scope, path)) {
            fault_unknown(loader, target, prefix, node->key);
        } else if (node->kind == CONF_NODE_MAP) {
            snprintf(section, sizeof section, "%s.", path);
            apply_map(loader, target, section, node);
        } else if (!node->missing) {
            fault_type(loader, node, target->where, path, "a mapping");
        }
    }
}

/* Checks two values that depend on each other; a fault is reported at one of them. */
static void check_reconnect(struct loader *loader, const struct conf_camera *camera,
                            const struct conf_node *map, const char *where)
{
    if (loader->partial || camera->reconnect.max_ns >= camera->reconnect.every_ns)
        return;
    for (const struct conf_node *node = map->first; node; node = node->next)
        if (node->key->kind == CONF_NODE_SCALAR && strcmp(node->key->text, "reconnect") == 0)
            conf_fault(&loader->faults, node->key->line, node->key->column,
                       "%sreconnect: max is shorter than every", where);
}

static void apply_defaults(struct loader *loader)
{
    conf_option_defaults(CONF_SCOPE_CAMERA, &loader->template);
    const struct conf_node *node = loader->defaults;
    if (!node || node->missing)
        return;
    if (node->kind != CONF_NODE_MAP) {
        fault_type(loader, node, "", "defaults", "a mapping");
        return;
    }
    struct target target = {CONF_SCOPE_CAMERA, &loader->template, "defaults.", true};
    apply_map(loader, &target, "", node);
    check_reconnect(loader, &loader->template, node, target.where);
}

/* Words that begin a path of the server's own. */
static bool id_is_reserved(const char *id)
{
    static const char *const words[] = {"api", "cameras", "healthz",  "live",  "metrics",
                                        "web", "readyz",  "snapshot", "state", "stream"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i], id) == 0)
            return true;
    return false;
}

static void apply_id(struct loader *loader, struct conf_camera *camera, const struct conf_node *key)
{
    char quote[CONF_QUOTE_SIZE];
    conf_quote(key->text, quote);
    if (!ring_id_valid(key->text))
        conf_fault(&loader->faults, key->line, key->column,
                   "camera id %s: must be a-z, 0-9, _ and -, begin with a letter or digit, and "
                   "have at most %d characters",
                   quote, RING_ID_SIZE - 1);
    else if (id_is_reserved(key->text))
        conf_fault(&loader->faults, key->line, key->column,
                   "camera id %s: the word is taken by a path of the HTTP server", quote);
    else
        memcpy(camera->id, key->text, strlen(key->text) + 1);
}

static void apply_camera(struct loader *loader, struct conf_camera *camera,
                         const struct conf_node *node)
{
    char quote[CONF_QUOTE_SIZE], where[CONF_QUOTE_SIZE + 16];
    const struct conf_node *key = node->key;
    *camera = loader->template;
    apply_id(loader, camera, key);
    snprintf(where, sizeof where, "cameras.%s.",
             camera->id[0] ? camera->id : conf_quote(key->text, quote));

    struct target target = {CONF_SCOPE_CAMERA, camera, where, false};
    const struct conf_option *source = conf_option_find(CONF_SCOPE_CAMERA, "source");
    bool has_source = node->kind == CONF_NODE_SCALAR && !node->missing;
    if (has_source) {
        apply_scalar(loader, &target, source, node);
    } else if (node->kind == CONF_NODE_MAP) {
        apply_map(loader, &target, "", node);
        check_reconnect(loader, camera, node, where);
        for (const struct conf_node *entry = node->first; entry; entry = entry->next)
            has_source = has_source || (entry->key->kind == CONF_NODE_SCALAR &&
                                        strcmp(entry->key->text, source->path) == 0);
    } else if (node->kind == CONF_NODE_LIST) {
        fault_type(loader, node, where, source->path, "a source or a mapping");
        return;
    }
    if (!has_source && !loader->partial)
        conf_fault(&loader->faults, key->line, key->column, "camera %s has no source",
                   conf_quote(key->text, quote));
}

static void apply_cameras(struct loader *loader)
{
    const struct conf_node *map = loader->cameras;
    if (map && map->kind != CONF_NODE_MAP && !map->missing) {
        fault_type(loader, map, "", "cameras", "a mapping of ids to sources");
        return;
    }
    if (!map || !map->first) {
        if (!loader->partial)
            conf_fault(
                &loader->faults, map ? map->key->line : 1, map ? map->key->column : 1,
                "no cameras: at least one is needed, for example \"cameras: {demo: 'test:'}\"");
        return;
    }
    unsigned count = 0;
    for (const struct conf_node *node = map->first; node; node = node->next)
        count += node->key->kind == CONF_NODE_SCALAR;
    struct conf *conf = loader->conf;
    if (count > conf->max_cameras) {
        conf_fault(&loader->faults, map->key->line, map->key->column,
                   "%u cameras, and max_cameras is %u", count, conf->max_cameras);
        return;
    }
    conf->cameras = calloc(count > 0 ? count : 1, sizeof *conf->cameras);
    if (!conf->cameras) {
        fault_at(loader, map, "out of memory");
        return;
    }
    for (const struct conf_node *node = map->first; node; node = node->next)
        if (node->key->kind == CONF_NODE_SCALAR)
            apply_camera(loader, &conf->cameras[conf->camera_count++], node);
}

static void apply_root(struct loader *loader, const struct conf_node *root)
{
    struct target target = {CONF_SCOPE_GLOBAL, loader->conf, "", false};
    conf_option_defaults(CONF_SCOPE_GLOBAL, loader->conf);
    if (!root || root->missing) {
        if (!loader->partial)
            conf_fault(&loader->faults, 1, 1, "the file is empty: it needs at least \"cameras\"");
        return;
    }
    if (root->kind != CONF_NODE_MAP) {
        conf_fault(&loader->faults, root->line, root->column,
                   "the file must be a mapping of keys, not %s", conf_node_kind_name(root));
        return;
    }
    apply_map(loader, &target, "", root);
    if (!loader->partial)
        conf_http_check(&loader->conf->http, root, &loader->faults);
    conf_listen_apply(&loader->conf->http, loader->listen, loader->partial, &loader->faults);
    apply_defaults(loader);
    apply_cameras(loader);

    const char *debug = getenv("CAMRING_DEBUG");
    if (debug && strcmp(debug, "1") == 0)
        loader->conf->debug = true;
}

struct conf *conf_parse(const char *text, size_t size, const char *name, FILE *faults)
{
    struct loader loader = {.conf = calloc(1, sizeof *loader.conf), .faults.file = name};
    if (!loader.conf) {
        fprintf(faults, "%s:1:1: out of memory\n", name);
        return NULL;
    }
    struct conf_tree tree = conf_tree_read(text, size, &loader.faults);
    loader.partial = tree.partial;
    loader.faults.end_line = tree.end_line;
    apply_root(&loader, tree.root);
    conf_tree_free(&tree);
    if (conf_faults_any(&loader.faults)) {
        conf_free(loader.conf);
        loader.conf = NULL;
    }
    conf_faults_finish(&loader.faults, faults);
    return loader.conf;
}

/* Reads up to `size` bytes; -1 with errno. */
static ssize_t conf_read_file(const char *path, char *out, size_t size)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (!file)
        return -1;
    size_t used = fread(out, 1, size, file);
    int failed = ferror(file) ? errno : 0;
    if (file != stdin)
        fclose(file);
    errno = failed;
    return failed ? -1 : (ssize_t)used;
}

struct conf *conf_load(const char *path, FILE *faults)
{
    const char *name = strcmp(path, "-") == 0 ? "<stdin>" : path;
    struct conf *conf = NULL;
    char *text = malloc(CONF_FILE_MAX + 1);
    ssize_t size = text ? conf_read_file(path, text, CONF_FILE_MAX + 1) : -1;
    if (size < 0)
        fprintf(faults, "%s:1:1: can't read the file: %s\n", name, strerror(errno));
    else if (size > CONF_FILE_MAX)
        fprintf(faults, "%s:1:1: the file is larger than %d bytes\n", name, CONF_FILE_MAX);
    else
        conf = conf_parse(text, (size_t)size, name, faults);
    free(text);
    return conf;
}

void conf_free(struct conf *conf)
{
    if (!conf)
        return;
    free(conf->cameras);
    free(conf);
}

struct conf_key_position conf_key_position(const struct conf *conf, const char *key)
{
    const struct conf_option *option = conf_option_find(CONF_SCOPE_GLOBAL, key);
    return option ? conf->positions[option - conf_options] : (struct conf_key_position){0};
}

const char *conf_default_path(void)
{
    static const char *const paths[] = {"./camring.yaml", "/etc/camring/camring.yaml"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (access(paths[i], F_OK) == 0)
            return paths[i];
    return NULL;
}
