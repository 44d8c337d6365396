/* msg.h: the messages between supervisor and children, over a SOCK_SEQPACKET pair: one packet per
 * message, with at most one file descriptor.  Both ends are the same build: payloads are the
 * structs below, checked by version and size. */
#ifndef CAMRING_MSG_H
#define CAMRING_MSG_H

#include "conf.h"
#include "error.h"

#include <stdint.h>

enum msg_type {
    MSG_HELLO = 1, /* to child, first: its kind, number and settings */
    /* to child: one camera's settings (only capture gets its source); to encoder and server also
     * after MSG_START, for a camera that joins or has changed */
    MSG_CAMERA,
    /* from encoder: from now on it uses what the last MSG_CAMERA after MSG_START said */
    MSG_CAMERA_TAKEN,
    /* to encoder and server: the camera has been removed, close everything that belongs to it; sent
     * back when that is done */
    MSG_CAMERA_GONE,
    /* to capture and encoder: the eventfd on which server `index` waits. To a server: its own */
    MSG_WAKER,
    MSG_LISTEN,       /* to server, with a listening socket */
    MSG_START,        /* to child: configuration complete, begin */
    MSG_OPEN_GRANT,   /* to capture: the permit to open its camera */
    MSG_CAMERA_STATE, /* from capture; passed on to servers */
    MSG_READY,        /* from child: its set-up is complete */
    MSG_OPEN_REQUEST, /* from capture: asks for a permit to open its camera */
    /* from capture: its camera is open; gives the permit back */
    MSG_OPEN_DONE,
    /* from encoder: a camera's chain gives no pictures; or, with an empty `why`, it does again */
    MSG_CHAIN_STATE,
    /* from encoder: the program of an external step is there, late or absent now (board.h) */
    MSG_STAGE_STATE,
    MSG_LOG, /* to child: new level and format of its log */
    /* to server: accept no new clients, end when the last has left; sent back when it has stopped
     * accepting */
    MSG_DRAIN,
    MSG_RESTART, /* from server: an authorised client asks for a restart of a camera's capture */
    MSG_TRIAL, /* from an encoder that tries chains (`--try`): how far it is with the last camera */
    MSG_TYPE_END
};

const char *msg_type_name(enum msg_type type);

enum msg_child_kind { MSG_CAPTURE = 1, MSG_ENCODER, MSG_SERVER };

const char *msg_child_kind_name(enum msg_child_kind kind); /* "capture" … */

struct msg_hello {
    char instance[RING_ID_SIZE];
    uint32_t kind;   /* enum msg_child_kind */
    uint32_t number; /* among those of its kind; a capture's is its camera's place on the board */
    struct conf_log log;
    struct conf_http http; /* server */
    uint32_t debug;
};

/* A camera's place on the board, and the epoch that says which camera is meant (board.h). */
struct msg_place {
    uint32_t place, epoch;
};

struct msg_camera {
    struct msg_place at;
    uint32_t order; /* to servers: its rank among the cameras, as in the file; no two are equal */
    uint32_t settings; /* to encoders: which of the camera's settings these are (board.h) */
    struct conf_camera conf;
};

enum camera_state {
    CAMERA_STARTING = 1, /* its process is starting, or waits for its permit to open */
    CAMERA_CONNECTING,   /* being opened */
    CAMERA_LIVE,         /* pictures come */
    CAMERA_AWAY,         /* can't be opened or read; tried again; `why` says the cause */
    CAMERA_ENDED,        /* a file played to its end */
    CAMERA_STATE_END
};

const char *camera_state_name(enum camera_state state); /* "starting" … */

struct msg_camera_state {
    struct msg_place at;
    uint32_t state; /* enum camera_state */
    int64_t since_ns;
    uint32_t width, height;
    char codec[16]; /* "h264", "mjpeg", "test" … once known */
    char why[256];  /* redacted; empty unless away */
};

enum msg_trial_result {
    MSG_TRIAL_STEP,  /* it begins with step number `step` of the chain */
    MSG_TRIAL_FAULT, /* `words` say what is wrong at `offset` in the text of that step */
    MSG_TRIAL_DONE   /* that was all about this chain */
};

struct msg_trial {
    uint32_t result; /* enum msg_trial_result */
    uint32_t step;   /* from 1; 0: none in particular */
    uint32_t offset;
    char words[512];
};

struct msg_camera_taken {
    struct msg_place at;
    uint32_t settings;
};

/* Reports of one camera may come from several workers, and overtake each other. */
struct msg_chain_state {
    struct msg_place at;
    int64_t at_ns; /* when, under the camera's lease: the latest is what counts */
    char why[256];
};

struct msg_index {
    uint32_t index;
};

union msg_payload {
    struct msg_hello hello;
    struct msg_camera camera;
    struct msg_camera_state state;
    struct msg_index index; /* MSG_WAKER */
    struct msg_trial trial;
    struct msg_place place; /* MSG_CAMERA_GONE, MSG_STAGE_STATE, MSG_RESTART */
    struct msg_camera_taken taken;
    struct msg_chain_state chain;
    struct conf_log log;
};

struct msg {
    enum msg_type type;
    union msg_payload body;
    int fd; /* -1: none; a received one is the receiver's */
};

/* Sends `type` with its payload (NULL for those without) and `fd` (-1: none); fd stays the
 * caller's.  Blocks only if the socket is a blocking one.  -1 with errno. */
int msg_send(int socket, enum msg_type type, const void *payload, int fd);

/* Receives one message.  1 got one; 0 end of file; -1 with err (code EAGAIN: nothing now on a
 * non-blocking socket).  A message of another version, an unknown type or a wrong size is an error.
 */
int msg_receive(int socket, struct msg *msg, struct error *err);

#endif
