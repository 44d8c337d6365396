/* camring-encoder: one worker of the pool that turns raw frames into JPEGs. */
#include "pool.h"
#include "wakers.h"

#include "common/board.h"
#include "common/channel.h"
#include "common/log.h"

#include <stdlib.h>
#include <unistd.h>

/* What the channel's thread works with: it lives as long as the process, so none of this is ever
 * taken down. */
struct line {
    atomic_bool stop;
    struct board *board;
    struct wakers *wakers;
};

static void on_message(const struct msg *msg, void *arg)
{
    struct line *line = arg;
    if (msg->type == MSG_WAKER) {
        wakers_offer(line->wakers, msg->body.index.index, msg->fd);
        return;
    }
    log_debug("%s is of no concern here", msg_type_name(msg->type));
    if (msg->fd >= 0)
        close(msg->fd);
}

static void on_stop(void *arg)
{
    struct line *line = arg;
    atomic_store(&line->stop, true);
    bell_ring(board_pool_bell(line->board), BELL_ALL);
}

static struct board *open_board(const struct msg_hello *hello)
{
    struct error err;
    struct board *board = board_open(hello->instance, &err);
    if (!board)
        fatal("%s", err.text);
    if (board_cameras(board) != hello->cameras || hello->child >= board_children(board))
        fatal("the board is for %u cameras and %u processes, not for %u cameras and process %u",
              board_cameras(board), board_children(board), hello->cameras, hello->child);
    return board;
}

int main(void)
{
    static struct channel_setup setup;
    static struct line line;
    channel_open(&setup, MSG_ENCODER);
    line.board = open_board(&setup.hello);
    line.wakers = wakers_create(setup.wakers, setup.waker_count);
    struct pool *pool = line.wakers ? pool_create(&setup, line.board, line.wakers) : NULL;
    if (!pool)
        fatal("out of memory");
    channel_watch(on_message, on_stop, &line);
    channel_send(MSG_READY, NULL);
    pool_run(pool, &line.stop);
    pool_destroy(pool);
    return 0;
}
