/* camring, by its public interface: frames pinned in place. */
#include "bench.h"

#include "common/camring.h"

#define ROWS 8

static struct camring_writer *writer;
static struct camring_reader *reader;
static struct bench_place here;
static struct camring_frame frame;
static struct camring_error error;

static void writer_open(const struct bench_place *place)
{
    here = *place;
    writer = camring_writer_open(place->name, "bench.raw", CAMRING_KIND_RAW, ROWS, &error);
    if (!writer)
        bench_die("%s", error.text);
}

/* A picture of that many bytes: luma and no more chroma than there must be. */
static uint8_t *loan(void)
{
    uint8_t *data = camring_loan(writer, here.bytes, &error);
    if (!data)
        bench_die("%s", error.text);
    uint32_t height = (uint32_t)(here.bytes / 1.5 / 512), half = 256;
    frame = (struct camring_frame){
        .format = CAMRING_I420, .width = 512, .height = height, .stride = {512, half, half}};
    frame.plane[0] = data;
    frame.plane[1] = data + (size_t)512 * height;
    frame.plane[2] = data + here.bytes - (size_t)half * ((height + 1) / 2);
    return data;
}

static void publish(void)
{
    if (camring_commit(writer, &frame, &error) < 0)
        bench_die("%s", error.text);
}

static void writer_close(void)
{
    camring_writer_close(writer, 1);
}

static void reader_open(const struct bench_place *place)
{
    here = *place;
    reader = camring_attach(place->name, "bench.raw", 0, &error);
    if (!reader)
        bench_die("%s", error.text);
}

static const uint8_t *take(int timeout_ms)
{
    int r = camring_next(reader, &frame, timeout_ms * INT64_C(1000000), &error);
    if (r < 0)
        bench_die("%s", error.text);
    return r ? frame.plane[0] : 0;
}

static void give_back(void)
{
    camring_release(reader);
}

static void reader_close(void)
{
    camring_detach(reader);
}

const struct bench_system bench_system = {writer_open, loan, publish,   writer_close,
                                          reader_open, take, give_back, reader_close};
