/* network.h: the read loop of all network cameras: waits for a packet, hands it to the stream
 * (stream.h). */
#ifndef CAMRING_NETWORK_H
#define CAMRING_NETWORK_H

#include "lavf.h"
#include "source.h"

void *network_open(struct capture *capture, const struct lavf_options *options, struct error *err);
enum source_result network_next(void *source, struct error *err);
void network_close(void *source);

#endif
