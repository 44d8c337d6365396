/* camring-capture: one camera's pictures into its rings. */
#include "capture.h"
#include "common/log.h"
#include "fflog.h"
#include "publish.h"
#include "run.h"

#include <libavformat/avformat.h>
#include <stdlib.h>

/* The resolver can't be interrupted, so its time-outs are shortened, unless the environment sets
 * them. */
static void hurry_resolver(void)
{
    setenv("RES_OPTIONS", "timeout:2 attempts:2", 0);
}

int main(void)
{
    static struct channel_setup setup;
    static struct capture capture;

    channel_open(&setup, MSG_CAPTURE);
    hurry_resolver();
    capture_open(&capture, &setup);
    fflog_open(capture.conf->source, setup.hello.log.level >= LOG_LEVEL_DEBUG);
    avformat_network_init();

    channel_send(MSG_READY, NULL);
    run_camera(&capture);

    publish_close(capture.publish);
    avformat_network_deinit();
    capture_close(&capture);
    free(setup.cameras);
    return 0;
}
