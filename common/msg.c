#include "msg.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define MSG_MAGIC 0x4d52 /* "RM" */
#define MSG_VERSION 1

struct msg_header {
    uint16_t magic, version;
    uint32_t type;
    uint32_t length; /* of the payload */
    uint32_t has_fd;
};

static const struct {
    const char *name;
    size_t length;
    bool has_fd;
} kinds[MSG_TYPE_END] = {
    [MSG_HELLO] = {"HELLO", sizeof(struct msg_hello), false},
    [MSG_CAMERA] = {"CAMERA", sizeof(struct msg_camera), false},
    [MSG_CAMERA_TAKEN] = {"CAMERA_TAKEN", sizeof(struct msg_camera_taken), false},
    [MSG_CAMERA_GONE] = {"CAMERA_GONE", sizeof(struct msg_place), false},
    [MSG_LOG] = {"LOG", sizeof(struct conf_log), false},
    [MSG_DRAIN] = {"DRAIN", 0, false},
    [MSG_WAKER] = {"WAKER", sizeof(struct msg_index), true},
    [MSG_LISTEN] = {"LISTEN", 0, true},
    [MSG_START] = {"START", 0, false},
    [MSG_OPEN_GRANT] = {"OPEN_GRANT", 0, false},
    [MSG_CAMERA_STATE] = {"CAMERA_STATE", sizeof(struct msg_camera_state), false},
    [MSG_READY] = {"READY", 0, false},
    [MSG_OPEN_REQUEST] = {"OPEN_REQUEST", 0, false},
    [MSG_OPEN_DONE] = {"OPEN_DONE", 0, false},
    [MSG_TRIAL] = {"TRIAL", sizeof(struct msg_trial), false},
    [MSG_CHAIN_STATE] = {"CHAIN_STATE", sizeof(struct msg_chain_state), false},
    [MSG_STAGE_STATE] = {"STAGE_STATE", sizeof(struct msg_place), false},
    [MSG_RESTART] = {"RESTART", sizeof(struct msg_place), false},
};

static bool type_known(uint32_t type)
{
    return type < MSG_TYPE_END && kinds[type].name;
}

const char *msg_type_name(enum msg_type type)
{
    return type_known(type) ? kinds[type].name : "unknown";
}

const char *msg_child_kind_name(enum msg_child_kind kind)
{
    static const char *const names[] = {
        [MSG_CAPTURE] = "capture", [MSG_ENCODER] = "encoder", [MSG_SERVER] = "server"};
    return kind >= MSG_CAPTURE && kind <= MSG_SERVER ? names[kind] : "unknown";
}

const char *camera_state_name(enum camera_state state)
{
    static const char *const names[] = {[CAMERA_STARTING] = "starting",
                                        [CAMERA_CONNECTING] = "connecting",
                                        [CAMERA_LIVE] = "live",
                                        [CAMERA_AWAY] = "away",
                                        [CAMERA_ENDED] = "ended"};
    return state >= CAMERA_STARTING && state < CAMERA_STATE_END ? names[state] : "unknown";
}

int msg_send(int socket, enum msg_type type, const void *payload, int fd)
{
    struct msg_header header = {.magic = MSG_MAGIC,
                                .version = MSG_VERSION,
                                .type = type,
                                .length = (uint32_t)kinds[type].length,
                                .has_fd = fd >= 0};
    struct iovec parts[2] = {{.iov_base = &header, .iov_len = sizeof header},
                             {.iov_base = (void *)payload, .iov_len = header.length}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = header.length ? 2 : 1};

    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    if (fd >= 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = &control;
        message.msg_controllen = sizeof control.space;
        struct cmsghdr *attached = CMSG_FIRSTHDR(&message);
        attached->cmsg_level = SOL_SOCKET;
        attached->cmsg_type = SCM_RIGHTS;
        attached->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(attached), &fd, sizeof fd);
    }
    ssize_t n;
    do
        n = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -1 : 0;
}

static int received_fd(struct msghdr *message)
{
    struct cmsghdr *attached = CMSG_FIRSTHDR(message);
    int fd = -1;
    if (attached && attached->cmsg_level == SOL_SOCKET && attached->cmsg_type == SCM_RIGHTS &&
        attached->cmsg_len == CMSG_LEN(sizeof fd))
        memcpy(&fd, CMSG_DATA(attached), sizeof fd);
    return fd;
}

static bool header_fits(const struct msg_header *header, size_t received, int fd, int flags,
                        struct error *err)
{
    if (received < sizeof *header || header->magic != MSG_MAGIC) {
        error_set(err, EPROTO, "not a camring message (%zu bytes)", received);
    } else if (header->version != MSG_VERSION) {
        error_set(err, EPROTO,
                  "message of version %u, this program speaks %u: supervisor and children are of "
                  "different builds",
                  header->version, MSG_VERSION);
    } else if (!type_known(header->type)) {
        error_set(err, EPROTO, "unknown message type %u", header->type);
    } else if (header->length != kinds[header->type].length ||
               received != sizeof *header + header->length || (flags & (MSG_TRUNC | MSG_CTRUNC)) ||
               kinds[header->type].has_fd != (fd >= 0)) {
        error_set(err, EPROTO, "message %s has the wrong size", msg_type_name(header->type));
    } else {
        return true;
    }
    return false;
}

/* Terminates every text here, so that no receiver depends on the sender's NUL. */
static void end_texts(struct msg *msg)
{
    if (msg->type == MSG_HELLO) {
        struct conf_http *http = &msg->body.hello.http;
        msg->body.hello.instance[RING_ID_SIZE - 1] = '\0';
        http->users_file[CONF_FILE_SIZE - 1] = http->tokens_file[CONF_FILE_SIZE - 1] = '\0';
        http->tls_cert[CONF_FILE_SIZE - 1] = http->tls_key[CONF_FILE_SIZE - 1] = '\0';
        http->base_path[sizeof http->base_path - 1] = '\0';
        for (unsigned i = 0; i < CONF_MAX_ORIGINS; i++)
            http->cors_origins.item[i][sizeof http->cors_origins.item[i] - 1] = '\0';
    } else if (msg->type == MSG_CAMERA) {
        msg->body.camera.conf.id[RING_ID_SIZE - 1] = '\0';
        msg->body.camera.conf.source[CONF_SOURCE_SIZE - 1] = '\0';
    } else if (msg->type == MSG_TRIAL) {
        msg->body.trial.words[sizeof msg->body.trial.words - 1] = '\0';
    } else if (msg->type == MSG_CAMERA_STATE) {
        msg->body.state.codec[sizeof msg->body.state.codec - 1] = '\0';
        msg->body.state.why[sizeof msg->body.state.why - 1] = '\0';
    }
}

int msg_receive(int socket, struct msg *msg, struct error *err)
{
    struct msg_header header;
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec parts[2] = {{.iov_base = &header, .iov_len = sizeof header},
                             {.iov_base = &msg->body, .iov_len = sizeof msg->body}};
    struct msghdr message = {.msg_iov = parts,
                             .msg_iovlen = 2,
                             .msg_control = &control,
                             .msg_controllen = CMSG_LEN(sizeof(int))};
    /* CMSG_LEN, not CMSG_SPACE, whose padding has room for a second descriptor that nothing would
     * close */
    ssize_t n;
    do
        n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == ECONNRESET) /* the other end died before it had read all messages */
        return 0;
    if (n < 0) {
        error_set(err, errno, "channel: %s", strerror(errno));
        return -1;
    }
    msg->fd = received_fd(&message);
    if (n == 0 || !header_fits(&header, (size_t)n, msg->fd, message.msg_flags, err)) {
        if (msg->fd >= 0) /* a message without payload can carry one, too */
            close(msg->fd);
        return n == 0 ? 0 : -1;
    }
    msg->type = header.type;
    end_texts(msg);
    if (msg->type == MSG_CAMERA && !conf_chain_valid(&msg->body.camera.conf.chain)) {
        error_set(err, EPROTO, "message CAMERA has a chain that can't be");
        return -1;
    }
    if (msg->type == MSG_CAMERA && !conf_motion_valid(&msg->body.camera.conf.motion)) {
        error_set(err, EPROTO, "message CAMERA has zones that can't be");
        return -1;
    }
    return 1;
}
