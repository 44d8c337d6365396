/* passthrough.h: copies the camera's JPEGs into the JPEG ring unchanged. As long as it is open,
 * this process holds the camera's lease, so that no encoder writes to that ring. */
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

/* Publishes one JPEG. Anything else is counted and dropped; -1 with err if publishing cannot
 * continue. */
int passthrough_packet(struct passthrough *passthrough, const AVPacket *packet, int64_t captured_ns,
                       struct error *err);

/* Whole pictures so far, published or not. */
uint64_t passthrough_pictures(const struct passthrough *passthrough);

#endif
