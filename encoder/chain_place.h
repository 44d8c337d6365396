/* chain_place.h: where in a chain a fault is, as the code of a struct error: the step's number from
 * 1, 0 if it is none in particular, and where in that step's text, if it is a filter. */
#ifndef CAMRING_ENCODER_CHAIN_PLACE_H
#define CAMRING_ENCODER_CHAIN_PLACE_H

#define CHAIN_PLACE(step, offset) ((int)((unsigned)(step) | (unsigned)(offset) << 8))
#define CHAIN_STEP(code) ((unsigned)(code)&0xff)
#define CHAIN_OFFSET(code) ((unsigned)(code) >> 8)

#endif
