/* metrics_private.h: what metrics.c shares with the files that write the families of one subject
 * each. */
#ifndef SERVER_METRICS_PRIVATE_H
#define SERVER_METRICS_PRIVATE_H

#include "server/context.h"
#include "server/metrics/exposition.h"
#include "server/metrics/processes.h"

#define METRICS_LABELS_SIZE 160

struct metrics_rings;

struct metrics {
    const struct server *server;
    struct processes *processes;
    struct metrics_rings *rings;
};

/* metrics_cameras.c */
void metrics_cameras(const struct metrics *metrics, struct exposition *out);

/* metrics_motion.c */
void metrics_motion(const struct metrics *metrics, struct exposition *out);

/* metrics_rings.c: keeps the rings that it has read open. */
/* fatal when out of memory */
struct metrics_rings *metrics_rings_create(const struct server *server);
void metrics_rings_destroy(struct metrics_rings *rings);
void metrics_rings_forget(struct metrics_rings *rings, unsigned place);
void metrics_rings(const struct metrics *metrics, struct exposition *out);

/* metrics_processes.c */
void metrics_processes(const struct metrics *metrics, struct exposition *out);

#endif
