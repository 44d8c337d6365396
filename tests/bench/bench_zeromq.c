/* ZeroMQ over ipc, PUB and SUB, at most one message waiting on either side. */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

static void *context, *peer;
static zmq_msg_t message;
static size_t bytes;

static void check(int r, const char *what)
{
    if (r < 0)
        bench_die("%s: %s", what, zmq_strerror(errno));
}

static void open_peer(const struct bench_place *place, int type, int limit)
{
    char address[256];
    int one = 1, zero = 0;
    snprintf(address, sizeof address, "ipc://%s/zeromq", place->folder);
    bytes = place->bytes;
    context = zmq_ctx_new();
    peer = zmq_socket(context, type);
    check(zmq_setsockopt(peer, limit, &one, sizeof one), "high-water mark");
    check(zmq_setsockopt(peer, ZMQ_LINGER, &zero, sizeof zero), "linger");
    if (type == ZMQ_SUB)
        check(zmq_setsockopt(peer, ZMQ_SUBSCRIBE, "", 0), "subscribe");
    check(type == ZMQ_PUB ? zmq_bind(peer, address) : zmq_connect(peer, address), address);
}

static void close_peer(void)
{
    zmq_close(peer);
    zmq_ctx_term(context);
}

static void writer_open(const struct bench_place *place)
{
    open_peer(place, ZMQ_PUB, ZMQ_SNDHWM);
}

static uint8_t *loan(void)
{
    check(zmq_msg_init_size(&message, bytes), "zmq_msg_init_size");
    return zmq_msg_data(&message);
}

static void publish(void)
{
    check(zmq_msg_send(&message, peer, 0), "zmq_msg_send");
}

static void reader_open(const struct bench_place *place)
{
    open_peer(place, ZMQ_SUB, ZMQ_RCVHWM);
}

static const uint8_t *take(int timeout_ms)
{
    check(zmq_setsockopt(peer, ZMQ_RCVTIMEO, &timeout_ms, sizeof timeout_ms), "time-out");
    check(zmq_msg_init(&message), "zmq_msg_init");
    int r = zmq_msg_recv(&message, peer, 0);
    if (r < 0 && errno == EAGAIN)
        return NULL;
    check(r, "zmq_msg_recv");
    return zmq_msg_data(&message);
}

static void give_back(void)
{
    zmq_msg_close(&message);
}

const struct bench_system bench_system = {writer_open, loan, publish,   close_peer,
                                          reader_open, take, give_back, close_peer};
