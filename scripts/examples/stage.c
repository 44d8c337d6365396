/* stage.c: shows a camera's negative: a program in the middle of its chain, `external: {name:
 * detector}`, in C.  Run it as: ./stage CAMERA [INSTANCE] */
#include <camring.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    const char *camera = argc > 1 ? argv[1] : "door", *instance = argc > 2 ? argv[2] : NULL;
    char name[64];
    struct camring_error error = {0};
    struct camring_frame frame;
    snprintf(name, sizeof name, "%s.detector", camera);
    struct camring_writer *out = camring_writer_open(instance, name, CAMRING_KIND_RAW, 8, &error);
    struct camring_reader *in = out ? camring_attach(instance, camera, 0, &error) : NULL;
    while (in && camring_next(in, &frame, -1, &error) > 0) {
        uint8_t *to = camring_loan(out, frame.bytes, &error);
        for (uint32_t i = 0; to && i < frame.bytes; i++)
            to[i] = 255 - frame.plane[0][i];
        for (int i = 2; to && i >= 0; i--)
            frame.plane[i] = to + (frame.plane[i] - frame.plane[0]);
        if (frame.source == 0) /* it is the camera's own picture */
            frame.source = frame.number;
        camring_release(in);
        if (!to || camring_commit(out, &frame, &error) < 0)
            break;
    }
    fprintf(stderr, "stage: %s\n", error.text);
    return 1;
}
