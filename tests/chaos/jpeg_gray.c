#include "jpeg_gray.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

struct judge {
    struct jpeg_error_mgr base;
    jmp_buf give_up;
    char *fault;
};

static void on_error(j_common_ptr codec)
{
    struct judge *judge = (struct judge *)codec->err;
    char text[JMSG_LENGTH_MAX];
    judge->base.format_message(codec, text);
    snprintf(judge->fault, sizeof((struct jpeg_gray *)0)->fault, "%s", text);
    longjmp(judge->give_up, 1);
}

static void on_message(j_common_ptr codec, int level)
{
    if (level < 0) /* a warning: the decoder found damage and guesses */
        on_error(codec);
}

static bool fits(struct jpeg_gray *gray, unsigned width, unsigned height)
{
    gray->width = width;
    gray->height = height;
    size_t size = (size_t)width * height;
    if (gray->size >= size)
        return true;
    free(gray->pixels);
    gray->pixels = malloc(size);
    gray->size = gray->pixels ? size : 0;
    return gray->pixels;
}

static bool say(struct jpeg_gray *gray, const char *fault)
{
    snprintf(gray->fault, sizeof gray->fault, "%s", fault);
    return false;
}

bool jpeg_gray_decode(const uint8_t *data, size_t size, struct jpeg_gray *gray)
{
    if (size < 4 || data[0] != 0xff || data[1] != 0xd8)
        return say(gray, "does not start with SOI");
    if (data[size - 2] != 0xff || data[size - 1] != 0xd9)
        return say(gray, "does not end with EOI");
    struct jpeg_decompress_struct codec;
    struct judge judge = {.fault = gray->fault};
    codec.err = jpeg_std_error(&judge.base);
    judge.base.error_exit = on_error;
    judge.base.emit_message = on_message;
    jpeg_create_decompress(&codec);
    if (setjmp(judge.give_up)) {
        jpeg_destroy_decompress(&codec);
        return false;
    }
    jpeg_mem_src(&codec, data, size);
    jpeg_read_header(&codec, TRUE);
    codec.out_color_space = JCS_GRAYSCALE;
    jpeg_start_decompress(&codec);
    bool done = fits(gray, codec.output_width, codec.output_height);
    while (done && codec.output_scanline < codec.output_height) {
        JSAMPROW row = gray->pixels + (size_t)codec.output_scanline * gray->width;
        jpeg_read_scanlines(&codec, &row, 1);
    }
    if (done)
        jpeg_finish_decompress(&codec);
    size_t rest = codec.src->bytes_in_buffer;
    jpeg_destroy_decompress(&codec);
    if (!done)
        return say(gray, "out of memory");
    return rest == 0 || say(gray, "has bytes after its end");
}
