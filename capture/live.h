/* live.h: what all network cameras have in common once they are open: a packet comes, is handed on, and the next is waited for.
 */
#ifndef CAMRING_LIVE_H
#define CAMRING_LIVE_H

#include "lavf.h"
#include "source.h"

void *live_open(struct capture *capture, const struct lavf_options *options, struct error *err);
enum source_result live_next(void *source, struct error *err);
void live_close(void *source);

#endif
