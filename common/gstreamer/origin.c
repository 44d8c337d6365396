#include "origin.h"

#define META "CamringOrigin"
#define NUMBER "number"
#define CAPTURED "captured-ns"
#define CAMERA "camera-ns"

/* Without tags it says nothing that a change of size, format or colours makes wrong: so elements
 * copy it to what they make. */
bool origin_register(void)
{
    static const gchar *no_tags[] = {NULL};
    return gst_meta_register_custom(META, no_tags, NULL, NULL, NULL);
}

void origin_add(GstBuffer *buffer, const struct camring_frame *frame, guint64 number)
{
    GstCustomMeta *meta = gst_buffer_add_custom_meta(buffer, META);
    gst_structure_set(gst_custom_meta_get_structure(meta), NUMBER, G_TYPE_UINT64, number, CAPTURED,
                      G_TYPE_INT64, frame->captured_ns, CAMERA, G_TYPE_INT64, frame->camera_ns,
                      NULL);
}

bool origin_read(GstBuffer *buffer, struct camring_frame *frame)
{
    GstCustomMeta *meta = gst_buffer_get_custom_meta(buffer, META);
    if (!meta)
        return false;
    const GstStructure *words = gst_custom_meta_get_structure(meta);
    return gst_structure_get_uint64(words, NUMBER, &frame->source) &&
           gst_structure_get_int64(words, CAPTURED, &frame->captured_ns) &&
           gst_structure_get_int64(words, CAMERA, &frame->camera_ns);
}
