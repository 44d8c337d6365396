/* camring-server: shows the cameras' newest pictures to HTTP clients. */
#include "server/loop.h"
#include "server/server.h"
#include "server/supervisor_link.h"

#include <signal.h>
#include <sys/resource.h>

/* Each client needs a descriptor. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int main(void)
{
    static struct channel_setup setup;
    struct server server;
    channel_open(&setup, MSG_SERVER);
    signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    server_create(&server, &setup);
    struct supervisor_link *link = supervisor_link_create(&server);

    channel_send(MSG_READY, NULL);
    loop_run();

    supervisor_link_destroy(link);
    server_destroy(&server);
    return 0;
}
