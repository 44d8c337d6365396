/* trim.h: where a JPEG from a camera ends. */
#ifndef CAMRING_TRIM_H
#define CAMRING_TRIM_H

#include <stddef.h>
#include <stdint.h>

/* Size of the JPEG at `data` without the bytes that some senders add after it: line ends, padding,
 * a second EOI marker (some RTP senders keep the camera's own, and the receiver adds one). `size`
 * if there is no EOI marker near the end. */
size_t trim_jpeg(const uint8_t *data, size_t size);

#endif
