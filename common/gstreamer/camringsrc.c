/* camringsrc.c: DESIGN
 *
 * A live source.  Its thread waits for the ring's descriptor, takes the newest frame and pushes it
 * on where it lies; frames beyond those that may stay in the ring (feed.h), and those whose layout
 * the next element couldn't be told, are copied into a pool's buffers.  Caps come with the first
 * frame and with each of another size, so nothing is negotiated before.
 *
 * A ring that is closed (camring stops, or restarts) is waited for, by its name, for as long as the
 * pipeline runs: only a ring that isn't there at the start is an error.
 *
 * As a stage it reads what a step of the camera's chain is given: a ring of the steps before it,
 * its input, or the raw ring where there is no such ring.  A reload may make one while the raw ring
 * is being read, so arriving rings are watched for meanwhile; and a stage waits at the start, too.
 */
#include "camringsrc.h"

#include "address.h"
#include "arrival.h"
#include "feed.h"
#include "moment.h"
#include "origin.h"
#include "picture.h"

#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

#define DEFAULT_RING "raw"
#define LATENCY_FRAMES 3 /* that may lie between this element and the end, at most */
#define DEFAULT_FRAME_TIME (GST_SECOND / 25)

struct _CamringSrc {
    GstPushSrc parent;
    /* under the object's lock */
    struct address address;
    GstClockTime frame_time; /* from frame to frame; 0: not known */
    /* the thread's own, or of no thread while it stands */
    gchar *instance, *name, *input; /* address_read_input */
    struct feed *feed;
    GstPoll *poll;
    GstPollFD frames, arrivals; /* watched, or -1: the feed's descriptor; `arrival` */
    int arrival;                /* arrival.h, while there is a ring to wait for; else -1 */
    bool reads_input;           /* the feed is of `input` */
    struct camring_frame shape; /* whose caps are set; width 0: none yet */
    GstVideoInfo info;
    bool takes_layout; /* the next element knows GstVideoMeta */
    GstBufferPool *pool;
    guint64 next; /* number of the frame after the last; 0: there was none of this ring yet */
};

G_DEFINE_TYPE(CamringSrc, camring_src, GST_TYPE_PUSH_SRC)

GST_DEBUG_CATEGORY_STATIC(camring_src_debug);
#define GST_CAT_DEFAULT camring_src_debug

static void src_set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
    (void)spec;
    address_set(object, &CAMRING_SRC(object)->address, id, value);
}

static void src_get_property(GObject *object, guint id, GValue *value, GParamSpec *spec)
{
    (void)spec;
    address_get(object, &CAMRING_SRC(object)->address, id, value);
}

/* ---- the ring ---- */

static void watch_fd(CamringSrc *src, GstPollFD *watched, int fd)
{
    if (watched->fd >= 0)
        gst_poll_remove_fd(src->poll, watched);
    gst_poll_fd_init(watched);
    watched->fd = fd;
    if (fd < 0)
        return;
    gst_poll_add_fd(src->poll, watched);
    gst_poll_fd_ctl_read(src->poll, watched, TRUE);
}

static void leave_ring(CamringSrc *src)
{
    watch_fd(src, &src->frames, -1);
    feed_close(src->feed);
    src->feed = NULL;
    src->next = 0;
}

static void stop_awaiting(CamringSrc *src)
{
    watch_fd(src, &src->arrivals, -1);
    if (src->arrival >= 0)
        close(src->arrival);
    src->arrival = -1;
}

static bool begin_awaiting(CamringSrc *src)
{
    if (src->arrival >= 0)
        return true;
    src->arrival = arrival_open();
    if (src->arrival < 0) {
        GST_ELEMENT_ERROR(src, RESOURCE, FAILED, ("inotify: %s", g_strerror(errno)), (NULL));
        return false;
    }
    watch_fd(src, &src->arrivals, src->arrival);
    return true;
}

/* Leaves the ring that is read only if the other is there. */
static bool join_one(CamringSrc *src, const gchar *name, struct camring_error *error)
{
    struct feed *feed = feed_open(src->instance, name, error);
    int fd = feed ? feed_fd(feed, error) : -1;
    if (fd < 0) {
        feed_close(feed);
        return false;
    }
    leave_ring(src);
    src->feed = feed;
    watch_fd(src, &src->frames, fd);
    return true;
}

static bool is_away(const struct camring_error *error)
{
    return error->code == CAMRING_CLOSED || error->code == CAMRING_ABSENT;
}

static bool join_ring(CamringSrc *src, struct camring_error *error)
{
    src->reads_input = src->input && join_one(src, src->input, error);
    bool joined =
        src->reads_input || ((!src->input || is_away(error)) && join_one(src, src->name, error));
    if (joined && (!src->input || src->reads_input))
        stop_awaiting(src);
    return joined;
}

/* Changes over from the raw ring to the stage's input, if that has come. */
static void look_for_input(CamringSrc *src)
{
    struct camring_error ignored; /* what is wrong with a ring shows when the raw one has gone */
    if (!src->feed || src->arrival < 0 || !arrival_drain(src->arrival))
        return;
    src->reads_input = join_one(src, src->input, &ignored);
    if (src->reads_input)
        stop_awaiting(src);
}

/* Blocks until there may be a frame, or a ring.  False: the pipeline wants this thread back. */
static bool src_await(CamringSrc *src)
{
    return gst_poll_wait(src->poll, GST_CLOCK_TIME_NONE) >= 0 || errno != EBUSY;
}

static GstFlowReturn src_fail(CamringSrc *src, const struct camring_error *error)
{
    GST_ELEMENT_ERROR(src, RESOURCE, READ, ("%s", error->text), (NULL));
    return GST_FLOW_ERROR;
}

/* Until the ring is there, or there again; rings that are made are looked for before each wait. */
static GstFlowReturn await_ring(CamringSrc *src)
{
    struct camring_error error;
    if (!begin_awaiting(src))
        return GST_FLOW_ERROR;
    while (!join_ring(src, &error)) {
        if (!is_away(&error))
            return src_fail(src, &error);
        if (!src_await(src))
            return GST_FLOW_FLUSHING;
        arrival_drain(src->arrival);
    }
    GST_INFO_OBJECT(src, "%s is there", src->reads_input ? src->input : src->name);
    return GST_FLOW_OK;
}

static GstFlowReturn next_frame(CamringSrc *src, struct camring_frame *frame)
{
    struct camring_error error;
    for (;;) {
        look_for_input(src);
        GstFlowReturn flow = src->feed ? GST_FLOW_OK : await_ring(src);
        if (flow != GST_FLOW_OK)
            return flow;
        int got = feed_next(src->feed, frame, &error);
        if (got > 0)
            return GST_FLOW_OK;
        if (got == 0 && !src_await(src))
            return GST_FLOW_FLUSHING;
        if (got < 0 && !is_away(&error))
            return src_fail(src, &error);
        if (got < 0) {
            GST_ELEMENT_WARNING(src, RESOURCE, READ,
                                ("%s; waiting for it to come back", error.text), (NULL));
            leave_ring(src);
        }
    }
}

/* ---- caps ---- */

static void drop_pool(CamringSrc *src)
{
    if (src->pool)
        gst_buffer_pool_set_active(src->pool, FALSE);
    gst_clear_object(&src->pool);
}

static bool make_pool(CamringSrc *src, GstCaps *caps)
{
    src->pool = gst_video_buffer_pool_new();
    GstStructure *config = gst_buffer_pool_get_config(src->pool);
    gst_buffer_pool_config_set_params(config, caps, (guint)GST_VIDEO_INFO_SIZE(&src->info), 0, 0);
    return gst_buffer_pool_set_config(src->pool, config) &&
           gst_buffer_pool_set_active(src->pool, TRUE);
}

static void note_rate(CamringSrc *src, double fps)
{
    GST_OBJECT_LOCK(src);
    src->frame_time = fps > 0 ? (GstClockTime)(GST_SECOND / fps) : 0;
    GST_OBJECT_UNLOCK(src);
    gst_element_post_message(GST_ELEMENT(src), gst_message_new_latency(GST_OBJECT(src)));
}

/* Before the first frame, for each other shape, and when an element behind this one wants it. */
static gboolean src_negotiate(GstBaseSrc *base)
{
    CamringSrc *src = CAMRING_SRC(base);
    if (src->shape.width == 0)
        return TRUE; /* caps come with the first frame */
    double fps = src->feed ? feed_fps(src->feed) : 0;
    GstCaps *caps = picture_caps(&src->shape, fps, &src->info);
    drop_pool(src);
    note_rate(src, fps);
    bool set = gst_base_src_set_caps(base, caps) &&
               (src->shape.format == CAMRING_JPEG || make_pool(src, caps));
    gst_caps_unref(caps);
    return set;
}

static gboolean decide_allocation(GstBaseSrc *base, GstQuery *query)
{
    CAMRING_SRC(base)->takes_layout =
        gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL);
    return GST_BASE_SRC_CLASS(camring_src_parent_class)->decide_allocation(base, query);
}

static GstFlowReturn take_shape(CamringSrc *src, const struct camring_frame *frame)
{
    src->shape = *frame;
    if (gst_base_src_negotiate(GST_BASE_SRC(src)))
        return GST_FLOW_OK;
    src->shape.width = 0;
    return GST_FLOW_NOT_NEGOTIATED;
}

/* ---- frames ---- */

static GstBuffer *src_wrap(CamringSrc *src, const struct camring_frame *frame)
{
    size_t size;
    const uint8_t *data = picture_extent(frame, &size);
    GstBuffer *buffer = gst_buffer_new();
    gst_buffer_append_memory(buffer, feed_wrap(src->feed, data, size));
    if (frame->format != CAMRING_JPEG)
        picture_add_layout(frame, buffer);
    return buffer;
}

static GstFlowReturn src_copy(CamringSrc *src, const struct camring_frame *frame,
                              GstBuffer **buffer)
{
    if (frame->format == CAMRING_JPEG) {
        *buffer = gst_buffer_new_memdup(frame->plane[0], frame->bytes);
        return GST_FLOW_OK;
    }
    GstFlowReturn flow = gst_buffer_pool_acquire_buffer(src->pool, buffer, NULL);
    if (flow != GST_FLOW_OK || picture_copy(frame, &src->info, *buffer))
        return flow;
    gst_clear_buffer(buffer);
    return GST_FLOW_ERROR;
}

static GstFlowReturn make_buffer(CamringSrc *src, const struct camring_frame *frame,
                                 GstBuffer **buffer)
{
    bool understood = frame->format == CAMRING_JPEG || src->takes_layout ||
                      picture_has_layout_of(frame, &src->info);
    if (understood && feed_may_stay(src->feed)) {
        *buffer = src_wrap(src, frame);
        return GST_FLOW_OK;
    }
    GstFlowReturn flow = src_copy(src, frame, buffer);
    feed_release(src->feed);
    return flow;
}

static void src_stamp(CamringSrc *src, const struct camring_frame *frame, GstBuffer *buffer)
{
    /* the camera's own, also of frames that steps have worked at */
    guint64 origin = frame->source ? frame->source : frame->number;
    guint64 number = src->input ? origin : frame->number;
    GST_BUFFER_PTS(buffer) = moment_running(GST_ELEMENT(src), frame->captured_ns);
    GST_BUFFER_DTS(buffer) = GST_CLOCK_TIME_NONE;
    GST_BUFFER_OFFSET(buffer) = number;
    GST_BUFFER_OFFSET_END(buffer) = number + 1;
    origin_add(buffer, frame, origin);
    if (frame->number != src->next)
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    src->next = frame->number + 1;
}

static GstFlowReturn src_create(GstPushSrc *push, GstBuffer **buffer)
{
    CamringSrc *src = CAMRING_SRC(push);
    struct camring_frame frame;
    GstFlowReturn flow = next_frame(src, &frame);
    if (flow != GST_FLOW_OK)
        return flow;
    if (src->shape.width == 0 || !picture_alike(&src->shape, &frame))
        flow = take_shape(src, &frame);
    if (flow != GST_FLOW_OK) {
        feed_release(src->feed);
        return flow;
    }
    flow = make_buffer(src, &frame, buffer);
    if (flow == GST_FLOW_OK)
        src_stamp(src, &frame, *buffer);
    return flow;
}

/* ---- the element ---- */

static void forget_names(CamringSrc *src)
{
    g_clear_pointer(&src->name, g_free);
    g_clear_pointer(&src->input, g_free);
    g_clear_pointer(&src->instance, g_free);
}

static gboolean src_start(GstBaseSrc *base)
{
    CamringSrc *src = CAMRING_SRC(base);
    struct camring_error error;
    address_read_input(G_OBJECT(src), &src->address, &src->instance, &src->name, &src->input);
    src->shape.width = 0;
    if (!src->name)
        GST_ELEMENT_ERROR(src, RESOURCE, SETTINGS, ("which camera?  camringsrc camera=ID"), (NULL));
    else if (src->input || join_ring(src, &error))
        return TRUE;
    else
        GST_ELEMENT_ERROR(src, RESOURCE, NOT_FOUND, ("%s", error.text), (NULL));
    forget_names(src);
    return FALSE;
}

static gboolean src_stop(GstBaseSrc *base)
{
    CamringSrc *src = CAMRING_SRC(base);
    leave_ring(src);
    stop_awaiting(src);
    drop_pool(src);
    forget_names(src);
    return TRUE;
}

static gboolean src_unlock(GstBaseSrc *base)
{
    gst_poll_set_flushing(CAMRING_SRC(base)->poll, TRUE);
    return TRUE;
}

static gboolean src_unlock_stop(GstBaseSrc *base)
{
    gst_poll_set_flushing(CAMRING_SRC(base)->poll, FALSE);
    return TRUE;
}

static gboolean is_seekable(GstBaseSrc *base)
{
    (void)base;
    return FALSE;
}

static gboolean src_answer(GstBaseSrc *base, GstQuery *query)
{
    CamringSrc *src = CAMRING_SRC(base);
    if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY)
        return GST_BASE_SRC_CLASS(camring_src_parent_class)->query(base, query);
    GST_OBJECT_LOCK(src);
    GstClockTime frame_time = src->frame_time > 0 ? src->frame_time : DEFAULT_FRAME_TIME;
    GST_OBJECT_UNLOCK(src);
    gst_query_set_latency(query, TRUE, frame_time, LATENCY_FRAMES * frame_time);
    return TRUE;
}

static void src_finalize(GObject *object)
{
    CamringSrc *src = CAMRING_SRC(object);
    address_clear(&src->address);
    gst_poll_free(src->poll);
    G_OBJECT_CLASS(camring_src_parent_class)->finalize(object);
}

static void camring_src_init(CamringSrc *src)
{
    src->address.ring = g_strdup(DEFAULT_RING);
    src->poll = gst_poll_new(TRUE);
    gst_poll_fd_init(&src->frames);
    gst_poll_fd_init(&src->arrivals);
    src->arrival = -1;
    gst_base_src_set_live(GST_BASE_SRC(src), TRUE);
    gst_base_src_set_format(GST_BASE_SRC(src), GST_FORMAT_TIME);
}

static void camring_src_class_init(CamringSrcClass *class)
{
    GObjectClass *object = G_OBJECT_CLASS(class);
    GstElementClass *element = GST_ELEMENT_CLASS(class);
    GstBaseSrcClass *base = GST_BASE_SRC_CLASS(class);
    static GstStaticPadTemplate template =
        GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(PICTURE_CAPS));

    GST_DEBUG_CATEGORY_INIT(camring_src_debug, "camringsrc", 0, "frames of a camring ring");
    object->set_property = src_set_property;
    object->get_property = src_get_property;
    object->finalize = src_finalize;
    address_install(object,
                    "Which of its rings: raw, out, jpeg, or another that camring shm list shows",
                    DEFAULT_RING,
                    "The external step of the camera's chain whose pictures are read; ring isn't "
                    "looked at");
    gst_element_class_add_static_pad_template(element, &template);
    gst_element_class_set_static_metadata(element, "camring source", "Source/Video",
                                          "Reads a camera's frames from camring's shared memory",
                                          "camring");
    base->start = src_start;
    base->stop = src_stop;
    base->unlock = src_unlock;
    base->unlock_stop = src_unlock_stop;
    base->is_seekable = is_seekable;
    base->negotiate = src_negotiate;
    base->decide_allocation = decide_allocation;
    base->query = src_answer;
    GST_PUSH_SRC_CLASS(class)->create = src_create;
}
