/* stream.h: passes on the packets of one connection: they are decoded into the raw ring, or, if
 * they are JPEGs that need no change, copied into the JPEG ring. */
#ifndef CAMRING_STREAM_H
#define CAMRING_STREAM_H

#include "capture.h"

#include <libavcodec/packet.h>
#include <libavformat/avformat.h>

struct stream;

/* NULL with err: a message for users; its code is CAPTURE_STOPPED if the process is to stop. */
struct stream *stream_open(struct capture *capture, const AVStream *from, struct error *err);
void stream_close(struct stream *stream);

/* Takes one packet, which was complete at captured_ns. A packet that can't be decoded is counted
 * and is no failure; -1 with err if continuing is useless: no space for pictures, nothing decodable
 * for long, or the process is to stop. */
int stream_packet(struct stream *stream, const AVPacket *packet, int64_t captured_ns,
                  struct error *err);

/* No more packets: publishes what the decoder still holds. */
int stream_drain(struct stream *stream, struct error *err);

/* Whole pictures so far, published or not. */
uint64_t stream_pictures(const struct stream *stream);

#endif
