/* address.h: which ring an element is for: its properties `camera`, `ring` and `instance`. */
#ifndef CAMRING_GST_ADDRESS_H
#define CAMRING_GST_ADDRESS_H

#include <gst/gst.h>

/* Under the element's object lock. */
struct address {
    gchar *camera, *ring, *instance; /* NULL: not said */
};

#define ADDRESS_PROPERTIES 4 /* the first id that they leave to others */

/* Adds the properties to a class, whose `ring` is `fallback` and explained by `text`. */
void address_install(GObjectClass *class, const char *text, const char *fallback);

/* The class's set_property and get_property. */
void address_set(GObject *object, struct address *address, guint id, const GValue *value);
void address_get(GObject *object, struct address *address, guint id, GValue *value);

/* Copies of the names as camring.h wants them: *ring is CAMERA.RING, or CAMERA where no ring was
 * said; NULL without a camera.  The caller frees both. */
void address_read(GObject *object, const struct address *address, gchar **instance, gchar **ring);

void address_clear(struct address *address);

#endif
