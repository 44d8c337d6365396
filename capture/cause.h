/* cause.h: turns FFmpeg's error codes into messages that name the source and the cause. */
#ifndef CAMRING_CAUSE_H
#define CAMRING_CAUSE_H

#include "common/error.h"

#include <stddef.h>

#define CAUSE_NAME_SIZE 140

/* The source's name in messages: the path of a file, the URL without its secrets of anything else,
 * shortened if need be. */
void cause_name(const char *url, char *out, size_t size);

/* Fills err with "cannot open URL: …" for an AVERROR code. */
void cause_open(struct error *err, const char *url, int averror);

/* Fills err with "URL: …" for an AVERROR code that ended an open stream. */
void cause_read(struct error *err, const char *url, int averror);

#endif
