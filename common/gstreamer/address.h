/* address.h: which ring an element is for: its properties `camera`, `ring`, `instance` and
 * `stage`, an external step of the camera's chain, which counts more than `ring`. */
#ifndef CAMRING_GST_ADDRESS_H
#define CAMRING_GST_ADDRESS_H

#include <gst/gst.h>
#include <stdbool.h>

/* Under the element's object lock. */
struct address {
    gchar *camera, *ring, *instance, *stage; /* NULL: not said */
};

#define ADDRESS_PROPERTIES 5 /* the first id that they leave to others */

/* Adds the properties to a class, whose `ring` is `fallback` and explained by `text`, and whose
 * `stage` by `stage`. */
void address_install(GObjectClass *class, const char *text, const char *fallback,
                     const char *stage);

/* The class's set_property and get_property. */
void address_set(GObject *object, struct address *address, guint id, const GValue *value);
void address_get(GObject *object, struct address *address, guint id, GValue *value);

/* Copies of the names as camring.h wants them.  *ring is CAMERA.RING, or CAMERA where no ring was
 * said, or of a stage the ring that it writes; NULL without a camera.  True with a stage.  The
 * caller frees both. */
bool address_read(GObject *object, const struct address *address, gchar **instance, gchar **ring);

/* The same for who reads: of a stage *ring is the camera's raw ring, and *input the ring that it
 * reads where steps come before it; else *input is NULL. */
void address_read_input(GObject *object, const struct address *address, gchar **instance,
                        gchar **ring, gchar **input);

void address_clear(struct address *address);

#endif
