#include "fflog.h"

#include "common/log.h"
#include "common/url.h"

#include <libavutil/log.h>
#include <stdatomic.h>
#include <string.h>

static struct {
    const char *url;
    atomic_bool unresolved, lost; /* a protocol of FFmpeg's may log from a thread of its own */
} fflog;

/* Neither reaches us in any other way: a failed resolver is EIO like much else, and lost RTP packets have no flag. */
static void notice(const char *format)
{
    if (strstr(format, "Failed to resolve hostname"))
        atomic_store(&fflog.unresolved, true);
    else if (strstr(format, "RTP: missed"))
        atomic_store(&fflog.lost, true);
}

static void on_log(void *object, int level, const char *format, va_list args)
{
    if (level > AV_LOG_INFO)
        return;
    notice(format);
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
    av_log_set_callback(on_log);
}

void fflog_clear(void)
{
    atomic_store(&fflog.unresolved, false);
    atomic_store(&fflog.lost, false);
}

bool fflog_unresolved(void)
{
    return atomic_load(&fflog.unresolved);
}

bool fflog_take_loss(void)
{
    return atomic_exchange(&fflog.lost, false);
}
