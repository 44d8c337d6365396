#include "slotpool.h"

struct _CamringSlotPool {
    GstBufferPool parent;
    struct outlet *outlet;
    guint size; /* of a buffer */
};

G_DEFINE_TYPE(CamringSlotPool, camring_slot_pool, GST_TYPE_BUFFER_POOL)

static gboolean slotpool_set_config(GstBufferPool *base, GstStructure *config)
{
    CamringSlotPool *pool = CAMRING_SLOT_POOL(base);
    return gst_buffer_pool_config_get_params(config, NULL, &pool->size, NULL, NULL) &&
           GST_BUFFER_POOL_CLASS(camring_slot_pool_parent_class)->set_config(base, config);
}

/* No buffer is used again: a slot that was committed is the ring's, and one of ordinary memory
 * would keep the next from being in a slot. */
static GstFlowReturn slotpool_alloc(GstBufferPool *base, GstBuffer **buffer,
                                    GstBufferPoolAcquireParams *params)
{
    (void)params;
    CamringSlotPool *pool = CAMRING_SLOT_POOL(base);
    GstMemory *memory = outlet_lend(pool->outlet, pool->size);
    if (!memory)
        memory = gst_allocator_alloc(NULL, pool->size, NULL);
    if (!memory)
        return GST_FLOW_ERROR;
    *buffer = gst_buffer_new();
    gst_buffer_append_memory(*buffer, memory);
    return GST_FLOW_OK;
}

static void slotpool_release(GstBufferPool *base, GstBuffer *buffer)
{
    GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_TAG_MEMORY); /* the parent frees it */
    GST_BUFFER_POOL_CLASS(camring_slot_pool_parent_class)->release_buffer(base, buffer);
}

static void slotpool_finalize(GObject *object)
{
    outlet_unref(CAMRING_SLOT_POOL(object)->outlet);
    G_OBJECT_CLASS(camring_slot_pool_parent_class)->finalize(object);
}

static void camring_slot_pool_init(CamringSlotPool *pool)
{
    (void)pool;
}

static void camring_slot_pool_class_init(CamringSlotPoolClass *class)
{
    G_OBJECT_CLASS(class)->finalize = slotpool_finalize;
    GST_BUFFER_POOL_CLASS(class)->set_config = slotpool_set_config;
    GST_BUFFER_POOL_CLASS(class)->alloc_buffer = slotpool_alloc;
    GST_BUFFER_POOL_CLASS(class)->release_buffer = slotpool_release;
}

GstBufferPool *slotpool_create(struct outlet *outlet)
{
    CamringSlotPool *pool = g_object_new(CAMRING_TYPE_SLOT_POOL, NULL);
    gst_object_ref_sink(pool);
    pool->outlet = outlet_ref(outlet);
    return GST_BUFFER_POOL(pool);
}
