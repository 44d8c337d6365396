/* camringsink.h: the element `camringsink`: a pipeline's frames into a ring. */
#ifndef CAMRING_GST_SINK_H
#define CAMRING_GST_SINK_H

#include <gst/base/gstbasesink.h>

#define CAMRING_TYPE_SINK (camring_sink_get_type())
G_DECLARE_FINAL_TYPE(CamringSink, camring_sink, CAMRING, SINK, GstBaseSink)

#endif
