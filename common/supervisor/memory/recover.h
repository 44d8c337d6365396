/* recover.h: repairs shared memory after a child's death, and rings the bells that the child may
 * not have rung any more. */
#ifndef CAMRING_RECOVER_H
#define CAMRING_RECOVER_H

#include "common/board.h"

struct recover {
    const char *instance;
    struct board *board;
    const int *wakers; /* RING_MAX_WAKERS eventfds of the servers, -1: none */
};

/* Each is called once the process is known to be dead, and before its successor starts.  A place
 * that no camera has is passed over. */
void recover_capture(const struct recover *recover, unsigned place);
void recover_encoder(const struct recover *recover, unsigned worker);
void recover_server(const struct recover *recover, unsigned server);

#endif
