/* conf_private.h: what the files conf*.c share.  The way of a configuration: text -> tree of nodes
 * with their places (conf_tree.c) -> each key looked up in the option table (conf_options.c) -> its
 * value expanded (conf_expand.c) and parsed (conf_value.c, conf_listen.c, conf_source.c) -> struct
 * conf (conf.c).  Each step adds the faults that it finds to the list (conf_fault.c). */
#ifndef CAMRING_CONF_PRIVATE_H
#define CAMRING_CONF_PRIVATE_H

#include "conf.h"

#define CONF_FILE_MAX (1024 * 1024) /* bytes */
#define CONF_VALUE_SIZE CONF_SOURCE_SIZE
#define CONF_PATH_SIZE 128
#define CONF_QUOTE_SIZE 96

/* conf_load after reading the file; `name` is the file's name in faults. Also for tests. */
struct conf *conf_parse(const char *text, size_t size, const char *name, FILE *faults);

/* ---- faults ---- */

struct conf_fault {
    unsigned line, column;
    unsigned order;
    char *text;
};

struct conf_faults {
    const char *file;
    struct conf_fault *list;
    unsigned count, dropped, room;
    unsigned end_line; /* from this line on faults are ignored; 0: none */
};

void conf_fault(struct conf_faults *faults, unsigned line, unsigned column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
bool conf_faults_any(const struct conf_faults *faults);

/* Writes them in the order of their places, and frees them. */
void conf_faults_finish(struct conf_faults *faults, FILE *out);

/* Text from the configuration for a message: redacted, shortened, in double quotes. */
const char *conf_quote(const char *text, char out[static CONF_QUOTE_SIZE]);

/* ---- tree ---- */

enum conf_node_kind { CONF_NODE_SCALAR, CONF_NODE_LIST, CONF_NODE_MAP };

struct conf_node {
    enum conf_node_kind kind;
    unsigned line, column;
    char *text;   /* scalar: without NULs inside */
    bool missing; /* scalar: null, or nothing there */
    /* scalar: where text[0] stands, if text stands in the file as it is; else 0 */
    unsigned text_column;
    struct conf_node *key;
    struct conf_node *first, *last, *next;
};

struct conf_tree {
    struct conf_node *root; /* NULL: nothing in the file */
    /* a syntax error ended the reading: a key that is missing may stand in the rest */
    bool partial;
    /* if partial: faults from this line on are not reported */
    unsigned end_line;
};

struct conf_tree conf_tree_read(const char *text, size_t size, struct conf_faults *faults);
void conf_tree_free(struct conf_tree *tree);
const char *conf_node_kind_name(const struct conf_node *node); /* "a list" … */

/* ---- options ---- */

enum conf_scope { CONF_SCOPE_GLOBAL, CONF_SCOPE_CAMERA, CONF_SCOPE_PROFILE };

enum conf_type {
    CONF_NAME,
    CONF_NUMBER,
    CONF_NUMBER_OR_AUTO, /* auto = 0 */
    CONF_NUMBER_OR_ZERO, /* 0, or within the range */
    CONF_DURATION,       /* ns */
    CONF_BYTES,
    CONF_BOOL,
    CONF_CHOICE, /* an enum, by `names` */
    CONF_RATE,   /* double */
    CONF_PERCENT,
    CONF_PICTURE_SIZE, /* two uint32_t, width first */
    CONF_SOURCE,
    CONF_FILE,      /* the absolute path of one */
    CONF_BASE_PATH, /* of URLs */
    CONF_MODE,      /* of a file */
    CONF_SET,       /* a list of `names`, as bits */
    CONF_ORIGINS,   /* a list */
    CONF_PROXIES,   /* a list */
    CONF_LISTEN,
    CONF_CAMERAS,
    CONF_DEFAULTS,
    CONF_PROFILES,
    CONF_CHAIN,
    CONF_ZONE_LIST, /* in struct conf_motion */
    CONF_LATER,     /* not in this version: refused with a message */
};

/* What a reload does when the key has another value. */
enum conf_reload {
    CONF_RELOAD_RESTART = 0, /* global: refuses it; of a camera: starts a fresh capture */
    CONF_RELOAD_TELL,        /* tells the processes that know the camera */
    CONF_RELOAD_SUPERVISOR,  /* the supervisor takes it over, starting or ending processes */
    CONF_RELOAD_LISTENERS,   /* opens and closes sockets, and replaces the servers */
    CONF_RELOAD_SERVERS,     /* replaces the servers; the old ones drain */
    CONF_RELOAD_LOG          /* tells every process */
};

struct conf_option {
    const char *path; /* "http.listen"; of a camera's or profile's option from that on */
    enum conf_scope scope;
    enum conf_type type;
    size_t offset; /* in struct conf, struct conf_camera or struct conf_profile */
    int64_t min, max;
    const char *const *names; /* ends with NULL */
    const char *fallback;     /* the default, as in the file */
    const char *help;
    enum conf_reload reload;
};

extern const struct conf_option conf_options[]; /* ends with path NULL */

const struct conf_option *conf_option_find(enum conf_scope scope, const char *path);

/* What a reload does about another value, in a few words that camring.yaml(5) explains. */
const char *conf_reload_words(const struct conf_option *option);

/* True if `path` is a key with others below it. */
bool conf_option_is_section(enum conf_scope scope, const char *path);

/* The key meant by `key`, which does not exist below `prefix` ("" or "http."); false if nothing
 * comes close. */
bool conf_option_suggest(enum conf_scope scope, const char *prefix, const char *key,
                         char out[static CONF_PATH_SIZE]);

/* Sets every option of `scope` that has a default. */
void conf_option_defaults(enum conf_scope scope, void *base);

/* ---- values ---- */

/* Parses `text` into the option's field in `base`; false if it is not what conf_value_expected
 * says. */
bool conf_value_parse(const struct conf_option *option, const char *text, void *base);
void conf_value_expected(const struct conf_option *option, char *out, size_t size);

/* Replaces ${VAR}, ${file:PATH} and $$ in the scalar's text; what stands for a user or password in
 * the URL of a source is escaped where it would end that part.  False if that failed, with the
 * faults added. */
bool conf_expand(const struct conf_node *node, bool is_source, char out[static CONF_VALUE_SIZE],
                 struct conf_faults *faults);

/* Adds one entry to a list's field; NULL, or the text of its fault. */
const char *conf_list_add(const struct conf_option *option, const char *text, void *base);
void conf_list_clear(const struct conf_option *option, void *base);
bool conf_list_is(const struct conf_option *option);

/* CONF_BASE_PATH and CONF_MODE. */
bool conf_http_parse(const struct conf_option *option, const char *text, void *field);

/* A path that doesn't begin with / counts from the folder of `config`.  False if it is empty or too
 * long. */
bool conf_file_resolve(const char *config, const char *text, char out[static CONF_FILE_SIZE]);

/* Checks the keys of http that depend on each other. */
void conf_http_check(const struct conf_http *http, const struct conf_node *root,
                     struct conf_faults *faults);

/* Checks http.listen (NULL: it isn't in the file) and stores it. */
void conf_listen_apply(struct conf_http *http, const struct conf_node *node, bool partial,
                       struct conf_faults *faults);

/* Fills *chain with the steps of the list `node`; `where` is its key for messages. */
void conf_steps_apply(struct conf_chain *chain, const struct conf_node *node, const char *where,
                      struct conf_faults *faults);

/* Writes the steps for people: form, meaning. */
void conf_steps_describe(FILE *out);

/* Checks an expanded source and stores it; `node` is where it came from, `where` its key for
 * messages. */
void conf_source_apply(char out[static CONF_SOURCE_SIZE], const char *source,
                       const struct conf_node *node, const char *where, struct conf_faults *faults);

/* Stores the zones of motion; `where` is "cameras.door." or "defaults.", before keys in messages.
 */
void conf_zones_apply(struct conf_motion *motion, const struct conf_node *node, const char *where,
                      struct conf_faults *faults);

#endif
