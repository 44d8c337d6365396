/* plugin.c: the GStreamer plugin `camring`. */
#include "camringsink.h"
#include "camringsrc.h"
#include "origin.h"

static gboolean plugin_init_elements(GstPlugin *plugin)
{
    return origin_register() &&
           gst_element_register(plugin, "camringsrc", GST_RANK_NONE, CAMRING_TYPE_SRC) &&
           gst_element_register(plugin, "camringsink", GST_RANK_NONE, CAMRING_TYPE_SINK);
}

#define PACKAGE "camring"
GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, camring,
                  "Frames of cameras through rings in shared memory", plugin_init_elements,
                  CAMRING_VERSION, "MIT/X11", PACKAGE, "camring")
