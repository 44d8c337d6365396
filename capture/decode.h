/* decode.h: decodes the packets of one stream into the raw ring. */
#ifndef CAMRING_DECODE_H
#define CAMRING_DECODE_H

#include "capture.h"

#include <libavcodec/packet.h>
#include <libavformat/avformat.h>

struct decode;

/* NULL with err. */
struct decode *decode_open(struct capture *capture, const AVStream *from, struct error *err);
void decode_close(struct decode *decode);

/* Decodes one packet and publishes the pictures that come out; NULL: end of the stream, publishes
 * those that the decoder still holds. Damaged packets and pictures are counted and dropped; -1 with
 * err if decoding cannot continue. */
int decode_packet(struct decode *decode, const AVPacket *packet, int64_t captured_ns,
                  struct error *err);

/* To be called when packets were lost: publishes nothing until the next key picture. */
void decode_hold(struct decode *decode);

/* Whole pictures so far, published or not. */
uint64_t decode_pictures(const struct decode *decode);

#endif
