/* iceoryx, by its C binding; the RouDi is the driver's. */
#include "bench.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <iceoryx_binding_c/enums.h>
#include <iceoryx_binding_c/publisher.h>
#include <iceoryx_binding_c/runtime.h>
#include <iceoryx_binding_c/subscriber.h>
#include <iceoryx_binding_c/types.h>
#include <iceoryx_binding_c/wait_set.h>

static iox_pub_storage_t publisher_storage;
static iox_sub_storage_t subscriber_storage;
static iox_ws_storage_t wait_storage;
static iox_pub_t publisher;
static iox_sub_t subscriber;
static iox_ws_t waiting;
static uint32_t bytes;
static void *loaned;
static const void *taken;

static void join(const struct bench_place *place)
{
    char name[64];
    snprintf(name, sizeof name, "%s-%d", place->name, (int)getpid());
    bytes = (uint32_t)place->bytes;
    iox_runtime_init(name);
}

static void writer_open(const struct bench_place *place)
{
    join(place);
    iox_pub_options_t options;
    iox_pub_options_init(&options);
    options.historyCapacity = 0;
    options.nodeName = "bench";
    publisher = iox_pub_init(&publisher_storage, "bench", place->name, "frame", &options);
}

static uint8_t *loan(void)
{
    if (iox_pub_loan_aligned_chunk(publisher, &loaned, bytes, 64) != AllocationResult_SUCCESS)
        bench_die("no chunk");
    return loaned;
}

static void publish(void)
{
    iox_pub_publish_chunk(publisher, loaned);
}

static void writer_close(void)
{
    iox_pub_deinit(publisher);
    iox_runtime_shutdown();
}

static void reader_open(const struct bench_place *place)
{
    join(place);
    iox_sub_options_t options;
    iox_sub_options_init(&options);
    options.queueCapacity = 1;
    options.historyRequest = 0;
    options.nodeName = "bench";
    subscriber = iox_sub_init(&subscriber_storage, "bench", place->name, "frame", &options);
    waiting = iox_ws_init(&wait_storage);
    if (iox_ws_attach_subscriber_event(waiting, subscriber, SubscriberEvent_DATA_RECEIVED, 1,
                                       NULL) != WaitSetResult_SUCCESS)
        bench_die("can't attach the subscriber");
    for (int i = 0; iox_sub_get_subscription_state(subscriber) != SubscribeState_SUBSCRIBED; i++) {
        if (i == 3000)
            bench_die("not subscribed");
        usleep(1000);
    }
}

static const uint8_t *take(int timeout_ms)
{
    struct timespec limit = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L};
    for (;;) {
        if (iox_sub_take_chunk(subscriber, &taken) == ChunkReceiveResult_SUCCESS)
            return taken;
        iox_notification_info_t info;
        uint64_t missed;
        if (iox_ws_timed_wait(waiting, limit, &info, 1, &missed) == 0)
            return NULL;
    }
}

static void give_back(void)
{
    iox_sub_release_chunk(subscriber, taken);
}

static void reader_close(void)
{
    iox_ws_detach_subscriber_event(waiting, subscriber, SubscriberEvent_DATA_RECEIVED);
    iox_ws_deinit(waiting);
    iox_sub_deinit(subscriber);
    iox_runtime_shutdown();
}

const struct bench_system bench_system = {writer_open, loan, publish,   writer_close,
                                          reader_open, take, give_back, reader_close};
