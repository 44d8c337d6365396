#include "address.h"

enum { PROPERTY_NONE, PROPERTY_CAMERA, PROPERTY_RING, PROPERTY_INSTANCE };

static void address_install_one(GObjectClass *class, guint id, const char *name, const char *text,
                                const char *fallback)
{
    g_object_class_install_property(
        class, id,
        g_param_spec_string(name, name, text, fallback,
                            G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY));
}

void address_install(GObjectClass *class, const char *text, const char *fallback)
{
    address_install_one(class, PROPERTY_CAMERA, "camera", "The camera's id", NULL);
    address_install_one(class, PROPERTY_RING, "ring", text, fallback);
    address_install_one(class, PROPERTY_INSTANCE, "instance",
                        "The instance of camring; without one: camring", NULL);
}

static gchar **property_of(struct address *address, guint id)
{
    return id == PROPERTY_INSTANCE ? &address->instance
           : id == PROPERTY_CAMERA ? &address->camera
                                   : &address->ring;
}

void address_set(GObject *object, struct address *address, guint id, const GValue *value)
{
    gchar **property = property_of(address, id);
    GST_OBJECT_LOCK(object);
    g_free(*property);
    *property = g_value_dup_string(value);
    GST_OBJECT_UNLOCK(object);
}

void address_get(GObject *object, struct address *address, guint id, GValue *value)
{
    GST_OBJECT_LOCK(object);
    g_value_set_string(value, *property_of(address, id));
    GST_OBJECT_UNLOCK(object);
}

void address_read(GObject *object, const struct address *address, gchar **instance, gchar **ring)
{
    GST_OBJECT_LOCK(object);
    *instance = g_strdup(address->instance);
    *ring = address->camera && address->ring
                ? g_strdup_printf("%s.%s", address->camera, address->ring)
                : g_strdup(address->camera);
    GST_OBJECT_UNLOCK(object);
}

void address_clear(struct address *address)
{
    g_free(address->camera);
    g_free(address->ring);
    g_free(address->instance);
}
