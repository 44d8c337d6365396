/* testcam.h: what the picture of a test: camera looks like, worked out anew from its number, so
 * that a checker can tell any two pictures apart and a mixture of two from both. */
#ifndef CHAOS_TESTCAM_H
#define CHAOS_TESTCAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct testcam;

/* test:?size=WIDTHxHEIGHT&fps=FPS.  NULL: out of memory. */
struct testcam *testcam_create(unsigned width, unsigned height, unsigned fps);
void testcam_destroy(struct testcam *cam);

/* Number of the picture that is due at `ns` (CLOCK_MONOTONIC), and the last one due before that. */
int64_t testcam_number(const struct testcam *cam, int64_t ns);

/* The number of which the picture shows the low 16 bits `code`, near number `about`. */
int64_t testcam_unwrap(uint16_t code, int64_t about);

/* Reads the code from the luma of a picture, whose black and white are at least 100 apart.  False:
 * there is none, or its check bits are wrong. */
bool testcam_read_code(const struct testcam *cam, const uint8_t *luma, size_t stride,
                       uint16_t *code);

/* True if the three planes (I420, limited range) are picture `number` in every pixel, but for the
 * clock's digits. */
bool testcam_check(struct testcam *cam, int64_t number, const uint8_t *const planes[3],
                   const uint32_t strides[3]);

/* True if a decoded JPEG's luma (full range) is picture `number`, block by block, as well as a JPEG
 * can be. */
bool testcam_check_jpeg(struct testcam *cam, int64_t number, const uint8_t *luma);

#endif
