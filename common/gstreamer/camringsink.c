/* camringsink.c: DESIGN
 *
 * The writer of a ring, which is made when the first caps say what it carries, and goes with the
 * pipeline.  The element before the sink is offered a pool of buffers that lie in the ring's slots
 * (slotpool.h).  A frame that was drawn there is committed where it is, unless another element
 * still refers to the buffer, whose memory is the ring's from then on.  Any other frame is copied
 * into a slot.  Neither waits, as no reader can hold a writer up.
 *
 * As a stage it writes the ring of a step of a camera's chain, which camring makes and removes:
 * while that ring isn't there frames are dropped, and each looks for it anew. */
#include "camringsink.h"

#include "address.h"
#include "moment.h"
#include "origin.h"
#include "outlet.h"
#include "picture.h"
#include "slotpool.h"

#include <stdbool.h>
#include <string.h>

struct _CamringSink {
    GstBaseSink parent;
    /* under the object's lock */
    struct address address;
    guint64 copied; /* frames, since the start */
    /* the streaming thread's */
    gchar *instance, *name; /* address_read; from start to stop */
    bool is_stage;
    bool complained;            /* of buffers whose origin isn't known */
    struct outlet *outlet;      /* NULL: no caps yet, or the stage's ring is away */
    int kind;                   /* of the ring: enum camring_kind */
    struct camring_frame shape; /* what the caps say; strides, but no planes */
    GstVideoInfo info;          /* of raw frames */
    size_t bytes;               /* of a raw frame in the ring */
};

G_DEFINE_TYPE(CamringSink, camring_sink, GST_TYPE_BASE_SINK)

enum { PROPERTY_COPIED = ADDRESS_PROPERTIES };

static void sink_set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
    (void)spec;
    address_set(object, &CAMRING_SINK(object)->address, id, value);
}

static void sink_get_property(GObject *object, guint id, GValue *value, GParamSpec *spec)
{
    (void)spec;
    CamringSink *sink = CAMRING_SINK(object);
    if (id != PROPERTY_COPIED) {
        address_get(object, &sink->address, id, value);
        return;
    }
    GST_OBJECT_LOCK(sink);
    g_value_set_uint64(value, sink->copied);
    GST_OBJECT_UNLOCK(sink);
}

/* ---- the ring ---- */

static void sink_close_ring(CamringSink *sink)
{
    outlet_unref(sink->outlet);
    sink->outlet = NULL;
}

/* False: the ring of a stage is away, which is no error, or *flow says that there was one. */
static bool sink_open_ring(CamringSink *sink, GstFlowReturn *flow)
{
    struct camring_error error;
    sink_close_ring(sink);
    *flow = GST_FLOW_OK;
    sink->outlet = outlet_open(sink->instance, sink->name, sink->kind, sink->is_stage, &error);
    if (sink->outlet)
        return true;
    if (sink->is_stage && (error.code == CAMRING_ABSENT || error.code == CAMRING_CLOSED))
        return false;
    GST_ELEMENT_ERROR(sink, RESOURCE, OPEN_WRITE, ("%s", error.text), (NULL));
    *flow = GST_FLOW_ERROR;
    return false;
}

/* A ring that came only now, or was taken away from under its writer, is opened anew, and with it
 * comes another pool.  NULL with *flow, as sink_open_ring. */
static uint8_t *sink_borrow(CamringSink *sink, size_t bytes, GstFlowReturn *flow)
{
    struct camring_error error = {.code = CAMRING_CLOSED};
    uint8_t *data = sink->outlet ? outlet_loan(sink->outlet, bytes, &error) : NULL;
    if (!data && error.code == CAMRING_CLOSED) {
        if (!sink_open_ring(sink, flow))
            return NULL;
        data = outlet_loan(sink->outlet, bytes, &error);
        gst_pad_push_event(GST_BASE_SINK_PAD(sink), gst_event_new_reconfigure());
    }
    *flow = data ? GST_FLOW_OK : GST_FLOW_ERROR;
    if (!data)
        GST_ELEMENT_ERROR(sink, RESOURCE, WRITE, ("%s", error.text), (NULL));
    return data;
}

/* ---- caps ---- */

static gboolean set_caps(GstBaseSink *base, GstCaps *caps)
{
    CamringSink *sink = CAMRING_SINK(base);
    int kind = CAMRING_KIND_JPEG;
    GstFlowReturn flow;
    if (!picture_from_caps(caps, &sink->shape, &sink->info))
        return FALSE;
    if (sink->shape.format != CAMRING_JPEG) {
        kind = CAMRING_KIND_RAW;
        sink->bytes = picture_lay_out(&sink->shape);
    }
    if (sink->outlet && sink->kind == kind)
        return TRUE;
    sink->kind = kind;
    return sink_open_ring(sink, &flow) || flow == GST_FLOW_OK;
}

/* ---- frames ---- */

/* Says what the frame was made from, and when that was captured.  Elements that lose metas may have
 * kept the offset, which a stage's source sets, too. */
static void set_origin(CamringSink *sink, struct camring_frame *frame, GstBuffer *buffer)
{
    if (origin_read(buffer, frame))
        return;
    GstClockTime running = gst_segment_to_running_time(&GST_BASE_SINK(sink)->segment,
                                                       GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
    if (GST_CLOCK_TIME_IS_VALID(running))
        frame->captured_ns = moment_monotonic(GST_ELEMENT(sink), running);
    if (!sink->is_stage)
        return;
    if (GST_BUFFER_OFFSET_IS_VALID(buffer)) {
        frame->source = GST_BUFFER_OFFSET(buffer);
        return;
    }
    if (!sink->complained)
        GST_ELEMENT_WARNING(sink, STREAM, FAILED,
                            ("%s: buffers come without the number of the camera's frame, which an "
                             "element before has lost: camring refuses them",
                             sink->name),
                            (NULL));
    sink->complained = true;
}

static GstFlowReturn sink_publish(CamringSink *sink, struct camring_frame *frame, GstBuffer *buffer)
{
    struct camring_error error;
    set_origin(sink, frame, buffer);
    if (outlet_commit(sink->outlet, frame, &error) == 0)
        return GST_FLOW_OK;
    GST_ELEMENT_ERROR(sink, RESOURCE, WRITE, ("%s", error.text), (NULL));
    return GST_FLOW_ERROR;
}

/* Where the buffer's frame lies, if it may be committed there; else NULL. */
static uint8_t *find_slot(CamringSink *sink, GstBuffer *buffer)
{
    GstMemory *memory = gst_buffer_peek_memory(buffer, 0);
    bool alone = gst_buffer_n_memory(buffer) == 1 && GST_MINI_OBJECT_REFCOUNT_VALUE(buffer) == 1 &&
                 GST_MINI_OBJECT_REFCOUNT_VALUE(memory) == 1;
    bool usual = !gst_buffer_get_video_meta(buffer) && memory->offset == 0 &&
                 memory->size == GST_VIDEO_INFO_SIZE(&sink->info);
    return alone && usual && sink->outlet ? outlet_slot(sink->outlet, memory) : NULL;
}

static GstFlowReturn publish_slot(CamringSink *sink, uint8_t *data, GstBuffer *buffer)
{
    struct camring_frame frame = sink->shape;
    for (unsigned i = 0; i < 3; i++) {
        frame.plane[i] = data + GST_VIDEO_INFO_PLANE_OFFSET(&sink->info, i);
        frame.stride[i] = (uint32_t)GST_VIDEO_INFO_PLANE_STRIDE(&sink->info, i);
    }
    return sink_publish(sink, &frame, buffer);
}

static void count_copy(CamringSink *sink)
{
    GST_OBJECT_LOCK(sink);
    sink->copied++;
    GST_OBJECT_UNLOCK(sink);
}

static GstFlowReturn copy_raw(CamringSink *sink, GstBuffer *buffer)
{
    GstVideoFrame from;
    struct camring_frame frame = sink->shape;
    GstFlowReturn flow;
    if (!gst_video_frame_map(&from, &sink->info, buffer, GST_MAP_READ)) {
        GST_ELEMENT_ERROR(sink, STREAM, FORMAT, ("a buffer is not what its caps say"), (NULL));
        return GST_FLOW_ERROR;
    }
    uint8_t *data = sink_borrow(sink, sink->bytes, &flow);
    if (data)
        picture_fill(&frame, data, &from);
    gst_video_frame_unmap(&from);
    if (!data)
        return flow;
    count_copy(sink);
    return sink_publish(sink, &frame, buffer);
}

static GstFlowReturn render_raw(CamringSink *sink, GstBuffer *buffer)
{
    uint8_t *slot = find_slot(sink, buffer);
    return slot ? publish_slot(sink, slot, buffer) : copy_raw(sink, buffer);
}

/* Sizes vary from file to file, and a larger one than ever would be a new generation each time. */
static size_t with_room(size_t bytes)
{
    size_t room = 65536;
    while (room < bytes)
        room *= 2;
    return room;
}

static GstFlowReturn render_jpeg(CamringSink *sink, GstBuffer *buffer)
{
    GstMapInfo file;
    struct camring_frame frame = sink->shape;
    GstFlowReturn flow;
    if (!gst_buffer_map(buffer, &file, GST_MAP_READ))
        return GST_FLOW_ERROR;
    uint8_t *data = sink_borrow(sink, with_room(file.size), &flow);
    if (data)
        memcpy(data, file.data, file.size);
    frame.plane[0] = data;
    frame.bytes = (uint32_t)file.size;
    gst_buffer_unmap(buffer, &file);
    if (!data)
        return flow;
    count_copy(sink);
    return sink_publish(sink, &frame, buffer);
}

static GstFlowReturn sink_render(GstBaseSink *base, GstBuffer *buffer)
{
    CamringSink *sink = CAMRING_SINK(base);
    return sink->kind == CAMRING_KIND_RAW ? render_raw(sink, buffer) : render_jpeg(sink, buffer);
}

static gboolean propose_allocation(GstBaseSink *base, GstQuery *query)
{
    CamringSink *sink = CAMRING_SINK(base);
    GstVideoInfo info;
    GstCaps *caps;
    gst_query_parse_allocation(query, &caps, NULL);
    gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL);
    if (!caps || !sink->outlet || sink->kind != CAMRING_KIND_RAW ||
        !gst_video_info_from_caps(&info, caps))
        return TRUE;
    guint size = (guint)GST_VIDEO_INFO_SIZE(&info);
    GstBufferPool *pool = slotpool_create(sink->outlet);
    GstStructure *config = gst_buffer_pool_get_config(pool);
    gst_buffer_pool_config_set_params(config, caps, size, 0, 0);
    if (gst_buffer_pool_set_config(pool, config))
        gst_query_add_allocation_pool(query, pool, size, 0, 0);
    gst_object_unref(pool);
    return TRUE;
}

/* ---- the element ---- */

static gboolean sink_start(GstBaseSink *base)
{
    CamringSink *sink = CAMRING_SINK(base);
    sink->is_stage = address_read(G_OBJECT(sink), &sink->address, &sink->instance, &sink->name);
    sink->copied = 0;
    sink->complained = false;
    if (sink->name)
        return TRUE; /* the ring comes with the first caps, which say its kind */
    g_clear_pointer(&sink->instance, g_free);
    GST_ELEMENT_ERROR(sink, RESOURCE, SETTINGS, ("which camera?  camringsink camera=ID"), (NULL));
    return FALSE;
}

static gboolean sink_stop(GstBaseSink *base)
{
    CamringSink *sink = CAMRING_SINK(base);
    sink_close_ring(sink);
    g_clear_pointer(&sink->name, g_free);
    g_clear_pointer(&sink->instance, g_free);
    return TRUE;
}

static void sink_finalize(GObject *object)
{
    address_clear(&CAMRING_SINK(object)->address);
    G_OBJECT_CLASS(camring_sink_parent_class)->finalize(object);
}

static void camring_sink_init(CamringSink *sink)
{
    gst_base_sink_set_sync(GST_BASE_SINK(sink), FALSE);
    gst_base_sink_set_last_sample_enabled(GST_BASE_SINK(sink), FALSE);
}

static void camring_sink_class_init(CamringSinkClass *class)
{
    GObjectClass *object = G_OBJECT_CLASS(class);
    GstElementClass *element = GST_ELEMENT_CLASS(class);
    GstBaseSinkClass *base = GST_BASE_SINK_CLASS(class);
    static GstStaticPadTemplate template = GST_STATIC_PAD_TEMPLATE(
        "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(PICTURE_CAPS));

    object->set_property = sink_set_property;
    object->get_property = sink_get_property;
    object->finalize = sink_finalize;
    address_install(
        object, "The ring's name behind the camera's; without one: raw or jpeg", NULL,
        "The external step of the camera's chain whose pictures these are, made from those of a "
        "camringsrc with the same stage; ring isn't looked at");
    g_object_class_install_property(
        object, PROPERTY_COPIED,
        g_param_spec_uint64("copied", "copied",
                            "Frames that were copied, as they were not drawn into the ring", 0,
                            G_MAXUINT64, 0, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
    gst_element_class_add_static_pad_template(element, &template);
    gst_element_class_set_static_metadata(element, "camring sink", "Sink/Video",
                                          "Writes frames to a ring in camring's shared memory",
                                          "camring");
    base->start = sink_start;
    base->set_caps = set_caps;
    base->render = sink_render;
    base->propose_allocation = propose_allocation;
    base->stop = sink_stop;
}
