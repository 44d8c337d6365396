/* fleet_private.h: what fleet.c (life and death) and fleet_talk.c (messages) share. */
#ifndef CAMRING_FLEET_PRIVATE_H
#define CAMRING_FLEET_PRIVATE_H

#include "fleet.h"
#include "outbox.h"
#include "reaper.h"
#include "recover.h"

#include <limits.h>

struct member {
    struct fleet *fleet;
    enum msg_child_kind kind;
    unsigned index; /* camera, worker or server number */
    unsigned place; /* on the board, and in fleet->members */
    char name[64];
    struct child life;
    pid_t pid;                         /* 0: no process */
    int channel;                       /* -1: none */
    struct event *readable, *writable; /* NULL without a channel */
    struct event *timer;
    struct outbox outbox;
    bool was_ready;     /* in some life */
    int64_t stopped_ns; /* when it was stopped (SIGSTOP), 0: it is not */
    int64_t asked_ns;   /* when its restart was last asked for over HTTP, 0: never */
    unsigned hung_up;   /* ticks since its channel ended, plus 1; 0: it hasn't */
};

struct fleet {
    struct event_base *base;
    const struct conf *conf;
    struct process_counts counts;
    struct board *board;
    const struct listen_set *listen;
    struct fleet_watch watch;
    struct cameras *cameras;
    struct recover recover;
    struct reaper *reaper;
    int wakers[RING_MAX_WAKERS]; /* one eventfd a server */
    char programs[MSG_SERVER + 1][PATH_MAX];
    struct event *sigchld, *tick;
    int64_t next_tick_ns;
    bool up, stopping, idle;
    unsigned count;
    struct member *members; /* captures, encoders, servers */
};

/* fleet.c */
void fleet_event(struct member *member, enum child_event event);
void fleet_condemn(struct member *member, const char *why); /* kills it, to start it anew */
void fleet_publish(struct fleet *fleet, unsigned camera, enum cameras_change change);

/* fleet_talk.c */
bool fleet_talk_open(
    /* takes over member->channel; notes all that a new child is told. False: out of memory */
    struct member *member);
void fleet_talk_close(struct member *member); /* reads what the dead child had still said */
void fleet_talk_say(struct member *member, enum msg_type type, unsigned index);
void fleet_talk_grant(struct fleet *fleet); /* passes free turns on */

#endif
