/* server.h: the parts of this process, as each handler sees them. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "common/channel.h"

struct server {
    const struct channel_setup *setup;
    struct event_base *base;
    struct board *board;
    struct board_server *place; /* this server's, on the board */
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

/* Creates all of them, as `setup` (stays) says; HTTP begins with the loop.  Fatal on failure. */
void server_create(struct server *server, const struct channel_setup *setup);
void server_destroy(struct server *server);

#endif
