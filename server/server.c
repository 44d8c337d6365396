#include "server/server.h"

#include "common/clock.h"
#include "common/log.h"
#include "server/file_watch.h"
#include "server/frames/camera.h"
#include "server/frames/feed.h"
#include "server/handlers/events.h"
#include "server/handlers/live.h"
#include "server/http/auth.h"
#include "server/http/http_server.h"
#include "server/loop.h"
#include "server/metrics/metrics.h"
#include "server/push/push.h"
#include "server/worker.h"

#include <unistd.h>

#define WORKER_PATIENCE_NS NS_PER_S

static struct board *server_open_board(const struct channel_setup *setup)
{
    struct error err;
    struct board *board = board_open(setup->hello.instance, &err);
    if (!board)
        fatal("%s", err.text);
    if (!board_child(board, MSG_SERVER, setup->hello.number))
        fatal("told to be server %u, but there are at most %u", setup->hello.number,
              board_child_numbers(board, MSG_SERVER));
    return board;
}

void server_create(struct server *server, const struct channel_setup *setup)
{
    *server = (struct server){.setup = setup};
    server->board = server_open_board(setup);
    server->figures = board_server(server->board, setup->hello.number);
    server->base =
        loop_open(board_child(server->board, MSG_SERVER, setup->hello.number), setup->hello.debug);
    server->cameras = cameras_create(setup, server->board, (int)setup->hello.number);
    server->feeds = feeds_create(server->base, server->cameras, server->board, setup->hello.number);
    server->push = push_create(server);
    server->events = events_create(server);
    server->live = live_create();
    server->worker = worker_create(server->base);
    server->files = file_watch_create(server->base, server->worker);
    server->auth = auth_create(server, server->worker, server->files);
    server->metrics = metrics_create(server);
    server->http = http_server_create(server);
}

void server_destroy(struct server *server)
{
    if (!worker_stop(server->worker, WORKER_PATIENCE_NS))
        _exit(0); /* what its job may still use must not be freed */
    worker_destroy(server->worker);
    push_destroy(server->push);
    events_destroy(server->events);
    live_destroy(server->live);
    http_server_destroy(server->http);
    auth_destroy(server->auth);
    file_watch_destroy(server->files);
    metrics_destroy(server->metrics);
    feeds_destroy(server->feeds);
    cameras_destroy(server->cameras);
    loop_close();
    picture_trim();
    board_close(server->board);
}
