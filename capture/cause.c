#include "cause.h"

#include "common/url.h"
#include "fflog.h"

#include <ctype.h>
#include <libavutil/error.h>
#include <stdbool.h>
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

/* FFmpeg calls most of what goes wrong on a network an input/output error. */
static const char *words_for_eio(const char *url, bool opening)
{
    if (fflog_take(FFLOG_UNRESOLVED))
        return "host name not found";
    if (fflog_take(FFLOG_UNTRUSTED))
        return "its TLS certificate can't be verified (tls_verify: false would accept it)";
    if (fflog_take(FFLOG_ENDED))
        return opening ? "not a video FFmpeg can read" : "the connection was closed";
    if (opening && (strncasecmp(url, "https:", 6) == 0 || strncasecmp(url, "rtsps:", 6) == 0))
        return "no TLS connection can be made";
    return NULL;
}

static const char *words_for(int averror)
{
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++)
        if (causes[i].averror == averror)
            return causes[i].words;
    return NULL;
}

static void describe_averror(struct error *err, const char *url, int averror, bool opening)
{
    char name[CAUSE_NAME_SIZE], other[AV_ERROR_MAX_STRING_SIZE];
    const char *words = averror == AVERROR(EIO) ? words_for_eio(url, opening) : words_for(averror);
    if (!words) {
        av_strerror(averror, other, sizeof other);
        other[0] = (char)tolower((unsigned char)other[0]);
        words = other;
    }
    cause_name(url, name, sizeof name);
    error_set(err, averror, "%s%s: %s", opening ? "cannot open " : "", name, words);
}

void cause_open(struct error *err, const char *url, int averror)
{
    describe_averror(err, url, averror, true);
}

void cause_read(struct error *err, const char *url, int averror)
{
    describe_averror(err, url, averror, false);
}
