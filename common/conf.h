/* conf.h: the configuration file.  One option table yields parsing, ranges, defaults and the help
 * text. The structs are plain data without pointers, except conf.cameras: they are sent to children
 * as they are. */
#ifndef CAMRING_CONF_H
#define CAMRING_CONF_H

#include "conf_chain.h"
#include "log.h"
#include "ring.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CONF_MAX_LISTEN 8
#define CONF_MAX_CAMERAS 1000
#define CONF_MAX_ENCODERS 256
#define CONF_MAX_PROFILES 8
#define CONF_SOURCE_SIZE 2048
#define CONF_FILE_SIZE 512
#define CONF_MAX_ORIGINS 16
#define CONF_MAX_PROXIES 32
#define CONF_ZONES 8
#define CONF_ZONE_POINTS 16

struct conf_log {
    enum log_level level;
    enum log_format format;
};

/* What a request is about, for http.protect: bit numbers. */
enum conf_route {
    CONF_ROUTE_PAGE,
    CONF_ROUTE_STREAM,
    CONF_ROUTE_SNAPSHOT,
    CONF_ROUTE_API,
    CONF_ROUTE_METRICS
};

struct conf_origins {
    unsigned count;
    char item[CONF_MAX_ORIGINS][128]; /* "*", or as browsers send it */
};

struct conf_proxies {
    bool unix_sockets; /* every client on a unix socket */
    unsigned count;
    struct {
        uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d */
        uint8_t bits;        /* 0..128 */
    } item[CONF_MAX_PROXIES];
};

struct conf_http {
    char listen[CONF_MAX_LISTEN][128]; /* "host:port", "[v6]:port" or "unix:/path", checked */
    unsigned listen_count;
    char users_file[CONF_FILE_SIZE], tokens_file[CONF_FILE_SIZE]; /* absolute; "": none */
    char tls_cert[CONF_FILE_SIZE], tls_key[CONF_FILE_SIZE];       /* both or neither */
    unsigned protect;                                             /* bits by enum conf_route */
    struct conf_origins cors_origins;
    struct conf_proxies trusted_proxies;
    char base_path[128]; /* "", or like "/cameras" */
    unsigned unix_mode;
    unsigned workers; /* 0: auto */
    unsigned max_clients;
    int64_t client_timeout_ns;
    bool allow_open_bind;
};

struct conf_restart {
    unsigned burst;
    int64_t window_ns, max_ns;
};

struct conf_reconnect {
    int64_t every_ns, for_ns, max_ns;
    unsigned jitter_percent;
};

enum conf_transport { CONF_TRANSPORT_TCP, CONF_TRANSPORT_UDP, CONF_TRANSPORT_AUTO };
enum conf_passthrough { CONF_PASSTHROUGH_AUTO, CONF_PASSTHROUGH_OFF };
enum conf_offline { CONF_OFFLINE_PLACEHOLDER, CONF_OFFLINE_LAST, CONF_OFFLINE_CLOSE };

/* A size, quality and rate that viewers can ask for by name; 0: the camera's own. */
struct conf_profile {
    char name[RING_ID_SIZE];
    unsigned width, quality;
    double fps;
};

/* A polygon, in pixels of the camera's picture. */
struct conf_zone {
    unsigned count; /* of points, 3 … CONF_ZONE_POINTS */
    struct {
        uint16_t x, y;
    } points[CONF_ZONE_POINTS];
};

struct conf_motion {
    bool enabled;
    /* 1 … 100: how much brighter or darker than the background a place must be to count (by 24 of
     * 255 levels at 1, 12 at 50, 6 at 100; by more where the camera is noisy), and how large it
     * must be (0.22 % of the picture at 1, 0.055 % at 50, 0.014 % at 100) */
    unsigned sensitivity;
    unsigned zone_count; /* where to look; 0: everywhere */
    struct conf_zone zones[CONF_ZONES];
};

struct conf_camera {
    char id[RING_ID_SIZE];
    char source[CONF_SOURCE_SIZE]; /* the URL to open, with its secrets; only sent to capture */
    enum conf_transport rtsp_transport;
    uint32_t max_width, max_height; /* 0: by the first picture */
    double fps;                     /* cap, 0: the source's */
    bool tls_verify;
    int64_t stall_timeout_ns;
    struct conf_reconnect reconnect;
    unsigned jpeg_quality; /* 1..100 */
    enum conf_passthrough passthrough;
    enum conf_offline offline;
    unsigned profile_count;
    struct conf_profile profiles[CONF_MAX_PROFILES];
    struct conf_chain chain;
    struct conf_motion motion;
};

/* Where something stands in the file, both from 1; both 0: nowhere. */
struct conf_key_position {
    unsigned line, column;
};

#define CONF_KEY_POSITIONS 128

struct conf {
    char instance[RING_ID_SIZE];
    struct conf_http http;
    unsigned encoder_workers; /* 0: auto, one per core */
    struct conf_restart restart;
    uint64_t shm_max_bytes;
    unsigned shm_reader_rows;
    struct conf_log log;
    bool debug;
    unsigned max_connecting;
    unsigned max_cameras; /* places on the board */
    unsigned camera_count;
    struct conf_camera *cameras; /* in the file's order */
    /* of the keys, in the order of the option table; conf_key_position finds one */
    struct conf_key_position positions[CONF_KEY_POSITIONS];
};

/* Reads `path` ("-": standard input).  Returns NULL if it has any fault, after writing all faults
 * to `faults` as "FILE:LINE:COL: message", one per line.  conf_free frees. */
struct conf *conf_load(const char *path, FILE *faults);
void conf_free(struct conf *conf);

/* Where the file has that key, which is none of a camera's: "shm.reader_rows". */
struct conf_key_position conf_key_position(const struct conf *conf, const char *key);

/* True if nothing counts more zones or corners than there is room for. */
bool conf_motion_valid(const struct conf_motion *motion);

/* True if pictures can be seen without a login and allow_open_bind does not permit that. */
bool conf_http_is_open(const struct conf_http *http);

/* The file that is used when none is named: ./camring.yaml, then /etc/camring/camring.yaml; NULL if
 * neither exists. */
const char *conf_default_path(void);

/* Writes the option table as text: key, type and range, default, what `camring reload` does about
 * another value, meaning. */
void conf_describe(FILE *out);

#endif
