/* recover.h: repairs shared memory after a child's death, and rings the bells that the child may
 * have died before ringing. */
#ifndef CAMRING_RECOVER_H
#define CAMRING_RECOVER_H

#include "common/board.h"

struct recover {
    const char *instance;
    struct board *board;
    const int *wakers; /* RING_MAX_WAKERS eventfds of the servers, -1: none */
};

/* To be called when the process is known to be dead, before its successor starts. A place without a
 * camera is ignored. */
void recover_capture(const struct recover *recover, unsigned place);
/* Before recover_encoder, if the process crashed by itself or hung: counts it if a camera's chain
 * was the cause. */
void recover_note_crash(const struct recover *recover, unsigned worker);
void recover_encoder(const struct recover *recover, unsigned worker);
void recover_server(const struct recover *recover, unsigned server);

/* A program of the camera's external steps has gone, or another one has come: clears up what those
 * that have died left in their rings. */
void recover_programs(const struct recover *recover, unsigned place);

#endif
