#include "cause.h"

#include "common/url.h"
#include "fflog.h"

#include <ctype.h>
#include <libavutil/error.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct {
    int averror;
    const char *words;
} causes[] = {
    {AVERROR_HTTP_UNAUTHORIZED, "wrong user or password (401)"},
    {AVERROR_HTTP_FORBIDDEN, "access denied (403)"},
    {AVERROR_HTTP_NOT_FOUND, "not found there (404)"},
    {AVERROR_HTTP_BAD_REQUEST, "the camera refuses the request (400)"},
    {AVERROR_HTTP_OTHER_4XX, "the camera refuses the request (4xx)"},
    {AVERROR_HTTP_SERVER_ERROR, "the camera reports an error of its own (5xx)"},
    {AVERROR_INVALIDDATA, "not a video FFmpeg can read"},
    {AVERROR_DEMUXER_NOT_FOUND, "not a video FFmpeg can read"},
    {AVERROR_DECODER_NOT_FOUND, "FFmpeg has no decoder for its video"},
    {AVERROR_PROTOCOL_NOT_FOUND, "this FFmpeg does not know the protocol"},
    {AVERROR_STREAM_NOT_FOUND, "there is no video in it"},
    {AVERROR_EOF, "the connection was closed"},
    {AVERROR(ECONNREFUSED), "connection refused"},
    {AVERROR(ECONNRESET), "the connection was reset"},
    {AVERROR(EPIPE), "the connection was closed"},
    {AVERROR(ETIMEDOUT), "no answer"},
    {AVERROR(EHOSTUNREACH), "host unreachable"},
    {AVERROR(ENETUNREACH), "network unreachable"},
    {AVERROR(ENOENT), "no such file"},
    {AVERROR(EACCES), "permission denied"},
    {AVERROR(ENOMEM), "out of memory"},
};

void cause_name(const char *url, char *out, size_t size)
{
    char name[2 * CAUSE_NAME_SIZE];
    if (strncasecmp(url, "file:", 5) == 0)
        url_path(url, name, sizeof name);
    else
        url_redact(url, name, sizeof name);
    if (strlen(name) < size)
        snprintf(out, size, "%s", name);
    else
        snprintf(out, size, "%.*s...", (int)size - 4, name);
}

static void words_for(int averror, char *out, size_t size)
{
    if (averror == AVERROR(EIO) && fflog_unresolved()) {
        snprintf(out, size, "host name not found");
        return;
    }
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++)
        if (causes[i].averror == averror) {
            snprintf(out, size, "%s", causes[i].words);
            return;
        }
    av_strerror(averror, out, size);
    out[0] = (char)tolower((unsigned char)out[0]);
}

static void describe(struct error *err, const char *before, const char *url, int averror)
{
    char name[CAUSE_NAME_SIZE], words[AV_ERROR_MAX_STRING_SIZE];
    cause_name(url, name, sizeof name);
    words_for(averror, words, sizeof words);
    error_set(err, averror, "%s%s: %s", before, name, words);
}

void cause_open(struct error *err, const char *url, int averror)
{
    describe(err, "cannot open ", url, averror);
}

void cause_read(struct error *err, const char *url, int averror)
{
    describe(err, "", url, averror);
}
