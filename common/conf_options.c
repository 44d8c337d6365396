/* The option table: the only place for a key's name, type, range, default and meaning. */
#include "conf_private.h"

#include "clock.h"
#include "scheme.h"
#include "variant.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#define MS NS_PER_MS
#define SECOND NS_PER_S
#define HOUR (3600 * NS_PER_S)

static const char *const level_names[] = {"error", "warn", "info", "debug", NULL};
static const char *const format_names[] = {"text", "json", NULL};
static const char *const transport_names[] = {"tcp", "udp", "auto", NULL};
static const char *const passthrough_names[] = {"auto", "off", NULL};
static const char *const route_names[] = {"page", "stream",  "snapshot",
                                          "api",  "metrics", NULL}; /* enum conf_route */
static const char *const offline_names[] = {"placeholder", "last", "close", NULL};

#define IN_FILE(field) CONF_SCOPE_GLOBAL, .offset = offsetof(struct conf, field)
#define IN_CAMERA(field) CONF_SCOPE_CAMERA, .offset = offsetof(struct conf_camera, field)
#define IN_PROFILE(field) CONF_SCOPE_PROFILE, .offset = offsetof(struct conf_profile, field)

const struct conf_option conf_options[] = {
    {"instance", IN_FILE(instance), .type = CONF_NAME, .fallback = "camring",
     .help = "Name of this installation; two with different names never touch each other."},
    {"http.listen", IN_FILE(http.listen), .reload = CONF_RELOAD_LISTENERS, .type = CONF_LISTEN,
     .fallback = "127.0.0.1:8080",
     .help = "Where the server listens; one address or a list of up to eight."},
    {"http.workers", IN_FILE(http.workers), .reload = CONF_RELOAD_SUPERVISOR,
     .type = CONF_NUMBER_OR_AUTO, .min = 1, .max = RING_MAX_WAKERS, .fallback = "auto",
     .help = "Server processes; auto: one for every 1000 of http.max_clients, with TLS for every "
             "250, at most one per two cores."},
    {"http.max_clients", IN_FILE(http.max_clients), .reload = CONF_RELOAD_SERVERS,
     .type = CONF_NUMBER, .min = 1, .max = 100000, .fallback = "1000",
     .help = "Clients of streams, walls and events at the same time, over all server processes; "
             "more are told to come back "
             "later (503)."},
    {"http.client_timeout", IN_FILE(http.client_timeout_ns), .reload = CONF_RELOAD_SERVERS,
     .type = CONF_DURATION, .min = 100 * MS, .max = HOUR, .fallback = "10s",
     .help = "A stream client that took no byte for so long is cut."},
    {"http.allow_open_bind", IN_FILE(http.allow_open_bind), .reload = CONF_RELOAD_SERVERS,
     .type = CONF_BOOL, .fallback = "false",
     .help =
         "Allows http.listen to be reachable from other machines although nobody has to log in."},
    {"http.users_file", IN_FILE(http.users_file), .reload = CONF_RELOAD_SERVERS, .type = CONF_FILE,
     .help = "Who may log in: a line NAME:HASH each, HASH as `mkpasswd` or `htpasswd -B` make it; "
             "read again when it changes."},
    {"http.tokens_file", IN_FILE(http.tokens_file), .reload = CONF_RELOAD_SERVERS,
     .type = CONF_FILE,
     .help = "Tokens (Authorization: Bearer TOKEN) that let programs in, one a line; read again "
             "when it changes."},
    {"http.protect", IN_FILE(http.protect), .reload = CONF_RELOAD_SERVERS, .type = CONF_SET,
     .names = route_names, .fallback = "[page, stream, snapshot, api, metrics]",
     .help = "What needs a user or token, where there are any; /healthz and /readyz never do."},
    {"http.trusted_proxies", IN_FILE(http.trusted_proxies), .reload = CONF_RELOAD_SERVERS,
     .type = CONF_PROXIES, .fallback = "[]",
     .help = "Proxies whose X-Forwarded-For is believed when failed logins are counted."},
    {"http.tls.cert", IN_FILE(http.tls_cert), .reload = CONF_RELOAD_LISTENERS, .type = CONF_FILE,
     .help = "Certificate for HTTPS on all TCP addresses, PEM, with those that vouch for it behind "
             "it; read again when it "
             "changes."},
    {"http.tls.key", IN_FILE(http.tls_key), .reload = CONF_RELOAD_LISTENERS, .type = CONF_FILE,
     .help = "Its key, PEM, without a passphrase."},
    {"http.cors_origins", IN_FILE(http.cors_origins), .reload = CONF_RELOAD_SERVERS,
     .type = CONF_ORIGINS, .fallback = "[]",
     .help = "Web pages elsewhere that may read what this server answers; with a login only those "
             "named."},
    {"http.base_path", IN_FILE(http.base_path), .reload = CONF_RELOAD_LISTENERS,
     .type = CONF_BASE_PATH, .fallback = "/",
     .help = "All paths are below it, for a proxy that passes them on whole; /healthz and /readyz "
             "are at the root as well."},
    {"http.unix_mode", IN_FILE(http.unix_mode), .reload = CONF_RELOAD_LISTENERS, .type = CONF_MODE,
     .fallback = "0660", .help = "Who may connect to unix sockets in http.listen."},
    {"encoder.workers", IN_FILE(encoder_workers), .reload = CONF_RELOAD_SUPERVISOR,
     .type = CONF_NUMBER_OR_AUTO, .min = 1, .max = CONF_MAX_ENCODERS, .fallback = "auto",
     .help = "Encoder processes; auto: one per core."},
    {"user", CONF_SCOPE_GLOBAL, .type = CONF_LATER},
    {"group", CONF_SCOPE_GLOBAL, .type = CONF_LATER},
    {"restart.burst", IN_FILE(restart.burst), .reload = CONF_RELOAD_SUPERVISOR, .type = CONF_NUMBER,
     .min = 1, .max = 1000000, .fallback = "5",
     .help = "A process that dies is restarted at once, but damped from this many deaths within "
             "restart.window."},
    {"restart.window", IN_FILE(restart.window_ns), .reload = CONF_RELOAD_SUPERVISOR,
     .type = CONF_DURATION, .min = 100 * MS, .max = 24 * HOUR, .fallback = "30s",
     .help = "The time in which deaths are counted."},
    {"restart.max", IN_FILE(restart.max_ns), .reload = CONF_RELOAD_SUPERVISOR,
     .type = CONF_DURATION, .min = 10 * MS, .max = 24 * HOUR, .fallback = "60s",
     .help = "The longest wait before a restart."},
    {"shm.max_bytes", IN_FILE(shm_max_bytes), .type = CONF_BYTES, .min = 0, .max = INT64_C(1) << 50,
     .fallback = "0",
     .help = "What all rings may take of shared memory together; 0: what /dev/shm holds."},
    {"shm.reader_rows", IN_FILE(shm_reader_rows), .type = CONF_NUMBER, .min = 1,
     .max = RING_MAX_ROWS, .fallback = "16",
     .help = "Readers that can be attached to one ring at the same time."},
    {"log.level", IN_FILE(log.level), .reload = CONF_RELOAD_LOG, .type = CONF_CHOICE,
     .names = level_names, .fallback = "info", .help = "What is logged."},
    {"log.format", IN_FILE(log.format), .reload = CONF_RELOAD_LOG, .type = CONF_CHOICE,
     .names = format_names, .fallback = "text",
     .help = "Lines for people, or one JSON object a line."},
    {"debug", IN_FILE(debug), .type = CONF_BOOL, .fallback = "false",
     .help = "Logs everything, a server's callbacks of over 100 ms, and frames that a reader or "
             "writer holds for over 2 s: who, in which ring, how long. Also with CAMRING_DEBUG=1."},
    {"max_connecting", IN_FILE(max_connecting), .reload = CONF_RELOAD_SUPERVISOR,
     .type = CONF_NUMBER, .min = 1, .max = CONF_MAX_CAMERAS, .fallback = "8",
     .help = "Cameras being opened at the same time."},
    {"max_cameras", IN_FILE(max_cameras), .type = CONF_NUMBER, .min = 1, .max = CONF_MAX_CAMERAS,
     .fallback = "256", .help = "Most cameras there can be; room for more costs next to nothing."},
    {"defaults", CONF_SCOPE_GLOBAL, .type = CONF_DEFAULTS,
     .help = "Any key of a camera but source, for all cameras that don't say otherwise."},
    {"cameras", CONF_SCOPE_GLOBAL, .type = CONF_CAMERAS,
     .help = "ID: SOURCE, or ID: and below it source and the other keys of a camera."},

    {"source", IN_CAMERA(source), .type = CONF_SOURCE, .help = "Where the pictures come from."},
    {"rtsp_transport", IN_CAMERA(rtsp_transport), .type = CONF_CHOICE, .names = transport_names,
     .fallback = "tcp",
     .help = "How RTSP carries the pictures; auto: over TCP, or UDP where the camera has no other. "
             "rtsps always takes TCP."},
    {"idle", CONF_SCOPE_CAMERA, .type = CONF_LATER},
    {"max_size", IN_CAMERA(max_width), .type = CONF_PICTURE_SIZE, .min = 1,
     .max = RING_MAX_DIMENSION, .fallback = "0",
     .help = "Picture size for which memory is reserved at the start; larger pictures are refused; "
             "0: by the first picture."},
    {"fps", IN_CAMERA(fps), .type = CONF_RATE, .min = 0, .max = 1000, .fallback = "0",
     .help = "Most pictures per second; 0: the source's."},
    {"tls_verify", IN_CAMERA(tls_verify), .type = CONF_BOOL, .fallback = "true",
     .help = "Whether the camera's certificate must be one that this machine trusts, for the host "
             "in the URL (rtsps, https)."},
    {"poll_interval", CONF_SCOPE_CAMERA, .type = CONF_LATER},
    {"v4l2", CONF_SCOPE_CAMERA, .type = CONF_LATER},
    {"stall_timeout", IN_CAMERA(stall_timeout_ns), .type = CONF_DURATION, .min = 100 * MS,
     .max = HOUR, .fallback = "5s", .help = "A camera that sends nothing for so long is away."},
    {"reconnect.every", IN_CAMERA(reconnect.every_ns), .type = CONF_DURATION, .min = 10 * MS,
     .max = HOUR, .fallback = "500ms",
     .help = "A camera that is away is tried again so often at first."},
    {"reconnect.for", IN_CAMERA(reconnect.for_ns), .type = CONF_DURATION, .min = 0,
     .max = 24 * HOUR, .fallback = "10s", .help = "How long; then the wait doubles each time."},
    {"reconnect.max", IN_CAMERA(reconnect.max_ns), .type = CONF_DURATION, .min = 10 * MS,
     .max = 24 * HOUR, .fallback = "60s", .help = "The longest wait."},
    {"reconnect.jitter", IN_CAMERA(reconnect.jitter_percent), .type = CONF_PERCENT, .min = 0,
     .max = 100, .fallback = "20%",
     .help = "Each wait is longer or shorter at random by up to this, so that cameras don't come "
             "back in step."},
    {"jpeg.quality", IN_CAMERA(jpeg_quality), .reload = CONF_RELOAD_TELL, .type = CONF_NUMBER,
     .min = 1, .max = 100, .fallback = "80", .help = "JPEG quality."},
    {"jpeg.passthrough", IN_CAMERA(passthrough), .type = CONF_CHOICE, .names = passthrough_names,
     .fallback = "auto",
     .help = "auto: the pictures of a JPEG source go through as they are, but for missing Huffman "
             "tables and what stands behind their end; not if it has a chain."},
    {"offline", IN_CAMERA(offline), .reload = CONF_RELOAD_TELL, .type = CONF_CHOICE,
     .names = offline_names, .fallback = "placeholder",
     .help = "While the camera is away viewers see: a \"no signal\" picture, the last picture, the "
             "end of the stream."},
    {"chain", IN_CAMERA(chain), .reload = CONF_RELOAD_TELL, .type = CONF_CHAIN,
     .help = "What is done to each picture before it is encoded, in that order:"},
    {"motion.enabled", IN_CAMERA(motion.enabled), .reload = CONF_RELOAD_TELL, .type = CONF_BOOL,
     .fallback = "false",
     .help = "Whether the camera's pictures are looked at for motion, ten times a second at most; "
             "viewers or not."},
    {"motion.sensitivity", IN_CAMERA(motion.sensitivity), .reload = CONF_RELOAD_TELL,
     .type = CONF_NUMBER, .min = 1, .max = 100, .fallback = "50",
     .help = "How small and how faint a thing may be that moves: at 100 it takes 0.025 % of the "
             "picture and 8 of 255 levels of brightness, at 50 0.1 % and 16, at 1 0.4 % and 32."},
    {"motion.zones", IN_CAMERA(motion), .reload = CONF_RELOAD_TELL, .type = CONF_ZONE_LIST,
     .fallback = "[]",
     .help = "Polygons, up to eight, outside of which motion is ignored, as where the camera draws "
             "a clock; each is x and y of its corners in pixels of the camera's picture, before "
             "any chain. None: everywhere."},
    {"motion.overlay", CONF_SCOPE_CAMERA, .type = CONF_LATER},
    {"profiles", CONF_SCOPE_CAMERA, .reload = CONF_RELOAD_TELL, .type = CONF_PROFILES,
     .help = "NAME: and below it what viewers get who ask for that profile; up to eight, those of "
             "defaults included."},

    {"width", IN_PROFILE(width), .type = CONF_NUMBER_OR_ZERO, .min = VARIANT_MIN_WIDTH,
     .max = VARIANT_MAX_WIDTH,
     .help = "Pictures of that width, or the next larger of 160, 240, 320, 480, 640, 800, 960, "
             "1280, 1600, 1920, 2560, 3840; the camera's own if that is no larger, or with 0, "
             "or if left out."},
    {"fps", IN_PROFILE(fps), .type = CONF_RATE, .min = 0, .max = 240,
     .help = "Most pictures per second; left out or 0: all."},
    {"quality", IN_PROFILE(quality), .type = CONF_NUMBER, .min = 1, .max = 100,
     .help = "JPEG quality, in steps of 5 from 10 to 95; left out: the camera's."},
    {.path = NULL},
};

_Static_assert(sizeof conf_options / sizeof *conf_options <= CONF_KEY_POSITIONS,
               "too few positions");

const struct conf_option *conf_option_find(enum conf_scope scope, const char *path)
{
    for (const struct conf_option *option = conf_options; option->path; option++)
        if (option->scope == scope && strcmp(option->path, path) == 0)
            return option;
    return NULL;
}

bool conf_option_is_section(enum conf_scope scope, const char *path)
{
    size_t length = strlen(path);
    for (const struct conf_option *option = conf_options; option->path; option++)
        if (option->scope == scope && strncmp(option->path, path, length) == 0 &&
            option->path[length] == '.')
            return true;
    return false;
}

/* "[a, b]" */
static bool list_default(const struct conf_option *option, void *base)
{
    for (const char *p = option->fallback + strspn(option->fallback, "[, "); *p && *p != ']';
         p += strspn(p, ", ")) {
        char word[CONF_PATH_SIZE];
        size_t length = strcspn(p, ",]");
        snprintf(word, sizeof word, "%.*s", (int)length, p);
        if (conf_list_add(option, word, base))
            return false;
        p += length;
    }
    return true;
}

void conf_option_defaults(enum conf_scope scope, void *base)
{
    for (const struct conf_option *option = conf_options; option->path; option++) {
        if (option->scope != scope || !option->fallback || option->type == CONF_LISTEN)
            continue;
        if (!(conf_list_is(option) ? list_default(option, base)
                                   : conf_value_parse(option, option->fallback, base)))
            fatal("the default of %s is not valid", option->path);
    }
}

/* Edits (a letter more, less, other, or two swapped) from `a` to `b`, case ignored; both at most 63
 * long. */
static unsigned edit_distance(const char *a, const char *b)
{
    unsigned rows[3][64];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];
    size_t width = strlen(b);
    for (unsigned j = 0; j <= width; j++)
        row[j] = j;
    for (unsigned i = 1; a[i - 1]; i++) {
        unsigned *spare = before;
        before = above;
        above = row;
        row = spare;
        row[0] = i;
        for (unsigned j = 1; j <= width; j++) {
            int x = tolower((unsigned char)a[i - 1]), y = tolower((unsigned char)b[j - 1]);
            unsigned best = above[j - 1] + (x != y);
            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) &&
                y == tolower((unsigned char)a[i - 2]) && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
        }
    }
    return row[width];
}

static const char *scope_prefix(enum conf_scope scope)
{
    static const char *const prefixes[] = {[CONF_SCOPE_GLOBAL] = "",
                                           [CONF_SCOPE_CAMERA] = "cameras.ID.",
                                           [CONF_SCOPE_PROFILE] = "cameras.ID.profiles.NAME."};
    return prefixes[scope];
}

/* A key whose last part is this word: "jpeg.quality" for "quality". */
static bool suggest_elsewhere(enum conf_scope scope, const char *key,
                              char out[static CONF_PATH_SIZE])
{
    for (const struct conf_option *option = conf_options; option->path; option++) {
        const char *dot = strrchr(option->path, '.'), *leaf = dot ? dot + 1 : option->path;
        bool visible = option->scope == scope ||
                       (scope == CONF_SCOPE_GLOBAL && option->scope == CONF_SCOPE_CAMERA);
        if (!visible || option->type == CONF_LATER || strcasecmp(leaf, key) != 0)
            continue;
        snprintf(out, CONF_PATH_SIZE, "%s%s",
                 option->scope == scope ? "" : scope_prefix(option->scope), option->path);
        return true;
    }
    return false;
}

bool conf_option_suggest(enum conf_scope scope, const char *prefix, const char *key,
                         char out[static CONF_PATH_SIZE])
{
    size_t prefix_length = strlen(prefix), key_length = strlen(key);
    if (key_length == 0 || key_length > 40)
        return false;
    unsigned best = key_length < 9 ? (unsigned)key_length / 3 + 1 : 4;
    bool found = false;
    for (const struct conf_option *option = conf_options; option->path; option++) {
        if (option->scope != scope || option->type == CONF_LATER ||
            strncmp(option->path, prefix, prefix_length) != 0)
            continue;
        char sibling[64];
        snprintf(sibling, sizeof sibling, "%.*s", (int)strcspn(option->path + prefix_length, "."),
                 option->path + prefix_length);
        unsigned edits = edit_distance(key, sibling);
        if (edits < best) {
            best = edits;
            found = true;
            snprintf(out, CONF_PATH_SIZE, "%s", sibling);
        }
    }
    return found || suggest_elsewhere(scope, key, out);
}

const char *conf_reload_words(const struct conf_option *option)
{
    static const char *const words[] = {
        [CONF_RELOAD_RESTART] = "refused",     [CONF_RELOAD_TELL] = "at once",
        [CONF_RELOAD_SUPERVISOR] = "at once",  [CONF_RELOAD_LISTENERS] = "new servers",
        [CONF_RELOAD_SERVERS] = "new servers", [CONF_RELOAD_LOG] = "at once"};
    if (option->type == CONF_CAMERAS || option->type == CONF_DEFAULTS)
        return "camera by camera";
    if (option->scope == CONF_SCOPE_PROFILE) /* `profiles` is the camera's key */
        return words[CONF_RELOAD_TELL];
    return option->scope == CONF_SCOPE_CAMERA && option->reload == CONF_RELOAD_RESTART
               ? "captured anew"
               : words[option->reload];
}

void conf_describe(FILE *out)
{
    for (const struct conf_option *option = conf_options; option->path; option++) {
        if (option->type == CONF_LATER)
            continue;
        char expected[160];
        conf_value_expected(option, expected, sizeof expected);
        fprintf(out, "%s%s: %s", scope_prefix(option->scope), option->path, expected);
        if (option->fallback)
            fprintf(out, "; default %s", option->fallback);
        fprintf(out, "; reload: %s\n    %s\n", conf_reload_words(option), option->help);
        for (unsigned i = 0; option->type == CONF_SOURCE && i < SCHEMES; i++)
            fprintf(out, "    %s: %s\n", scheme_table[i].form, scheme_table[i].help);
        if (option->type == CONF_CHAIN)
            conf_steps_describe(out);
    }
}
