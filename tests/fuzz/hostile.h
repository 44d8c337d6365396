/* hostile.h: a ring whose every byte is the fuzzer's, in /dev/shm, under an instance of this
 * process's own.
 *
 * An input is a struct hostile_input, then the bytes of the ctl object, then those of the data
 * object.  Where the ctl object says that it belongs to instance HOSTILE_PLACEHOLDER, that becomes
 * the real one; so seeds are rings as the library makes them.
 *
 * The library's mappings are guarded (guard.h). */
#ifndef HOSTILE_H
#define HOSTILE_H

#include "common/ring_map.h"

#define HOSTILE_PLACEHOLDER "fuzz"
#define HOSTILE_CAMERA "cam"
#define HOSTILE_VARIANT "raw"
#define HOSTILE_NAME HOSTILE_CAMERA "." HOSTILE_VARIANT

#define HOSTILE_OPS 16
#define HOSTILE_POKES 12

enum hostile_flag {
    HOSTILE_CONCURRENT = 1, /* a thread stores the pokes and what was there before, over and over */
    HOSTILE_TWO = 2,        /* the next generation leads to the same data object */
};

/* What is found under an object's name. */
enum hostile_kind {
    HOSTILE_OBJECT,
    HOSTILE_ABSENT,
    HOSTILE_LINK,
    HOSTILE_DIRECTORY,
    HOSTILE_PIPE,
    HOSTILE_KINDS
};

/* A store to shared memory that the reader did not expect. */
struct hostile_poke {
    uint16_t where; /* in words of 4 bytes; the highest bit: of the data object, else of ctl */
    uint16_t bytes; /* even: 4, odd: 8 */
    uint32_t value[2];
};

struct hostile_input {
    uint8_t flags, role;
    uint8_t ctl_kind, data_kind;
    uint16_t ctl_length; /* how many of the input's bytes are the ctl object's */
    uint16_t reserved;
    uint32_t ctl_size, data_size; /* 0: as many bytes as there are; else cut or filled with zeros */
    uint8_t op[HOSTILE_OPS];
    struct hostile_poke poke[HOSTILE_POKES];
};

/* The name of this process's own instance. */
const char *hostile_instance(void);

/* Makes the objects; NULL if the input is too short for it.  It points into `data`. */
const struct hostile_input *hostile_begin(const uint8_t *data, size_t size);

/* Stores poke `number`. */
void hostile_poke(const struct hostile_input *input, unsigned number);

/* Takes everything away again, whatever was made under the instance's name meanwhile. */
void hostile_end(void);

/* Reads every byte of a frame as its user would, `data` being the start of its payload. */
void hostile_read_frame(const struct ring_frame *frame, const uint8_t *data);
void hostile_read(const void *data, size_t size);

/* Reads a plane row by row, without what lies between the rows. */
void hostile_read_plane(const uint8_t *plane, size_t stride, uint32_t width, uint32_t height);

/* A finding if `text` doesn't end within `size` bytes, or is empty. */
void hostile_check_text(const char *text, size_t size);

#endif
