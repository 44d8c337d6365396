/* trial.h: an encoder that encodes nothing, but tries the chains of a configuration before any of
 * it is put to use: a filter that crashes or never ends takes only this process with it. */
#ifndef CAMRING_ENCODER_TRIAL_H
#define CAMRING_ENCODER_TRIAL_H

/* The program's main() for `camring-encoder --try`.  For each MSG_CAMERA that comes on fd 3 it
 * answers with MSG_TRIAL: STEP as it begins with each step, a FAULT for each that it finds, and
 * DONE.  It ends when the channel does. */
int trial_main(void);

#endif
