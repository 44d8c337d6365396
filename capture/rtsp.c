/* rtsp.c: IP cameras over RTSP. */
#include "network.h"

#define UDP_REORDER_NS                                                                             \
    (50 * NS_PER_MS) /* UDP packets overtake each other; a gap is given up after so long */

static void *rtsp_open(struct capture *capture, struct error *err)
{
    static const char *const transports[] = {
        [CONF_TRANSPORT_TCP] = "tcp", [CONF_TRANSPORT_UDP] = "udp"};
    enum conf_transport transport = capture->conf->rtsp_transport;
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
        .url = capture->conf->source,
        .protocols = "rtsp,rtp,udp,tcp",
        .settings = &settings,
        .max_delay_ns = transport == CONF_TRANSPORT_TCP ? 0 : UDP_REORDER_NS,
    };
    void *source = network_open(capture, &options, err);
    av_dict_free(&settings);
    return source;
}

const struct source_ops source_rtsp = {
    .scheme = "rtsp", .open = rtsp_open, .next = network_next, .close = network_close};
