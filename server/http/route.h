/* route.h: which handler answers a path.  Pure; the table itself is in routes.c. */
#ifndef SERVER_ROUTE_H
#define SERVER_ROUTE_H

#include "common/conf.h"
#include "server/http/query.h"

#include <stdbool.h>
#include <stddef.h>

#define ROUTE_CAMERA_SIZE 64
#define ROUTE_PATH_SIZE 512 /* longer paths are refused */

struct http_request;

/* Bits, for the sets in the table; HTTP_OTHER: one that no route knows. */
enum http_method { HTTP_OTHER = 0, HTTP_GET = 1, HTTP_HEAD = 2, HTTP_OPTIONS = 4, HTTP_POST = 8 };

enum route_camera {
    ROUTE_NO_CAMERA,
    ROUTE_BY_NAME, /* {id} names something else */
    ROUTE_BY_ID,   /* {id} names it */
    ROUTE_NUMBER,  /* {id} names it, or is its number in the file, counted from 1 */
    ROUTE_SRC,     /* the query's src names it */
    ROUTE_FIRST,   /* the first in the file */
    ROUTE_ACTION,  /* the query's action does: "stream" the first, "stream_N" the N-th from 0 */
};

/* What a path is about, for http.protect. */
enum route_class {
    ROUTE_PAGE = CONF_ROUTE_PAGE,
    ROUTE_STREAM = CONF_ROUTE_STREAM,
    ROUTE_SNAPSHOT = CONF_ROUTE_SNAPSHOT,
    ROUTE_API = CONF_ROUTE_API,
    ROUTE_METRICS = CONF_ROUTE_METRICS,
    ROUTE_PROBE, /* never protected, but answers without a login show less */
    ROUTE_OTHER, /* no path of the table, or no request that can be read */
    ROUTE_CLASSES
};

/* One row.  The first that fits wins. */
struct route {
    const char *path;   /* a segment "{id}" stands for any one segment */
    const char *action; /* the query's action must be this, or this and "_N"; NULL: any query */
    unsigned methods;   /* HEAD follows from GET, OPTIONS is always answered */
    enum route_camera camera;
    void (*handle)(struct http_request *request);
    enum route_class class;
};

enum route_result {
    ROUTE_FOUND,
    ROUTE_UNKNOWN, /* no such path: 404 */
    ROUTE_METHOD,  /* not with this method: 405 */
    ROUTE_BAD,     /* the path is badly encoded: 400 */
};

struct route_match {
    const struct route *route;
    char camera[ROUTE_CAMERA_SIZE]; /* {id}, decoded, shortened if need be */
    unsigned number;                /* ROUTE_ACTION: N */
    unsigned allowed;               /* methods that the path knows */
};

/* `path` as it came, without the query; starts with "/". */
enum route_result route_find(const struct route *table, size_t rows, const char *path,
                             const struct query *query, enum http_method method,
                             struct route_match *match);

/* What is left of `path` below `base`, which is "" or like "/cameras"; "" if it is just that. NULL:
 * it is not below. */
const char *route_below(const char *base, const char *path);

/* The method of that name, as it stands in the request. */
enum http_method route_method(const char *name);

/* "GET, HEAD, OPTIONS" for an Allow header. */
void route_allow(unsigned methods, char *out, size_t size);

/* The table of this server. */
extern const struct route routes[];
extern const size_t routes_count;

/* Finds the camera that the match names and sets request->camera. False: there is none; an error
 * has been sent. Defined beside the table, because http/ knows nothing of cameras. */
bool route_find_camera(struct http_request *request, const struct route_match *match);

#endif
