/* recover.h: repairs shared memory after a child's death, and rings the bells that the child may
 * not have rung any more. */
#ifndef CAMRING_RECOVER_H
#define CAMRING_RECOVER_H

#include "common/board.h"
#include "common/conf.h"

struct recover {
    const struct conf *conf;
    struct board *board;
    const int *wakers; /* the servers' eventfds */
    unsigned waker_count;
};

/* Each is called once the process is known to be dead, and before its successor starts. */
void recover_capture(const struct recover *recover, unsigned camera);
void recover_encoder(const struct recover *recover, unsigned worker);
void recover_server(const struct recover *recover, unsigned server);

#endif
