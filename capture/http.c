/* http.c: what comes over HTTP: MJPEG push (multipart/x-mixed-replace), or any container FFmpeg
 * reads. */
#include "network.h"

static void *http_open(struct capture *capture, struct error *err)
{
    AVDictionary *settings = NULL;
    av_dict_set(&settings, "user_agent", "camring/" CAMRING_VERSION, 0);
    av_dict_set(&settings, "icy", "0", 0);
    av_dict_set(&settings, "tls_verify", capture->conf->tls_verify ? "1" : "0", 0);
    const struct lavf_options options = {
        .url = capture->conf->source,
        .protocols =
            "http,https,tls,tcp,crypto", /* not file: a playlist must not reach into this machine */
        .settings = &settings,
    };
    void *source = network_open(capture, &options, err);
    av_dict_free(&settings);
    return source;
}

const struct source_ops source_http = {
    .open = http_open, .next = network_next, .close = network_close};
