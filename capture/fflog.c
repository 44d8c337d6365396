#include "fflog.h"

#include "common/log.h"
#include "common/url.h"

#include <libavutil/log.h>
#include <stdatomic.h>
#include <string.h>

static struct {
    const char *url;
    atomic_bool said[FFLOG_NOTICES]; /* a protocol of FFmpeg's may log from a thread of its own */
} fflog;

static const struct {
    const char *words; /* in the format of FFmpeg's message */
    enum fflog_notice notice;
} notices[] = {
    {"Failed to resolve hostname", FFLOG_UNRESOLVED},
    {"eer certificate", FFLOG_UNTRUSTED},
    {"certificate's owner does not match", FFLOG_UNTRUSTED},
    {"Stream ends prematurely", FFLOG_ENDED},
    {"RTP: missed", FFLOG_LOSS},
};

void fflog_note(enum fflog_notice notice)
{
    atomic_store(&fflog.said[notice], true);
}

static void take_notice(const char *format)
{
    for (size_t i = 0; i < sizeof notices / sizeof *notices; i++)
        if (strstr(format, notices[i].words))
            fflog_note(notices[i].notice);
}

static void fflog_on_log(void *object, int level, const char *format, va_list args)
{
    if (level > AV_LOG_INFO)
        return;
    take_notice(format);
    if (level > av_log_get_level())
        return;
    char line[1024];
    int print_prefix = 1;
    av_log_format_line2(object, level, format, args, line, sizeof line, &print_prefix);
    line[strcspn(line, "\r\n")] = '\0';
    url_scrub(fflog.url, line);
    if (line[0])
        log_debug("ffmpeg: %s", line);
}

void fflog_open(const char *url, bool verbose)
{
    fflog.url = url;
    av_log_set_level(verbose ? AV_LOG_INFO : AV_LOG_QUIET);
    av_log_set_callback(fflog_on_log);
}

void fflog_clear(void)
{
    for (size_t i = 0; i < FFLOG_NOTICES; i++)
        atomic_store(&fflog.said[i], false);
}

bool fflog_take(enum fflog_notice notice)
{
    return atomic_exchange(&fflog.said[notice], false);
}
