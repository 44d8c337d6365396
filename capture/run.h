/* run.h: runs one camera, opening it again after each failure, until the process is to stop. */
#ifndef CAMRING_RUN_H
#define CAMRING_RUN_H

#include "capture.h"

void run_camera(struct capture *capture);

#endif
