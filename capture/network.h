/* network.h: what all network cameras have in common once they are open: a packet comes, is handed
 * on, and the next is waited for.
 */
#ifndef CAMRING_NETWORK_H
#define CAMRING_NETWORK_H

#include "lavf.h"
#include "source.h"

void *network_open(struct capture *capture, const struct lavf_options *options, struct error *err);
enum source_result network_next(void *source, struct error *err);
void network_close(void *source);

#endif
