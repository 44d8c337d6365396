/* plugin.c: the GStreamer plugin `camring`. */
#include "camringsrc.h"

static gboolean init(GstPlugin *plugin)
{
    return gst_element_register(plugin, "camringsrc", GST_RANK_NONE, CAMRING_TYPE_SRC);
}

#define PACKAGE "camring"
GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, camring,
                  "Frames of cameras through rings in shared memory", init, CAMRING_VERSION,
                  "MIT/X11", PACKAGE, "camring")
