/* GStreamer: appsrc ! shmsink, shmsrc ! appsink.  Messages are filled in the sink's own memory, as
 * it offers it, so that the writer copies nothing. */
#include "bench.h"

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/gst.h>

#define SLOTS 8

static GstElement *pipeline, *application;
static GstAllocator *allocator;
static GstAllocationParams parameters;
static GstBuffer *buffer;
static GstSample *sample;
static GstMapInfo mapped;
static size_t bytes;

static void start(const char *description, const char *name)
{
    GError *fault = NULL;
    gst_init(NULL, NULL);
    pipeline = gst_parse_launch(description, &fault);
    if (!pipeline || fault)
        bench_die("%s", fault ? fault->message : "no pipeline");
    application = gst_bin_get_by_name(GST_BIN(pipeline), name);
    if (gst_element_set_state(pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE)
        bench_die("the pipeline does not start");
}

static void stop(void)
{
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(application);
    gst_object_unref(pipeline);
}

/* Asks the sink which memory it would like best. */
static void find_allocator(void)
{
    GstPad *pad = gst_element_get_static_pad(application, "src");
    GstCaps *caps = gst_caps_new_empty_simple("application/x-bench");
    GstQuery *query = gst_query_new_allocation(caps, FALSE);
    if (gst_pad_peer_query(pad, query) && gst_query_get_n_allocation_params(query) > 0)
        gst_query_parse_nth_allocation_param(query, 0, &allocator, &parameters);
    if (!allocator)
        bench_die("shmsink offers no memory");
    gst_query_unref(query);
    gst_caps_unref(caps);
    gst_object_unref(pad);
}

static void writer_open(const struct bench_place *place)
{
    bytes = place->bytes;
    gchar *text = g_strdup_printf(
        "appsrc name=app format=time max-buffers=1 block=true ! "
        "shmsink socket-path=%s/gstreamer shm-size=%zu wait-for-connection=false sync=false",
        place->folder, SLOTS * (bytes + 4096));
    start(text, "app");
    g_free(text);
    find_allocator();
}

static uint8_t *loan(void)
{
    buffer = gst_buffer_new_allocate(allocator, bytes, &parameters);
    if (!buffer || !gst_buffer_map(buffer, &mapped, GST_MAP_WRITE))
        bench_die("no buffer");
    return mapped.data;
}

static void publish(void)
{
    gst_buffer_unmap(buffer, &mapped);
    if (gst_app_src_push_buffer(GST_APP_SRC(application), buffer) != GST_FLOW_OK)
        bench_die("can't push");
}

static void reader_open(const struct bench_place *place)
{
    bytes = place->bytes;
    gchar *text = g_strdup_printf("shmsrc socket-path=%s/gstreamer is-live=true ! appsink name=app "
                                  "sync=false max-buffers=1 drop=true",
                                  place->folder);
    start(text, "app");
    g_free(text);
}

static const uint8_t *take(int timeout_ms)
{
    sample = gst_app_sink_try_pull_sample(GST_APP_SINK(application), timeout_ms * GST_MSECOND);
    if (!sample)
        return NULL;
    if (!gst_buffer_map(gst_sample_get_buffer(sample), &mapped, GST_MAP_READ) ||
        mapped.size != bytes)
        bench_die("not the buffer that was sent");
    return mapped.data;
}

static void give_back(void)
{
    gst_buffer_unmap(gst_sample_get_buffer(sample), &mapped);
    gst_sample_unref(sample);
}

const struct bench_system bench_system = {writer_open, loan, publish,   stop,
                                          reader_open, take, give_back, stop};
