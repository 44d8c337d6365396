/* camringsrc.h: the element `camringsrc`: a ring's frames as a live source. */
#ifndef CAMRING_GST_SRC_H
#define CAMRING_GST_SRC_H

#include <gst/base/gstpushsrc.h>

#define CAMRING_TYPE_SRC (camring_src_get_type())
G_DECLARE_FINAL_TYPE(CamringSrc, camring_src, CAMRING, SRC, GstPushSrc)

#endif
