#include "origin.h"

/* What tells this meta's numbers from other elements' time stamps; made once, never freed. */
static GstCaps *origin_caps(void)
{
    static GstStaticCaps caps = GST_STATIC_CAPS("timestamp/x-camring-frame");
    return gst_static_caps_get(&caps);
}

void origin_set(GstBuffer *buffer, guint64 number)
{
    GstCaps *caps = origin_caps();
    gst_buffer_add_reference_timestamp_meta(buffer, caps, number, GST_CLOCK_TIME_NONE);
    gst_caps_unref(caps);
}

guint64 origin_get(GstBuffer *buffer)
{
    GstCaps *caps = origin_caps();
    GstReferenceTimestampMeta *meta = gst_buffer_get_reference_timestamp_meta(buffer, caps);
    gst_caps_unref(caps);
    return meta ? meta->timestamp : 0;
}
