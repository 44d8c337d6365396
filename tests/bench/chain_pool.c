/* chain_pool ENCODER WORKERS SECONDS: how many pictures a pool of encoders makes when there is
 * always a next one.
 *
 * Stands in for supervisor and captures: makes the board and the rings of some cameras, starts
 * WORKERS encoders, and publishes the next 1080p picture of a camera as soon as its last one has
 * been taken.  A picture is drawn once a slot, so that publishing it costs next to nothing.  After
 * a second, a line of JSON: pictures, seconds, and the processor time of the workers. */
#include "common/board.h"
#include "common/camera_rings.h"
#include "common/channel.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/ring.h"

#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CAMERAS 8
#define WORKERS_MAX 32
#define WIDTH 1920
#define HEIGHT 1080
#define BYTES (WIDTH * HEIGHT * 3 / 2)
#define SLOTS_MAX 16 /* of one ring that are told apart */
#define LOOK_NS NS_PER_MS
#define WARMUP_NS NS_PER_S
#define START_MS 10000

struct camera {
    struct conf_camera conf;
    struct board_camera *place;
    struct ring_writer *ring;
    struct msg_place at;
    uint64_t published;
    const uint8_t *drawn[SLOTS_MAX]; /* slots that have the picture */
    unsigned drawn_count;
};

static struct camera cameras[CAMERAS];
static struct conf conf = {.shm_reader_rows = 4};
static struct board *board;
static int sockets[WORKERS_MAX];
static pid_t workers[WORKERS_MAX];
static unsigned worker_count;
static uint8_t picture[BYTES];

/* ---- pictures ---- */

/* Smooth areas, edges and some grain. */
static void draw(void)
{
    uint32_t noise = 1;
    for (unsigned y = 0; y < HEIGHT; y++)
        for (unsigned x = 0; x < WIDTH; x++) {
            noise = noise * 1664525 + 1013904223;
            double wave = 100 + 60 * sin(x / 90.0) * cos(y / 70.0);
            bool edge = (x / 64 + y / 48) % 5 == 0;
            picture[y * WIDTH + x] = (uint8_t)(wave + (edge ? 30 : 0) + (noise >> 29));
        }
    for (size_t i = WIDTH * HEIGHT; i < BYTES; i++)
        picture[i] = (uint8_t)(128 + (i / 40) % 16);
}

static void fill(struct camera *camera, uint8_t *slot)
{
    for (unsigned i = 0; i < camera->drawn_count; i++)
        if (camera->drawn[i] == slot)
            return;
    memcpy(slot, picture, BYTES);
    if (camera->drawn_count < SLOTS_MAX)
        camera->drawn[camera->drawn_count++] = slot;
}

static void publish(struct camera *camera)
{
    struct ring_loan loan;
    if (!ring_loan(camera->ring, &loan))
        return; /* all are being read: next time */
    fill(camera, loan.data);
    int64_t now = clock_now();
    struct ring_frame frame = {.camera_ns = -1,
                               .captured_ns = now,
                               .started_ns = now,
                               .bytes = BYTES,
                               .format = RING_I420,
                               .width = WIDTH,
                               .height = HEIGHT,
                               .offset = {0, WIDTH * HEIGHT, WIDTH * HEIGHT * 5 / 4},
                               .stride = {WIDTH, WIDTH / 2, WIDTH / 2}};
    if (!ring_commit(camera->ring, &loan, &frame))
        fatal("can't publish");
    camera->published = frame.number;
    ring_loan_release(camera->ring, &loan);
    bell_ring(board_pool_bell(board), 1);
}

/* Publishes for every camera whose last picture has been taken, until then. */
static void feed_until(int64_t end)
{
    for (int64_t now; (now = clock_now()) < end;) {
        for (struct camera *camera = cameras; camera < cameras + CAMERAS; camera++)
            if (atomic_load(&camera->place->taken) >= camera->published)
                publish(camera);
        struct timespec next = clock_timespec(now + LOOK_NS);
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
}

/* ---- what a supervisor does ---- */

static void add_camera(struct camera *camera, unsigned number)
{
    struct error err;
    snprintf(camera->conf.id, sizeof camera->conf.id, "c%u", number);
    camera->conf.jpeg_quality = 80;
    camera->conf.stall_timeout_ns = 3600 * NS_PER_S;
    int place = board_join(board, camera->conf.id, &err);
    if (place < 0)
        fatal("%s", err.text);
    camera->place = board_camera(board, (unsigned)place);
    camera->at = (struct msg_place){(uint32_t)place, board_epoch(board, (unsigned)place)};
    char name[RING_NAME_SIZE];
    if (camera_rings_fit(&conf, &camera->conf, camera->place, &err) != 0)
        fatal("%s", err.text);
    camera_ring_name(CAMERA_RING_RAW, camera->conf.id, name);
    camera->ring = ring_writer_open(conf.instance, name, true, &err);
    if (!camera->ring || ring_writer_reserve(camera->ring, BYTES, 0, &err) != 0)
        fatal("%s", err.text);
}

static void send_setup(int socket, unsigned number)
{
    static struct msg_hello hello;
    hello = (struct msg_hello){.kind = MSG_ENCODER, .number = number};
    memcpy(hello.instance, conf.instance, sizeof hello.instance);
    hello.log.level = LOG_LEVEL_WARN;
    bool ok = msg_send(socket, MSG_HELLO, &hello, -1) == 0;
    for (struct camera *camera = cameras; ok && camera < cameras + CAMERAS; camera++) {
        struct msg_camera message = {.at = camera->at, .conf = camera->conf};
        ok = msg_send(socket, MSG_CAMERA, &message, -1) == 0;
    }
    if (!ok || msg_send(socket, MSG_START, NULL, -1) != 0)
        fatal("can't talk to the encoder");
}

static void await_ready(int socket)
{
    struct error err;
    struct msg msg = {0};
    struct pollfd ready = {.fd = socket, .events = POLLIN};
    while (msg.type != MSG_READY)
        if (poll(&ready, 1, START_MS) != 1 || msg_receive(socket, &msg, &err) != 1)
            fatal("an encoder does not start");
}

static void start_worker(const char *program, unsigned number)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        fatal("no socket");
    pid_t pid = fork();
    if (pid < 0)
        fatal("can't fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (pair[1] == CHANNEL_FD)
            pair[1] = dup(pair[1]);
        dup2(pair[1], CHANNEL_FD);
        execl(program, program, (char *)NULL);
        _exit(127);
    }
    close(pair[1]);
    sockets[number] = pair[0];
    workers[number] = pid;
    atomic_store(&board_child(board, MSG_ENCODER, number)->pid, pid);
    send_setup(pair[0], number);
    await_ready(pair[0]);
}

/* An encoder exits at once when its channel ends. */
static void end(void)
{
    for (unsigned i = 0; i < worker_count; i++) {
        close(sockets[i]);
        waitpid(workers[i], NULL, 0);
    }
    for (struct camera *camera = cameras; camera < cameras + CAMERAS; camera++) {
        ring_writer_close(camera->ring);
        camera_rings_unlink(conf.instance, camera->place);
    }
    board_unlink(conf.instance);
}

/* ---- figures ---- */

static uint64_t encoded(void)
{
    uint64_t sum = 0;
    for (struct camera *camera = cameras; camera < cameras + CAMERAS; camera++)
        sum += atomic_load(&camera->place->encoded);
    return sum;
}

static int64_t cpu_ns(void)
{
    int64_t sum = 0;
    for (unsigned i = 0; i < worker_count; i++) {
        clockid_t clock;
        if (clock_getcpuclockid(workers[i], &clock) == 0)
            sum += clock_read_ns(clock);
    }
    return sum;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        fatal("usage: chain_pool ENCODER WORKERS SECONDS");
    struct error err;
    worker_count = (unsigned)strtoul(argv[2], NULL, 10);
    int64_t measured_ns = (int64_t)(strtod(argv[3], NULL) * (double)NS_PER_S);
    if (worker_count < 1 || worker_count > WORKERS_MAX || measured_ns <= 0)
        fatal("nothing to measure");
    prctl(PR_SET_TIMERSLACK, 1000UL);
    snprintf(conf.instance, sizeof conf.instance, "bench%d", (int)getpid());
    draw();
    board = board_create(conf.instance, CAMERAS, &err);
    if (!board)
        fatal("%s", err.text);
    for (unsigned i = 0; i < CAMERAS; i++)
        add_camera(&cameras[i], i);
    for (unsigned i = 0; i < worker_count; i++)
        start_worker(argv[1], i);
    feed_until(clock_now() + WARMUP_NS);
    int64_t begin = clock_now(), cpu = cpu_ns();
    uint64_t before = encoded();
    feed_until(begin + measured_ns);
    double seconds = (double)(clock_now() - begin) / (double)NS_PER_S;
    uint64_t pictures = encoded() - before;
    printf("{\"pictures\": %llu, \"seconds\": %.3f, \"cpu_s\": %.3f}\n",
           (unsigned long long)pictures, seconds, (double)(cpu_ns() - cpu) / (double)NS_PER_S);
    fflush(stdout);
    end();
    return 0;
}
