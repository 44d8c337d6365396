#include "address.h"

#include <string.h>

enum { PROPERTY_NONE, PROPERTY_CAMERA, PROPERTY_RING, PROPERTY_INSTANCE, PROPERTY_STAGE };

static void address_install_one(GObjectClass *class, guint id, const char *name, const char *text,
                                const char *fallback)
{
    g_object_class_install_property(
        class, id,
        g_param_spec_string(name, name, text, fallback,
                            G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY));
}

void address_install(GObjectClass *class, const char *text, const char *fallback, const char *stage)
{
    address_install_one(class, PROPERTY_CAMERA, "camera", "The camera's id", NULL);
    address_install_one(class, PROPERTY_RING, "ring", text, fallback);
    address_install_one(class, PROPERTY_INSTANCE, "instance",
                        "The instance of camring; without one: camring", NULL);
    address_install_one(class, PROPERTY_STAGE, "stage", stage, NULL);
}

static gchar **property_of(struct address *address, guint id)
{
    return id == PROPERTY_INSTANCE ? &address->instance
           : id == PROPERTY_CAMERA ? &address->camera
           : id == PROPERTY_STAGE  ? &address->stage
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

bool address_read(GObject *object, const struct address *address, gchar **instance, gchar **ring)
{
    GST_OBJECT_LOCK(object);
    const gchar *variant = address->stage ? address->stage : address->ring;
    *instance = g_strdup(address->instance);
    *ring = address->camera && variant ? g_strdup_printf("%s.%s", address->camera, variant)
                                       : g_strdup(address->camera);
    bool is_stage = address->stage;
    GST_OBJECT_UNLOCK(object);
    return is_stage;
}

void address_read_input(GObject *object, const struct address *address, gchar **instance,
                        gchar **ring, gchar **input)
{
    *input = NULL;
    if (!address_read(object, address, instance, ring) || !*ring)
        return;
    *input = g_strdup_printf("%s-in", *ring);
    gchar *camera = g_strndup(*ring, strcspn(*ring, "."));
    g_free(*ring);
    *ring = g_strdup_printf("%s.raw", camera);
    g_free(camera);
}

void address_clear(struct address *address)
{
    g_free(address->camera);
    g_free(address->ring);
    g_free(address->instance);
    g_free(address->stage);
}
