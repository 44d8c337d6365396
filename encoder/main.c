/* camring-encoder: one worker of the pool that turns raw frames into JPEGs. */
#include "pool.h"
#include "trial.h"

#include "common/board.h"
#include "common/channel.h"
#include "common/log.h"

#include <stdlib.h>
#include <string.h>

/* What the channel's thread works with: it lives as long as the process, so none of this is ever
 * taken down. */
struct line {
    atomic_bool stop;
    struct board *board;
    struct inbox *inbox;
};

static void on_message(const struct msg *msg, void *arg)
{
    struct line *line = arg;
    if (!inbox_put(line->inbox, msg))
        fatal("out of memory");
    bell_ring(board_pool_bell(line->board), BELL_ALL);
}

static void on_stop(void *arg)
{
    struct line *line = arg;
    atomic_store(&line->stop, true);
    bell_ring(board_pool_bell(line->board), BELL_ALL);
}

static struct board *encoder_open_board(const struct msg_hello *hello)
{
    struct error err;
    struct board *board = board_open(hello->instance, &err);
    if (!board)
        fatal("%s", err.text);
    return board;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--try") == 0)
        return trial_main();

    static struct channel_setup setup;
    static struct line line;
    channel_open(&setup, MSG_ENCODER);
    line.board = encoder_open_board(&setup.hello);
    line.inbox = inbox_create();
    struct pool *pool = line.inbox ? pool_create(&setup, line.board, line.inbox) : NULL;
    if (!pool)
        fatal("can't set up: out of memory, or the board is for other cameras");
    free(setup.cameras);
    channel_watch(on_message, on_stop, &line);
    channel_send(MSG_READY, NULL);
    pool_run(pool, &line.stop);
    pool_destroy(pool);
    return 0;
}
