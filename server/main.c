/* camring-server: shows the cameras' newest pictures to HTTP clients. */
#include "common/log.h"
#include "server/auth.h"
#include "server/camera.h"
#include "server/feed.h"
#include "server/http.h"
#include "server/loop.h"
#include "server/metrics.h"
#include "server/push.h"
#include "server/reload.h"
#include "server/server.h"
#include "server/uplink.h"
#include "server/worker.h"

#include <signal.h>
#include <sys/resource.h>

/* A client is a descriptor. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static struct board *open_board(const struct channel_setup *setup)
{
    struct error err;
    struct board *board = board_open(setup->hello.instance, &err);
    if (!board)
        fatal("%s", err.text);
    if (setup->hello.child >= board_children(board))
        fatal("told to be child %u, but the board has %u", setup->hello.child, board_children(board));
    if (setup->hello.index >= RING_MAX_WAKERS)
        fatal("told to be server %u, but there are at most %u", setup->hello.index, RING_MAX_WAKERS);
    return board;
}

int main(void)
{
    static struct channel_setup setup;
    struct server server = {.setup = &setup};
    channel_open(&setup, MSG_SERVER);
    signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();

    server.board = open_board(&setup);
    server.place = board_server(server.board, setup.hello.index);
    server.base = loop_open(board_child(server.board, setup.hello.child), setup.hello.debug);
    server.cameras = cameras_create(&setup, server.board, (int)setup.hello.index);
    server.feeds = feeds_create(server.base, server.cameras, server.board, setup.hello.index);
    server.push = push_create(&server);
    server.worker = worker_create(server.base);
    server.reload = reload_create(server.base, server.worker);
    server.auth = auth_create(&server, server.worker, server.reload);
    server.metrics = metrics_create(&server);
    server.http = http_create(&server);
    struct uplink *uplink = uplink_create(&server);

    channel_send(MSG_READY, NULL);
    loop_run();

    uplink_destroy(uplink);
    worker_destroy(server.worker);
    push_destroy(server.push);
    http_destroy(server.http);
    auth_destroy(server.auth);
    reload_destroy(server.reload);
    metrics_destroy(server.metrics);
    feeds_destroy(server.feeds);
    cameras_destroy(server.cameras);
    loop_close();
    picture_trim();
    board_close(server.board);
    return 0;
}
