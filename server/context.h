/* context.h: the parts of this process; each module gets this struct. server.c creates the parts in
 * such an order that each finds those it needs. */
#ifndef SERVER_CONTEXT_H
#define SERVER_CONTEXT_H

#include "common/channel.h"

struct server {
    const struct channel_setup *setup;
    struct event_base *base;
    struct board *board;
    struct board_server *figures; /* this server's, on the board */
    struct cameras *cameras;
    struct feeds *feeds;
    struct push *push;
    struct events *events;
    struct live *live;
    struct worker *worker;
    struct file_watch *files;
    struct auth *auth;
    struct metrics *metrics;
    struct http_server *http;
};

#endif
