#include "server/loop.h"

#include "common/clock.h"
#include "common/log.h"

#include <stdatomic.h>
#include <stdlib.h>

#define PROMISE_NS (10 * NS_PER_S)
#define SLOW_NS (100 * NS_PER_MS)

static struct {
    struct event_base *base;
    struct board_child *child;
    bool debug, stopped;
    const char *running; /* NULL: none */
    int64_t began_ns, now_ns;
} loop;

static void on_library_log(int severity, const char *message)
{
    if (severity >= EVENT_LOG_ERR)
        log_error("libevent: %s", message);
    else if (severity == EVENT_LOG_WARN)
        log_warn("libevent: %s", message);
    else
        log_debug("libevent: %s", message);
}

static void on_library_fatal(int code)
{
    (void)code; /* on_library_log has said why */
    exit(1);
}

struct event_base *loop_open(struct board_child *child, bool debug)
{
    event_set_log_callback(on_library_log);
    event_set_fatal_callback(on_library_fatal);
    loop.child = child;
    loop.debug = debug;
    loop.base = event_base_new();
    if (!loop.base)
        fatal("can't create an event loop");
    loop_renew();
    return loop.base;
}

void loop_close(void)
{
    event_base_free(loop.base);
    loop.base = NULL;
}

static void promise_heartbeat(int64_t deadline_ns)
{
    atomic_store_explicit(&loop.child->deadline_ns, deadline_ns, memory_order_relaxed);
}

static void loop_end_callback(int64_t now)
{
    if (loop.debug && loop.running && now - loop.began_ns > SLOW_NS)
        log_warn("callback \"%s\" took %lld ms", loop.running,
                 (long long)((now - loop.began_ns) / NS_PER_MS));
    loop.running = NULL;
}

void loop_begin(const char *what)
{
    int64_t now = loop_renew();
    loop_end_callback(now);
    loop.running = what;
    loop.began_ns = now;
    promise_heartbeat(now + PROMISE_NS);
}

int64_t loop_now(void)
{
    return loop.now_ns;
}

int64_t loop_renew(void)
{
    loop.now_ns = clock_now();
    return loop.now_ns;
}

void loop_run(void)
{
    while (!loop.stopped) {
        promise_heartbeat(CLOCK_NEVER);
        if (event_base_loop(loop.base, EVLOOP_ONCE) != 0)
            fatal("the event loop failed");
        loop_end_callback(clock_now());
    }
}

void loop_stop(void)
{
    loop.stopped = true;
    event_base_loopbreak(loop.base);
}
