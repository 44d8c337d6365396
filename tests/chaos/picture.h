/* picture.h: pictures of the kill tests.  Every byte of a picture is the level that its label
 * stands for, so a reader can check each.  The label travels in captured_ns, which encoders hand
 * on; no two pictures of a run have the same. */
#ifndef CHAOS_PICTURE_H
#define CHAOS_PICTURE_H

#include "common/ring.h"

#define PICTURE_SMALL 16 /* pixels a side: slots of one page */
#define PICTURE_LARGE 96 /* slots of four */

/* Before the first fork: labels are counted in memory that all processes of the test share. */
void picture_share_labels(void);

/* A raw picture (I420, full range) with the next label. */
struct ring_frame picture_raw(unsigned side);

/* Writes its payload, in steps with a kill point after each. */
void picture_write(const struct ring_frame *frame, uint8_t *data);

/* Reserves, loans, writes and commits one; the same with a JPEG.  False: no slot, or no room. */
bool picture_publish(struct ring_writer *writer, unsigned side);
bool picture_publish_jpeg(struct ring_writer *writer, unsigned side);

/* True if it is what its label asks for, in every byte or pixel. */
bool picture_check(const struct ring_frame *frame, const uint8_t *data);

#endif
