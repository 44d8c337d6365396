/* run.h: keeps one camera going until the process is to stop. */
#ifndef CAMRING_RUN_H
#define CAMRING_RUN_H

#include "capture.h"

void run_camera(struct capture *capture);

#endif
