#include "process_counts.h"

#include <sched.h>
#include <unistd.h>

/* 1,000 viewers of 720p30 cost a server a quarter of a core, beside the kernel's networking; with
 * TLS most of a core. One server per two cores leaves the rest to capture and encoder processes. */
#define CLIENTS_PER_SERVER 1000
#define TLS_CLIENTS_PER_SERVER 250
#define CORES_PER_SERVER 2

unsigned process_counts_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (unsigned)CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN); /* more cores than a cpu_set_t holds */
    return online > 0 ? (unsigned)online : 1;
}

static unsigned servers_for(const struct conf_http *http, unsigned cores)
{
    unsigned each = http->tls_cert[0] ? TLS_CLIENTS_PER_SERVER : CLIENTS_PER_SERVER;
    unsigned wanted = (http->max_clients + each - 1) / each, most = cores / CORES_PER_SERVER;
    if (most > RING_MAX_WAKERS)
        most = RING_MAX_WAKERS;
    if (wanted > most)
        wanted = most;
    return wanted > 0 ? wanted : 1;
}

struct process_counts process_counts_decide(const struct conf *conf, unsigned cores)
{
    return (struct process_counts){
        .encoders = conf->encoder_workers ? conf->encoder_workers : cores,
        .servers = conf->http.workers ? conf->http.workers : servers_for(&conf->http, cores)};
}
