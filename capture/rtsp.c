/* rtsp.c: IP cameras over RTSP, with and without TLS. */
#include "cause.h"
#include "network.h"
#include "tls_check.h"

/* UDP packets overtake each other: how long a missing one is waited for */
#define UDP_REORDER_NS (50 * NS_PER_MS)

/* A camera that refuses the transport it is asked for (461). */
static void say_transport(const char *source, enum conf_transport transport, bool tls,
                          struct error *err)
{
    char name[CAUSE_NAME_SIZE];
    const char *words = "does not send over TCP, and over TLS there is no other way (461)";
    if (!tls && transport == CONF_TRANSPORT_TCP)
        words = "does not send over TCP (461): rtsp_transport: udp or auto would do";
    else if (!tls && transport == CONF_TRANSPORT_UDP)
        words = "does not send over UDP (461): rtsp_transport: tcp or auto would do";
    else if (!tls)
        words = "sends neither over TCP nor over UDP (461)";
    cause_name(source, name, sizeof name);
    error_set(err, AVERROR(EPROTONOSUPPORT), "cannot open %s: the camera %s", name, words);
}

static void *open_camera(struct capture *capture, bool tls, struct error *err)
{
    static const char *const transports[] = {
        [CONF_TRANSPORT_TCP] = "tcp", [CONF_TRANSPORT_UDP] = "udp"};
    const char *url = capture->conf->source;
    enum conf_transport transport = tls ? CONF_TRANSPORT_TCP : capture->conf->rtsp_transport;
    AVDictionary *settings = NULL;
    av_dict_set(&settings, "allowed_media_types", "video", 0);
    if (transport == CONF_TRANSPORT_AUTO)
        av_dict_set(&settings, "rtsp_flags", "prefer_tcp",
                    0); /* and UDP where the camera has no TCP */
    else
        av_dict_set(&settings, "rtsp_transport", transports[transport], 0);
    av_dict_set(&settings, "buffer_size", "1048576", 0); /* UDP: a key frame comes as one burst */
    av_dict_set(&settings, "user_agent", "camring/" CAMRING_VERSION, 0);
    const struct lavf_options options = {
        .url = url,
        .protocols = tls ? "tls,tcp" : "rtp,udp,tcp",
        .settings = &settings,
        .max_delay_ns = transport == CONF_TRANSPORT_TCP ? 0 : UDP_REORDER_NS,
    };
    void *source = network_open(capture, &options, err);
    av_dict_free(&settings);
    if (!source && err->code == AVERROR(EPROTONOSUPPORT))
        say_transport(url, transport, tls, err);
    return source;
}

static void *rtsp_open(struct capture *capture, struct error *err)
{
    return open_camera(capture, false, err);
}

static void *rtsps_open(struct capture *capture, struct error *err)
{
    bool verify = capture->conf->tls_verify;
    if (verify && tls_check_begin(capture->conf->source, err) != 0)
        return NULL;
    void *source = open_camera(capture, true, err);
    if (verify && !tls_check_end() && source) {
        network_close(source);
        source = NULL;
        error_set(err, 0, "FFmpeg has not verified the camera's TLS certificate");
    }
    return source;
}

const struct source_ops source_rtsp = {
    .open = rtsp_open, .next = network_next, .close = network_close};
const struct source_ops source_rtsps = {
    .open = rtsps_open, .next = network_next, .close = network_close};
