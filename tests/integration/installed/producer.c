/* producer.c INSTANCE COUNT: frames of two sizes, 2 ms apart, once a reader is there; then takes
 * the ring away.  C and C++. */
#include <camring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct camring_error error;

static int publish(struct camring_writer *ring, uint32_t width, uint32_t height, uint8_t value)
{
    size_t luma = (size_t)width * height, chroma = luma / 4;
    uint8_t *data = camring_loan(ring, luma + 2 * chroma, &error);
    if (!data)
        return -1;
    memset(data, value, luma + 2 * chroma);
    struct camring_frame frame;
    memset(&frame, 0, sizeof frame);
    frame.format = CAMRING_I420;
    frame.width = width;
    frame.height = height;
    for (int i = 0; i < 3; i++)
        frame.stride[i] = i ? width / 2 : width;
    frame.plane[0] = data;
    frame.plane[1] = data + luma;
    frame.plane[2] = data + luma + chroma;
    return camring_commit(ring, &frame, &error);
}

int main(int argc, char **argv)
{
    struct camring_writer *ring = camring_writer_open(argv[1], "mine", CAMRING_KIND_RAW, 4, &error);
    int count = argc > 2 ? atoi(argv[2]) : 0, result = ring ? 0 : -1;
    puts("open");
    fflush(stdout);
    struct camring_stat stat;
    struct timespec pause = {0, 2000000};
    do {
        nanosleep(&pause, NULL);
        result = camring_writer_stat(ring, &stat, &error);
    } while (result == 0 && stat.readers == 0);
    for (int i = 1; i <= count && result == 0; i++) {
        nanosleep(&pause, NULL);
        result = i <= count / 2 ? publish(ring, 64, 48, (uint8_t)i)
                                : publish(ring, 320, 240, (uint8_t)i);
    }
    camring_writer_close(ring, 1);
    if (result < 0)
        fprintf(stderr, "%s\n", error.text);
    return result < 0;
}
