#include "common/camera_rings.h"
#include "common/jpeg.h"
#include "common/jpeg_decode.h"
#include "describe.h"
#include "find.h"
#include "image.h"
#include "output.h"
#include "print.h"
#include "shmtool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define JPEG_QUALITY 95
#define COPY_ATTEMPTS                                                                              \
    20 /* of three tries each: an observer can't pin, and a fast writer may overtake it */

/* A frame in this process's own memory. */
struct picture {
    const struct find_ring *ring;
    struct ring_frame frame;
    struct ring_buffer buffer;
};

struct file_type {
    const char *name;
    enum ring_kind prefers;
    int (*write)(const struct picture *picture, FILE *out, struct error *err);
};

static void warn_damaged(const struct picture *picture, bool damaged)
{
    if (damaged)
        print_fault("%s: frame %" PRIu64 " is a damaged JPEG; parts of the picture may be wrong",
                    picture->ring->name, picture->frame.number);
}

static bool is_jpeg(const struct picture *picture)
{
    return picture->frame.format == RING_FORMAT_JPEG;
}

static int to_planes(const struct picture *picture, struct image_planes *planes, struct error *err)
{
    if (!is_jpeg(picture))
        return image_planes_copy(planes, &picture->frame, picture->buffer.data, err);
    bool damaged = false;
    int result =
        jpeg_decode_planes(planes, picture->buffer.data, picture->frame.bytes, 0, &damaged, err);
    warn_damaged(picture, damaged);
    return result;
}

static int to_rgb(const struct picture *picture, struct image_rgb *rgb, struct error *err)
{
    bool damaged = false;
    if (is_jpeg(picture)) {
        int result =
            jpeg_decode_rgb(rgb, picture->buffer.data, picture->frame.bytes, &damaged, err);
        warn_damaged(picture, damaged);
        return result;
    }
    struct image_planes planes = {0};
    int result = to_planes(picture, &planes, err);
    if (result == 0)
        result = image_rgb_convert(rgb, &planes, err);
    image_planes_free(&planes);
    return result;
}

static int write_raw(const struct picture *picture, FILE *out, struct error *err)
{
    struct image_planes planes = {0};
    int result = to_planes(picture, &planes, err);
    if (result == 0)
        result = image_write_planes(&planes, out, err);
    if (result == 0)
        fprintf(stderr, "%s %" PRIu32 "x%" PRIu32 " %s %s frame %" PRIu64 "\n",
                describe_format(planes.format), planes.width, planes.height,
                describe_range(planes.range), describe_matrix(planes.matrix),
                picture->frame.number);
    image_planes_free(&planes);
    return result;
}

static int write_rgb(const struct picture *picture, FILE *out, struct error *err,
                     int (*write)(const struct image_rgb *rgb, FILE *out, struct error *err))
{
    struct image_rgb rgb = {0};
    int result = to_rgb(picture, &rgb, err);
    if (result == 0)
        result = write(&rgb, out, err);
    image_rgb_free(&rgb);
    return result;
}

static int write_png(const struct picture *picture, FILE *out, struct error *err)
{
    return write_rgb(picture, out, err, image_write_png);
}

static int write_ppm(const struct picture *picture, FILE *out, struct error *err)
{
    return write_rgb(picture, out, err, image_write_ppm);
}

static int write_bytes(const uint8_t *data, size_t size, FILE *out, struct error *err)
{
    if (fwrite(data, 1, size, out) == size)
        return 0;
    error_set(err, errno, "%s", strerror(errno));
    return -1;
}

/* A JPEG goes out as it is, bit for bit. */
static int write_jpg(const struct picture *picture, FILE *out, struct error *err)
{
    const struct ring_frame *frame = &picture->frame;
    if (is_jpeg(picture))
        return write_bytes(picture->buffer.data, frame->bytes, out, err);

    size_t capacity = jpeg_bound(frame->format, frame->width, frame->height);
    struct jpeg_encoder *encoder = jpeg_encoder_create();
    uint8_t *jpeg = malloc(capacity);
    size_t length = 0;
    int result = -1;
    if (encoder && jpeg)
        length =
            jpeg_encode(encoder, frame, picture->buffer.data, JPEG_QUALITY, jpeg, capacity, err);
    else
        error_set(err, ENOMEM, "out of memory");
    if (length > 0)
        result = write_bytes(jpeg, length, out, err);
    free(jpeg);
    if (encoder)
        jpeg_encoder_destroy(encoder);
    return result;
}

static const struct file_type types[] = {
    {"jpg", RING_JPEG, write_jpg},
    {"png", RING_RAW, write_png},
    {"ppm", RING_RAW, write_ppm},
    {"raw", RING_RAW, write_raw},
};

static const struct file_type *find_type(const char *name)
{
    if (strcasecmp(name, "jpeg") == 0)
        name = "jpg";
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcasecmp(types[i].name, name) == 0)
            return &types[i];
    return NULL;
}

/* By --format, else by the file's ending; NULL, after an error message, if neither names a type. */
static const struct file_type *choose_type(const struct shm_options *options)
{
    static const char known[] = "jpg, png, ppm, raw";
    const char *slash = strrchr(options->output, '/');
    const char *dot = strrchr(slash ? slash : options->output, '.');
    const char *name = options->format ? options->format : dot ? dot + 1 : "";
    const struct file_type *type = find_type(name);
    if (type)
        return type;
    if (options->format)
        print_fault("unknown format \"%s\"; possible: %s", options->format, known);
    else if (strcmp(options->output, "-") == 0)
        print_fault("standard output needs --format; possible: %s", known);
    else
        print_fault("the ending of \"%s\" is not a known type; possible: %s (or say --format)",
                    options->output, known);
    return NULL;
}

/* The newest picture of the ring.  1 got one, 0 there is none, -1 with err. */
static int copy_newest(const struct find_ring *ring, struct picture *picture, struct error *err)
{
    enum ring_result result = RING_NONE;
    struct ring_reader *reader =
        ring_reader_open(ring->instance, ring->name, RING_OBSERVER, "camring-shm", err);
    if (!reader)
        return err->code == RING_ERROR_EMPTY ? 0 : -1;
    for (int i = 0; i < COPY_ATTEMPTS && result == RING_NONE; i++) {
        result = ring_reader_copy(reader, 0, &picture->buffer, &picture->frame, err);
        if (ring_reader_head(reader) == 0)
            break;
    }
    if (result == RING_NONE && ring_reader_head(reader) > 0) {
        error_set(err, RING_ERROR_SYSTEM, "each picture was overwritten while it was copied");
        result = RING_FAILED;
    }
    if (result == RING_FAILED && err->code == RING_ERROR_EMPTY)
        result = RING_NONE;
    ring_reader_close(reader);
    if (result == RING_GOT && !ring_frame_valid(&picture->frame, picture->frame.bytes)) {
        error_set(err, RING_ERROR_CORRUPT, "the newest picture's description makes no sense");
        result = RING_FAILED;
    }
    picture->ring = ring;
    return (int)result;
}

/* How well the ring suits the type: 0 is best. */
static int rank_ring(const struct find_ring *ring, const struct file_type *type)
{
    char camera[RING_ID_SIZE], variant[RING_ID_SIZE];
    find_split(ring->name, camera, variant);
    int number = camera_ring_number(variant);
    if (number < 0 || camera_ring((unsigned)number).is_on_demand)
        return 2;
    return camera_ring((unsigned)number).kind != type->prefers;
}

/* The first ring of `set` that has a picture, in the order in which they suit. */
static bool choose_picture(const struct find_set *set, const struct file_type *type,
                           struct picture *picture)
{
    char tried[512] = "";
    bool failed = false;
    for (int rank = 0; rank <= 2; rank++) {
        for (size_t i = 0; i < set->count; i++) {
            struct error err = {0};
            if (rank_ring(&set->ring[i], type) != rank)
                continue;
            int got = copy_newest(&set->ring[i], picture, &err);
            if (got > 0)
                return true;
            if (got < 0) {
                print_fault("%s: %s", set->ring[i].name, err.text);
                failed = true;
            } else {
                size_t used = strlen(tried);
                snprintf(tried + used, sizeof tried - used, "%s%s", used ? ", " : "",
                         set->ring[i].name);
            }
        }
    }
    if (tried[0] || !failed)
        print_fault("no picture yet in %s", tried);
    return false;
}

static void print_result(const struct shm_options *options, const struct file_type *type,
                         const struct picture *picture)
{
    const struct ring_frame *frame = &picture->frame;
    json_t *object = json_pack(
        "{s:s, s:s, s:o, s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "ring", picture->ring->name,
        "instance", picture->ring->instance, "file", print_json_text(options->output), "type",
        type->name, "format", describe_format(frame->format), "width", (json_int_t)frame->width,
        "height", (json_int_t)frame->height, "frame", (json_int_t)frame->number, "source",
        (json_int_t)frame->source, "committed_ns", (json_int_t)frame->committed_ns);
    print_json(object, JSON_INDENT(2));
}

static int write_file(const struct shm_options *options, const struct file_type *type,
                      const struct picture *picture, struct error *err)
{
    struct output output;
    if (output_open(&output, options->output, err) < 0)
        return -1;
    if (type->write(picture, output.file, err) == 0)
        return output_finish(&output, err);
    if (ferror(output.file))
        error_prefix(err, "can't write %s", options->output);
    else
        error_prefix(err, "%s, frame %" PRIu64, picture->ring->name, picture->frame.number);
    output_abandon(&output);
    return -1;
}

static const struct file_type *check_usage(const struct shm_options *options)
{
    if (!options->output) {
        print_fault("dump: where to?  usage: camring-shm dump RING -o FILE.{jpg,png,ppm,raw}");
        return NULL;
    }
    const struct file_type *type = choose_type(options);
    bool to_stdout = strcmp(options->output, "-") == 0;
    if (type && to_stdout && options->json)
        print_fault("--json and -o - both want standard output");
    else if (type && to_stdout && isatty(STDOUT_FILENO))
        print_fault("a picture is no text: send standard output to a file or a program");
    else
        return type;
    return NULL;
}

enum shm_exit cmd_dump(const struct shm_options *options)
{
    const struct file_type *type = check_usage(options);
    if (!type)
        return SHM_USAGE;

    enum shm_exit code = SHM_FAILED;
    struct error err = {0};
    struct picture picture = {0};
    struct find_set set = find_wanted(options->instance, options->ring);
    if (set.count == 0 || !choose_picture(&set, type, &picture))
        goto out;
    if (write_file(options, type, &picture, &err) < 0) {
        print_fault("%s", err.text);
        goto out;
    }
    if (options->json)
        print_result(options, type, &picture);
    code = SHM_DONE;
out:
    free(picture.buffer.data);
    find_free(&set);
    return code;
}
