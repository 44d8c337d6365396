#include "outlet.h"

#define READERS 16 /* that may be attached to the ring */

struct outlet {
    GMutex lock; /* the writer is used by one thread at a time */
    struct camring_writer *writer;
    size_t largest;   /* slot asked for; a larger one begins a generation */
    guint generation; /* counted here: slots of an earlier one can't be committed */
    bool keeps_ring;
    gatomicrefcount users;
};

/* A slot that is lent; belongs to the memory. */
struct lease {
    struct outlet *outlet;
    uint8_t *data;
    guint generation;
};

static GQuark lease_quark(void)
{
    return g_quark_from_static_string("camring-lease");
}

struct outlet *outlet_open(const char *instance, const char *ring, int kind, bool is_stage,
                           struct camring_error *error)
{
    struct camring_writer *writer =
        camring_writer_open(instance, ring, kind, is_stage ? 0 : READERS, error);
    if (!writer)
        return NULL;
    struct outlet *outlet = g_new0(struct outlet, 1);
    g_mutex_init(&outlet->lock);
    g_atomic_ref_count_init(&outlet->users);
    outlet->writer = writer;
    outlet->keeps_ring = is_stage;
    return outlet;
}

struct outlet *outlet_ref(struct outlet *outlet)
{
    g_atomic_ref_count_inc(&outlet->users);
    return outlet;
}

void outlet_unref(struct outlet *outlet)
{
    if (!outlet || !g_atomic_ref_count_dec(&outlet->users))
        return;
    camring_writer_close(outlet->writer, !outlet->keeps_ring);
    g_mutex_clear(&outlet->lock);
    g_free(outlet);
}

static void note_size(struct outlet *outlet, size_t bytes)
{
    if (bytes <= outlet->largest)
        return;
    outlet->largest = bytes;
    outlet->generation++;
}

uint8_t *outlet_loan(struct outlet *outlet, size_t bytes, struct camring_error *error)
{
    g_mutex_lock(&outlet->lock);
    note_size(outlet, bytes);
    uint8_t *data = camring_loan(outlet->writer, bytes, error);
    g_mutex_unlock(&outlet->lock);
    return data;
}

int outlet_commit(struct outlet *outlet, struct camring_frame *frame, struct camring_error *error)
{
    g_mutex_lock(&outlet->lock);
    int result = camring_commit(outlet->writer, frame, error);
    g_mutex_unlock(&outlet->lock);
    return result;
}

/* A slot that was committed is lent no more, and camring_return leaves it alone. */
static void on_memory_freed(gpointer arg)
{
    struct lease *lease = arg;
    g_mutex_lock(&lease->outlet->lock);
    camring_return(lease->outlet->writer, lease->data);
    g_mutex_unlock(&lease->outlet->lock);
    outlet_unref(lease->outlet);
    g_free(lease);
}

GstMemory *outlet_lend(struct outlet *outlet, size_t bytes)
{
    g_mutex_lock(&outlet->lock);
    note_size(outlet, bytes);
    guint generation = outlet->generation;
    uint8_t *data = camring_lend(outlet->writer, bytes, NULL);
    g_mutex_unlock(&outlet->lock);
    if (!data)
        return NULL;
    struct lease *lease = g_new(struct lease, 1);
    *lease = (struct lease){.outlet = outlet_ref(outlet), .data = data, .generation = generation};
    GstMemory *memory = gst_memory_new_wrapped(0, data, bytes, 0, bytes, lease, on_memory_freed);
    gst_mini_object_set_qdata(GST_MINI_OBJECT(memory), lease_quark(), lease, NULL);
    return memory;
}

uint8_t *outlet_slot(struct outlet *outlet, GstMemory *memory)
{
    const struct lease *lease = gst_mini_object_get_qdata(GST_MINI_OBJECT(memory), lease_quark());
    if (!lease || lease->outlet != outlet)
        return NULL;
    g_mutex_lock(&outlet->lock);
    bool current = lease->generation == outlet->generation;
    g_mutex_unlock(&outlet->lock);
    return current ? lease->data : NULL;
}
