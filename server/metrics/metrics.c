#include "server/metrics/metrics.h"

#include "common/board.h"
#include "common/log.h"
#include "server/metrics/metrics_private.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct metrics *metrics_create(const struct server *server)
{
    struct metrics *metrics = calloc(1, sizeof *metrics);
    if (!metrics)
        fatal("out of memory");
    metrics->server = server;
    metrics->processes = processes_create(server->board);
    metrics->rings = metrics_rings_create(server);
    return metrics;
}

void metrics_destroy(struct metrics *metrics)
{
    metrics_rings_destroy(metrics->rings);
    processes_destroy(metrics->processes);
    free(metrics);
}

void metrics_forget(struct metrics *metrics, unsigned place)
{
    metrics_rings_forget(metrics->rings, place);
}

/* ---- the instance and its HTTP ---- */

static void write_instance(const struct server *server, struct exposition *out)
{
    exposition_family(out, "camring_build_info", "gauge", "The version that runs; always 1.");
    exposition_count(out, "version=\"" CAMRING_VERSION "\"", 1);
    exposition_family(out, "camring_start_time_seconds", "gauge",
                      "When the instance started, since the epoch.");
    exposition_seconds(out, "", board_started(server->board));
}

static const char *route_name(enum route_class class)
{
    static const char *const names[ROUTE_CLASSES] = {
        [ROUTE_PAGE] = "page",  [ROUTE_STREAM] = "stream",   [ROUTE_SNAPSHOT] = "snapshot",
        [ROUTE_API] = "api",    [ROUTE_METRICS] = "metrics", [ROUTE_PROBE] = "probe",
        [ROUTE_OTHER] = "other"};
    return names[class];
}

static uint64_t answers_of(struct board *board, unsigned class, unsigned status)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < RING_MAX_WAKERS; i++)
        sum += atomic_load_explicit(&board_server(board, i)->answers[class][status],
                                    memory_order_relaxed);
    return sum;
}

static void write_answers(struct board *board, struct exposition *out)
{
    char labels[METRICS_LABELS_SIZE];
    exposition_family(out, "camring_http_requests_total", "counter",
                      "Requests answered, by what they were about and the class of the status.");
    for (unsigned class = 0; class < ROUTE_CLASSES; class ++)
        for (unsigned status = 0; status < BOARD_STATUSES; status++) {
            snprintf(labels, sizeof labels, "route=\"%s\",status=\"%uxx\"", route_name(class),
                     status + 2);
            exposition_count(out, labels, answers_of(board, class, status));
        }
}

static void write_http(const struct server *server, struct exposition *out)
{
    uint64_t accepted = 0, bytes = 0;
    for (unsigned i = 0; i < RING_MAX_WAKERS; i++) {
        const struct board_server *figures = board_server(server->board, i);
        accepted += atomic_load_explicit(&figures->accepted, memory_order_relaxed);
        bytes += atomic_load_explicit(&figures->bytes, memory_order_relaxed);
    }
    exposition_family(out, "camring_http_clients", "gauge", "Clients of streams and events now.");
    exposition_count(out, "", board_clients(server->board));
    exposition_family(out, "camring_http_max_clients", "gauge",
                      "How many clients there may be (http.max_clients).");
    exposition_count(out, "", server->setup->hello.http.max_clients);
    exposition_family(out, "camring_http_connections_total", "counter", "Connections accepted.");
    exposition_count(out, "", accepted);
    exposition_family(out, "camring_http_sent_bytes_total", "counter",
                      "Bytes that the kernel took for clients.");
    exposition_count(out, "", bytes);
    write_answers(server->board, out);
}

/* ---- the answer ---- */

void metrics_handle(struct http_request *request)
{
    const struct metrics *metrics = request->server->metrics;
    struct exposition out = {0};
    write_instance(metrics->server, &out);
    metrics_cameras(metrics, &out);
    metrics_motion(metrics, &out);
    write_http(metrics->server, &out);
    metrics_rings(metrics, &out);
    metrics_processes(metrics, &out);
    if (!out.failed) {
        http_reply_text(request, 200, EXPOSITION_CONTENT_TYPE, out.text, out.length);
    } else {
        free(out.text);
        http_reply_later(request, "out of memory");
    }
}
