/* seeds DIR: writes DIR/TARGET/NAME, the inputs from which the fuzz targets start: rings, boards,
 * messages and pictures as the library itself makes them. */
#include "hostile.h"

#include "common/board.h"
#include "common/jpeg.h"
#include "common/msg.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOT 4096
#define WIDTH 16u
#define HEIGHT 8u

static const char *directory;
static char instance[RING_ID_SIZE];

static void die(const char *what)
{
    fprintf(stderr, "seeds: %s: %s\n", what, strerror(errno));
    ring_unlink_all(instance);
    board_unlink(instance);
    exit(1);
}

static void write_seed(const char *target, const char *name, const void *head, size_t head_size,
                       const void *body, size_t size)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", directory, target);
    if (mkdir(path, 0777) < 0 && errno != EEXIST)
        die(path);
    snprintf(path, sizeof path, "%s/%s/%s", directory, target, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(head, 1, head_size, file) != head_size ||
        fwrite(body, 1, size, file) != size || fclose(file) != 0)
        die(path);
}

static size_t read_object(const char *suffix, uint8_t *out, size_t room)
{
    char path[RING_PATH_SIZE];
    snprintf(path, sizeof path, RING_DIRECTORY "/" RING_PREFIX "%s%s", instance, suffix);
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, out, room);
    if (n < 0)
        die(path);
    close(fd);
    return (size_t)n;
}

/* ---- rings ---- */

static void publish(struct ring_writer *writer, enum ring_kind kind)
{
    struct ring_loan loan;
    struct ring_frame frame = {.width = WIDTH,
                               .height = HEIGHT,
                               .bytes = WIDTH * HEIGHT * 3 / 2,
                               .format = RING_FORMAT_JPEG};
    if (kind == RING_RAW) {
        frame.format = RING_I420;
        frame.stride[0] = WIDTH, frame.stride[1] = frame.stride[2] = WIDTH / 2;
        frame.offset[1] = WIDTH * HEIGHT, frame.offset[2] = WIDTH * HEIGHT * 5 / 4;
    }
    if (!ring_loan(writer, &loan))
        die("ring_loan");
    memset(loan.data, 0x10, frame.bytes);
    if (!ring_commit(writer, &loan, &frame))
        die("ring_commit");
    ring_loan_release(writer, &loan);
}

/* The bytes of a ring into which `frames` frames were written; a reader has the newest one pinned.
 */
static size_t ring_bytes(const struct ring_create *options, unsigned frames, uint8_t *out,
                         size_t room, struct hostile_input *head)
{
    struct error err;
    struct ring_frame frame;
    const uint8_t *data;
    if (ring_create(options, &err) < 0)
        die(err.text);
    size_t ctl = 0, used;
    struct ring_writer *writer =
        ring_writer_open(instance, HOSTILE_NAME, options->unsupervised, &err);
    struct ring_reader *reader =
        ring_reader_open(instance, HOSTILE_NAME, RING_MEMBER, "seed", &err);
    if (!writer || !reader || (frames > 0 && ring_writer_reserve(writer, SLOT, 0, &err) < 0))
        die(err.text);
    for (unsigned i = 0; i < frames; i++)
        publish(writer, options->kind);
    ring_reader_acquire(reader, 0, &frame, &data, &err);
    used = ctl = read_object("." HOSTILE_NAME, out, room);
    snprintf((char *)out + offsetof(struct ring_ctl_header, instance), RING_ID_SIZE,
             HOSTILE_PLACEHOLDER);
    if (frames > 0) {
        read_object("." HOSTILE_NAME ".1", out + ctl, room - ctl);
        struct ring_data_header *header = (struct ring_data_header *)(void *)(out + ctl);
        head->data_size = (uint32_t)header->object_bytes;
        used += sizeof *header + header->slot_count * sizeof(struct ring_slot);
    }
    head->ctl_length = (uint16_t)ctl;
    ring_reader_close(reader);
    ring_writer_close(writer);
    ring_unlink(instance, HOSTILE_NAME);
    return used;
}

/* Stores that change what was checked, or what comes next. */
static const struct hostile_poke pokes[HOSTILE_POKES] = {
    /* data: generation */
    {.where = 0x8000 | 24 / 4, .bytes = 0, .value = {2}},
    /* more than there are */
    {.where = 0x8000 | offsetof(struct ring_data_header, slot_count) / 4,
     .bytes = 0,
     .value = {200}},
    /* larger */
    {.where = 0x8000 | offsetof(struct ring_data_header, slot_bytes) / 4,
     .bytes = 1,
     .value = {1u << 20}},
    {.where = 0x8000 | offsetof(struct ring_data_header, payload_offset) / 4,
     .bytes = 1,
     /* beyond the end */
     .value = {1u << 20}},
    /* frame 16, slot 1 */
    {.where = 0x8000 | offsetof(struct ring_data_header, head) / 4, .bytes = 1, .value = {0x1001}},
    {.where = offsetof(struct ring_ctl_header, generation) / 4, .bytes = 0, .value = {2}},
    {.where = offsetof(struct ring_ctl_header, bell) / 4, .bytes = 0, .value = {7}},
    {.where = offsetof(struct ring_ctl_header, closed) / 4, .bytes = 0, .value = {1}},
    {.where = offsetof(struct ring_ctl_header, row_count) / 4, .bytes = 0, .value = {200}},
    {.where =
         0x8000 | (sizeof(struct ring_data_header) + 8 + offsetof(struct ring_frame, bytes)) / 4,
     .value = {1u << 24}},
    /* one slot of the writer's exists; the first row's does, in generation 1 */
    {.where = 0x8000 | offsetof(struct ring_data_header, writer_allocated) / 4,
     .bytes = 0,
     .value = {1}},
    {.where = (sizeof(struct ring_ctl_header) + sizeof(struct ring_row) +
               offsetof(struct ring_row, slot)) /
              4,
     .bytes = 1,
     .value = {RING_SLOT_USABLE, 1}},
};

static const struct {
    const char *name;
    uint8_t op[HOSTILE_OPS];
} plans[] = {
    {"reader",
     {0x00, 0x01, 0x03, 0x04, 0x06, 0x07, 0x0b, 0x4e, 0x01, 0x03, 0x5e, 0x01, 0x03, 0x04, 0x0c,
      0x06}},
    {"writer",
     {0x01, 0x02, 0x04, 0x06, 0x08, 0x14, 0x17, 0x4e, 0x01, 0x24, 0x26, 0x5e, 0x72, 0x34, 0x36,
      0x38}},
    {"public",
     {0x01, 0x05, 0x07, 0x06, 0x03, 0x08, 0x09, 0x0b, 0x01, 0x4e, 0x02, 0x03, 0x09, 0x0c, 0x10,
      0x01}},
};

/* A ring of tiny slots whose sizes all fit, but for what `name` says. */
static void write_tiny(const char *name, struct hostile_input head, const uint8_t *ring,
                       unsigned slots, size_t payload_offset)
{
    static uint8_t bytes[64 * 1024];
    memcpy(bytes, ring, head.ctl_length + sizeof(struct ring_data_header));
    struct ring_data_header *header = (struct ring_data_header *)(void *)(bytes + head.ctl_length);
    struct ring_slot *slot = (struct ring_slot *)(void *)(header + 1);
    for (unsigned i = 0; i < slots; i++) {
        memcpy(slot + i, ring + head.ctl_length + sizeof *header, sizeof *slot);
        slot[i].frame.bytes = 1;
        slot[i].frame.format = RING_FORMAT_JPEG;
        slot[i].seq = slot[i].frame.number = 0;
    }
    header->slot_count = slots;
    header->writer_slots = slots;
    header->writer_allocated = slots;
    header->slot_bytes = RING_LINE;
    header->payload_offset = payload_offset;
    header->object_bytes = payload_offset + slots * RING_LINE;
    head.data_size = (uint32_t)header->object_bytes;
    static const char *const targets[] = {"ring_reader", "ring_writer", "ring_verify"};
    for (unsigned i = 0; i < 3; i++)
        write_seed(targets[i], name, &head, sizeof head, bytes,
                   head.ctl_length + sizeof *header + slots * sizeof *slot);
}

static void write_rings(void)
{
    static const char *const targets[] = {"ring_reader", "ring_writer", "camring", "ring_verify"};
    static const unsigned frames[] = {0, 1, 5, 40};
    static uint8_t bytes[64 * 1024];
    for (unsigned i = 0; i < 4 * 2 * 2; i++) {
        struct ring_create options = {.instance = instance,
                                      .camera = HOSTILE_CAMERA,
                                      .variant = HOSTILE_VARIANT,
                                      .kind = i & 1 ? RING_JPEG : RING_RAW,
                                      .rows = i & 4 ? 4 : 2,
                                      .unsupervised = i & 1};
        struct hostile_input head = {.role = (uint8_t)(i % 3)};
        size_t size = ring_bytes(&options, frames[i / 4], bytes, sizeof bytes, &head);
        memcpy(head.poke, pokes, sizeof pokes);
        if (frames[i / 4] > 0 && options.kind == RING_JPEG) {
            memcpy(head.op, plans[0].op, sizeof head.op);
            const size_t start = sizeof(struct ring_data_header);
            const unsigned many = RING_MAX_SLOTS + 10;
            write_tiny("tiny-slots", head, bytes, 20, start + 20 * sizeof(struct ring_slot));
            write_tiny("many-slots", head, bytes, many, start + many * sizeof(struct ring_slot));
            write_tiny("slots-overlap", head, bytes, 100, start);
        }
        for (unsigned plan = 0; plan < 3 * 4; plan++) {
            char name[64];
            memcpy(head.op, plans[plan % 3].op, sizeof head.op);
            head.flags = (uint8_t)(plan / 3);
            snprintf(name, sizeof name, "%s-%u-%u", plans[plan % 3].name, i, plan / 3);
            for (unsigned target = 0; target < 4; target++)
                if (target == 3 ? plan == 0 : target == plan % 3)
                    write_seed(targets[target], name, &head, sizeof head, bytes, size);
        }
    }
}

/* ---- the rest ---- */

static void write_names(void)
{
    static const char *const names[] = {
        "camring.camring.door.raw", "camring.a.b.c\ncamring.a.b.c.1\ncamring.a",
        "camring.camring.0123456789abcdef0123456789abcdef.0123456789abcdef0123456789abcdef",
        ".\n..\ncamring.\ncamring...\ncamring.-.a.b\ncamring.A.b.c\nsem.x"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[16];
        snprintf(name, sizeof name, "names-%zu", i);
        write_seed("ring_list", name, names[i], strlen(names[i]), "", 0);
    }
}

static void write_boards(void)
{
    static uint8_t bytes[128 * 1024];
    const char *const ids[] = {"door", "yard", "gate"};
    struct error err;
    for (unsigned cameras = 0; cameras < 4; cameras++) {
        struct board *board = board_create(instance, cameras + 1, &err);
        for (unsigned i = 0; board && i < cameras; i++)
            board_join(board, ids[i], &err);
        if (!board)
            die(err.text);
        size_t size = read_object("", bytes, sizeof bytes);
        board_close(board);
        board_unlink(instance);
        uint32_t all = (uint32_t)size;
        uint32_t heads[2][6] = {{all}, {all, 1u << 8, 16 / 4, 1000, 20 / 4, 1000}};
        for (unsigned i = 0; i < 2; i++) {
            char name[32];
            snprintf(name, sizeof name, "board-%u-%u", cameras, i);
            write_seed("board", name, heads[i], sizeof heads[i], bytes, size);
        }
    }
}

static void write_messages(void)
{
    static union {
        struct msg_hello hello;
        struct msg_camera camera;
        struct msg_camera_state state;
        uint8_t bytes[sizeof(struct msg_camera)];
    } body;
    static uint8_t bytes[sizeof body + 256];
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
        die("socketpair");
    for (unsigned type = 0; type < MSG_TYPE_END; type++) {
        if (strcmp(msg_type_name(type), "unknown") == 0)
            continue;
        msg_send(pair[0], type, &body, -1);
        ssize_t n = recv(pair[1], bytes, sizeof bytes, 0);
        if (n < 0)
            die("recv");
        for (uint8_t fds = 0; fds < 3; fds++) {
            char name[64];
            snprintf(name, sizeof name, "%s-%u", msg_type_name(type), fds);
            bytes[12] = fds == 1; /* struct msg_header's has_fd */
            write_seed("msg", name, &fds, 1, bytes, (size_t)n);
        }
    }
    close(pair[0]);
    close(pair[1]);
}

static void write_pictures(void)
{
    static uint8_t planes[3 * 64 * 48], out[64 * 1024], bare[64 * 1024];
    struct error err;
    struct jpeg_encoder *encoder = jpeg_encoder_create();
    if (!encoder)
        die("jpeg_encoder_create");
    for (size_t i = 0; i < sizeof planes; i++)
        planes[i] = (uint8_t)(i * 7 + i / 64);
    for (uint32_t format = RING_I420; format <= RING_I444; format++) {
        uint32_t width = 61, height = 45, offset = 0;
        struct ring_frame frame = {.format = format, .width = width, .height = height};
        for (unsigned plane = 0; plane < RING_PLANES; plane++) {
            frame.offset[plane] = offset;
            frame.stride[plane] = ring_plane_width(format, plane, width);
            offset += frame.stride[plane] * ring_plane_height(format, plane, height);
        }
        frame.bytes = offset;
        size_t size = jpeg_encode(encoder, &frame, planes, 20, out, sizeof out, &err);
        if (size == 0)
            die(err.text);
        char name[16];
        snprintf(name, sizeof name, "picture-%u", format);
        write_seed("jpeg", name, out, size, "", 0);
        size_t tables = jpeg_standard_tables(bare, sizeof bare);
        snprintf(name, sizeof name, "tables-%u", format);
        uint8_t start[] = {0xff, 0xd8};
        memmove(bare + tables, out + 2, size - 2);
        write_seed("jpeg", name, start, sizeof start, bare, tables + size - 2);
    }
    jpeg_encoder_destroy(encoder);
}

static void write_texts(void)
{
    static const char *const urls[] = {
        ("\xff\x01rtsp://user:secret@camera.example:554/live?token=abc&loop=1\nsecret in "
         "user:secret"),
        "\x10\x00http://a%40b:p%3aw@[::1]:80/x?password=%41%4",
        "@\001file:a.mp4?loop=1&password=", "\x80\x00v4l2:/dev/video0", "\x08\x00test:?fps=30"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        char name[16];
        snprintf(name, sizeof name, "url-%zu", i);
        write_seed("url", name, urls[i], 2, urls[i] + 2, strlen(urls[i] + 2));
    }
    static const char *const files[] = {"camring.yaml", "scripts/run.yaml", "scripts/demo.yaml"};
    static const char *const names[] = {"example", "run", "demo"};
    static char text[CONF_SOURCE_SIZE * 16];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        FILE *file = fopen(files[i], "r");
        if (!file)
            die(files[i]);
        size_t size = fread(text, 1, sizeof text, file);
        fclose(file);
        write_seed("conf", names[i], text, size, "", 0);
    }
    static const char *const snippets[] = {
        "instance: a\ncameras:\n  door: test:\n  yard: {source: "
        "'rtsp://u:${file:/etc/hostname}@h/', fps: 5}\n",
        "cameras: {a: \"file:x.mp4?loop=1\"}\nhttp: {listen: ['127.0.0.1:0', "
        "\"[::1]:8080\"]}\nshm: {max_bytes: 1GiB}\n",
        "a: &a {b: [1, 2, *a]}\n? [x]\n: y\n--- !!str\n...\n%YAML 1.1\n",
        "defaults: {reconnect: {every: 1s, for: 5m}}\nlog: {level: debug}\n",
        "cameras: {a: {source: 'test:', profiles: {t: {width: 320, fps: 2, quality: 60}, u: , t: "
        "{}}}}\n",
        "cameras: {a: {source: 'test:', chain: [gray, crop: {x: 1, width: 20, height: 3}, mask: "
        "[[0,0, 1,1, 0,2]], filter: 'eq=contrast=1.1', text: {text: '%F', font: x}]}}\n"};
    for (size_t i = 0; i < sizeof snippets / sizeof *snippets; i++) {
        char name[16];
        snprintf(name, sizeof name, "text-%zu", i);
        write_seed("conf", name, snippets[i], strlen(snippets[i]), "", 0);
    }
}

static void write_chains(void)
{
    static const char *const chains[] = {
        "- crop: {x: 0, y: 0, width: 1280, height: 720}\n- scale: {width: 640}\n- rotate: 90\n"
        "- flip: horizontal\n- mask: [[0,0, 200,0, 200,80], [1,2,3,4,5,6,7,8]]\n- gray\n",
        "- text: {text: \"%{camera} %F %T %%\", position: top-left, size: 24, font: a'b:c.ttf}\n"
        "- deinterlace\n- filter: \"hqdn3d,eq=contrast=1.1\"\n",
        "[gray, text: {text: '\\ud55c\\uae00'}, filter: 'split[a][b];[a][b]hstack']",
        "[in] split [a][b]; [a]crop=100:50:x=3 ,hflip@mine[c]; [b][c] overlay = 5 : 6[out]",
        "drawtext=text='a:b, [c]':x=1\\,2\\;3,geq='st(0\\, 1)':cb=a\\\\:b:cr='it'\\\\''s'",
        "movie=/etc/passwd,scale=flags=fast_bilinear:threads=3,psnr=f=x,curves=psfile=y"};
    for (size_t i = 0; i < sizeof chains / sizeof *chains; i++) {
        char name[16];
        snprintf(name, sizeof name, "chain-%zu", i);
        write_seed("chain", name, chains[i], strlen(chains[i]), "", 0);
    }
}

/* fuzz_http.c says what the bytes from \xf8 on do. */
static void write_requests(void)
{
#define HOST "Host: x\r\n\r\n"
    static const char *const paths[] = {"/cameras/door/stream.mjpeg?headers=advance",
                                        "/cameras/door/stream.mjpeg?info=1&headers=length",
                                        "/cameras/dark/stream.mjpeg",
                                        "/cameras/gone/stream.mjpeg",
                                        "/cameras/door/snapshot.jpg?max_age=2s",
                                        "/cameras/dark/snapshot.jpg",
                                        "/api/v1/cameras?limit=2&cursor=door",
                                        "/api/v1/cameras/door",
                                        "/healthz",
                                        "/readyz",
                                        "/stream",
                                        "/snapshot",
                                        "/?action=stream_0",
                                        "/?action=snapshot_1",
                                        "/",
                                        "/web/style.css",
                                        "/web/app.js",
                                        "/web/icon.svg",
                                        "/cameras/%64oor/../x",
                                        "/live?cameras=door,dark",
                                        "/metrics",
                                        "/state",
                                        "/door/mjpg",
                                        "/api/stream.mjpeg?src=door",
                                        "/api/v1/events",
                                        "//x/y",
                                        "http://x/healthz",
                                        "/stream?quality=20&fps=5",
                                        "/live?profile=thumb&info=1",
                                        "/snapshot?width=16&quality=90",
                                        "/api/v1/openapi.json",
                                        "/api/frame.jpeg?src=dark"};
    static const char *const texts[] = {
        "GET / HTTP/1.1\r\n" HOST "\xf8"
        "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "GE\xf8T /heal\xf8thz HTTP/1.1\r\xf8\nHost: \xf8x\r\n\r\xf8\nGET /stream HTTP/1.1\r\n" HOST
        "\xf9\xf9\xfa\xf9",
        "POST /api/v1/cameras/door/restart HTTP/1.1\r\nContent-Length: 5\r\nAuthorization: Bearer "
        "abc\r\n" HOST "12345",
        "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n" HOST
        "123GET / HTTP/1.1\r\n" HOST,
        "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n" HOST
        "3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked, identity\r\n" HOST "0\r\n\r\n",
        "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n" HOST "\xf8"
        "ab",
        "GET / HTTP/1.1\r\nX : y\r\nA: b\r\n c\r\n" HOST,
        "GET /snapshot HTTP/1.1\nHost: x\n\nHEAD /stream HTTP/1.1\r\n" HOST,
        "OPTIONS * HTTP/1.1\r\n" HOST "CONNECT x:80 HTTP/1.1\r\n" HOST "TRACE / HTTP/1.1\r\n" HOST
        "BREW / HTTP/1.1\r\n" HOST,
        "GET /a\xfb HTTP/1.1\r\n" HOST,
        "GET / HTTP/1.1\r\nX: a\xfb\xfb\xfb\xfb\xfb\r\n" HOST,
        "GET /\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET / HTTP/1.1\r\nRange: bytes=0-1\r\nAccept-Encoding: gzip\r\n" HOST,
        "GET /stream HTTP/1.1\r\n" HOST "\xf8\xfc"
        "GET /snapshot HTTP/1.1\r\n" HOST "\xf9\xfd\xfc\xf9\xfe\xf9\xfc"
        "abc\xf8"};
    char name[32], text[256];
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        snprintf(name, sizeof name, "path-%zu", i);
        int size = snprintf(text, sizeof text, "%s %s HTTP/1.1\r\n" HOST,
                            i % 5 == 4 ? "HEAD" : "GET", paths[i]);
        write_seed("http", name, text, (size_t)size, "", 0);
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        snprintf(name, sizeof name, "text-%zu", i);
        write_seed("http", name, texts[i], strlen(texts[i]), "", 0);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: seeds DIR\n");
        return 2;
    }
    directory = argv[1];
    snprintf(instance, sizeof instance, "seeds%d", (int)getpid());
    write_rings();
    write_names();
    write_boards();
    write_messages();
    write_pictures();
    write_texts();
    write_chains();
    write_requests();
    return 0;
}
