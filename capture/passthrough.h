/* passthrough.h: JPEGs from the camera into the JPEG ring as they are, while this process holds the
 * camera's lease in the encoders' stead. */
#ifndef CAMRING_PASSTHROUGH_H
#define CAMRING_PASSTHROUGH_H

#include "capture.h"

#include <libavcodec/packet.h>
#include <libavutil/rational.h>

struct passthrough;

/* Waits for the lease.  NULL with err. */
struct passthrough *passthrough_open(struct capture *capture, AVRational time_base,
                                     struct error *err);
void passthrough_close(struct passthrough *passthrough);

/* Publishes one JPEG.  What is none is counted and dropped; -1 with err where it can't go on. */
int passthrough_packet(struct passthrough *passthrough, const AVPacket *packet, int64_t captured_ns,
                       struct error *err);

/* Whole pictures so far, published or not. */
uint64_t passthrough_pictures(const struct passthrough *passthrough);

#endif
