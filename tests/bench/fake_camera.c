/* fake_camera.so (LD_PRELOAD): a V4L2 camera for programs that read nothing else, on machines that
 * have none: /dev/camring-bench.
 *
 * It does what a program that asks for MJPEG in mapped buffers needs, and no more: from the
 * environment's BENCH_CLIP, BENCH_BYTES and BENCH_FPS come the pictures and their pace.  Readiness
 * is that of a timer, so that select and poll work as they do with a device; the picture is
 * published as the program takes its buffer. */
#include "clip.h"

#include "common/clock.h"
#include "common/log.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define BUFFERS_MAX 32

static struct {
    int fd; /* 0: not open */
    struct clip clip;
    unsigned fps, buffers, first, queued;
    uint8_t *buffer[BUFFERS_MAX];
    unsigned queue[BUFFERS_MAX];
    uint64_t number;
} camera;

static const char *setting(const char *name)
{
    const char *value = getenv(name);
    if (!value)
        fatal("%s is not set", name);
    return value;
}

static int open_camera(void)
{
    clip_load(&camera.clip, setting("BENCH_CLIP"), strtoul(setting("BENCH_BYTES"), NULL, 10));
    camera.fps = (unsigned)strtoul(setting("BENCH_FPS"), NULL, 10);
    camera.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    return camera.fd;
}

int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, int) : 0;
    va_end(args);
    const char *device = getenv("BENCH_CLIP");
    return device && strcmp(path, device) == 0 ? open_camera()
                                               : openat(AT_FDCWD, path, flags, mode);
}

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    static void *(*next)(void *, size_t, int, int, int, off_t);
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "mmap");
    if (fd <= 0 || fd != camera.fd)
        return next(address, size, protection, flags, fd, offset);
    size_t index = (size_t)offset / camera.clip.bytes;
    camera.buffer[index] = next(address, size, protection, flags | MAP_ANONYMOUS, -1, 0);
    return camera.buffer[index];
}

static int set_running(bool running)
{
    struct timespec every = clock_timespec(running ? NS_PER_S / camera.fps : 0);
    struct itimerspec spec = {.it_interval = every, .it_value = every};
    return timerfd_settime(camera.fd, 0, &spec, NULL);
}

static int take_buffer(struct v4l2_buffer *out)
{
    uint64_t times;
    if (read(camera.fd, &times, sizeof times) != sizeof times)
        return -1; /* EAGAIN */
    camera.number += times;
    if (camera.queued == 0) {
        errno = EAGAIN;
        return -1;
    }
    out->index = camera.queue[camera.first++ % BUFFERS_MAX];
    camera.queued--;
    out->bytesused = out->length = (uint32_t)camera.clip.bytes;
    clip_publish(&camera.clip, camera.number, camera.buffer[out->index]);
    return 0;
}

/* `request` as 32 bits: some hand it on as an int. */
static int control(uint32_t request, void *arg)
{
    struct v4l2_buffer *buffer = arg;
    struct v4l2_format *format = arg;
    struct v4l2_requestbuffers *wanted = arg;
    switch (request) {
    case VIDIOC_QUERYCAP:
        ((struct v4l2_capability *)arg)->capabilities = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
        return 0;
    case VIDIOC_S_FMT:
        format->fmt.pix.pixelformat = V4L2_PIX_FMT_MJPEG;
        format->fmt.pix.sizeimage = (uint32_t)camera.clip.bytes;
        return 0;
    case VIDIOC_REQBUFS:
        wanted->count = camera.buffers = wanted->count < BUFFERS_MAX ? wanted->count : BUFFERS_MAX;
        return 0;
    case VIDIOC_QUERYBUF:
        buffer->length = (uint32_t)camera.clip.bytes;
        buffer->m.offset = buffer->index * buffer->length;
        return 0;
    case VIDIOC_QBUF:
        camera.queue[(camera.first + camera.queued++) % BUFFERS_MAX] = buffer->index;
        return 0;
    case VIDIOC_DQBUF:
        return take_buffer(buffer);
    case VIDIOC_S_INPUT:
        return 0;
    case VIDIOC_STREAMON:
    case VIDIOC_STREAMOFF:
        return set_running(request == VIDIOC_STREAMON);
    default:
        errno = EINVAL;
        return -1;
    }
}

int ioctl(int fd, unsigned long request, ...)
{
    static int (*next)(int, unsigned long, ...);
    va_list args;
    va_start(args, request);
    void *arg = va_arg(args, void *);
    va_end(args);
    if (fd > 0 && fd == camera.fd)
        return control((uint32_t)request, arg);
    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "ioctl");
    return next(fd, request, arg);
}
