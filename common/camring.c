/* camring.c: the parts of the public interface that readers and writers share. See camring.h. */
#include "camring_private.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_INSTANCE "camring"

_Static_assert((int)CAMRING_SYSTEM == (int)RING_ERROR_SYSTEM &&
                   (int)CAMRING_BUSY == (int)RING_ERROR_BUSY &&
                   (int)CAMRING_CLOSED == (int)RING_ERROR_CLOSED,
               "the codes are the ring's");
_Static_assert((int)CAMRING_I420 == (int)RING_I420 && (int)CAMRING_JPEG == (int)RING_FORMAT_JPEG &&
                   (int)CAMRING_FULL == (int)RING_RANGE_FULL &&
                   (int)CAMRING_BT709 == (int)RING_MATRIX_BT709,
               "a frame's words are the ring's");
_Static_assert(sizeof(struct camring_error) == 512 && sizeof(struct camring_stat) == 96, "ABI");
_Static_assert(sizeof(void *) != 8 || sizeof(struct camring_frame) == 104, "ABI");

static char reader_name[16];

const char *camring_version(void)
{
    return CAMRING_VERSION;
}

void camring_set_name(const char *name)
{
    snprintf(reader_name, sizeof reader_name, "%s", name ? name : "");
}

const char *camring_reader_name(void)
{
    return reader_name[0] ? reader_name : program_invocation_short_name;
}

int camring_fail(struct camring_error *out, const struct error *err)
{
    if (out) {
        out->code = err->code;
        snprintf(out->text, sizeof out->text, "%s", err->text);
    }
    return -1;
}

int camring_fail_usage(struct camring_error *out, const char *text)
{
    struct error err;
    error_set(&err, CAMRING_USAGE, "%s", text);
    return camring_fail(out, &err);
}

static unsigned forks; /* between the process that loaded this library and this one */
static bool watches_forks;

static void on_fork_in_child(void)
{
    forks++;
}

static void watch_forks(void)
{
    watches_forks = pthread_atfork(NULL, NULL, on_fork_in_child) == 0;
}

bool camring_watch_forks(unsigned *process, struct error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    if (!watches_forks)
        error_set(err, CAMRING_SYSTEM, "out of memory");
    *process = forks;
    return watches_forks;
}

bool camring_is_here(unsigned process)
{
    return process == forks;
}

bool camring_usable(const void *handle, unsigned process, struct camring_error *error)
{
    if (handle && camring_is_here(process))
        return true;
    camring_fail_usage(error, handle ? "this handle came over fork and is the parent's: attach anew"
                                     : "the handle is NULL");
    return false;
}

/* "CAMERA" or "CAMERA.VARIANT". */
static bool split_ring_name(const char *ring, char *camera, char *variant)
{
    char extra;
    int parts = sscanf(ring, "%32[^.].%32[^.]%c", camera, variant, &extra);
    if (parts < 1 || parts > 2 || (parts == 1 && strlen(ring) != strlen(camera)))
        return false;
    return ring_id_valid(camera) && ring_id_valid(variant);
}

bool camring_take_names(const char *instance, const char *ring, const char *variant_default,
                        char *instance_out, char *name_out, struct error *err)
{
    char camera[RING_ID_SIZE], variant[RING_ID_SIZE];
    snprintf(variant, sizeof variant, "%s", variant_default);
    if (!instance)
        instance = DEFAULT_INSTANCE;
    if (!ring_id_valid(instance)) {
        error_set(err, CAMRING_USAGE,
                  "\"%.64s\" is no name of an instance (a-z, 0-9, _ and -, at most 32)", instance);
        return false;
    }
    if (!ring || !split_ring_name(ring, camera, variant)) {
        error_set(err, CAMRING_USAGE, "\"%.128s\" is no name of a ring (CAMERA or CAMERA.VARIANT)",
                  ring ? ring : "");
        return false;
    }
    snprintf(instance_out, RING_ID_SIZE, "%s", instance);
    snprintf(name_out, RING_NAME_SIZE, "%s.%s", camera, variant);
    return true;
}

struct ring_stat *camring_read_stat(struct ring_reader *ring, struct error *err)
{
    struct ring_stat *stat = malloc(sizeof *stat);
    if (!stat)
        error_set(err, CAMRING_SYSTEM, "out of memory");
    if (stat && ring_reader_stat(ring, stat, err) == 0)
        return stat;
    free(stat);
    return NULL;
}

void camring_describe_stat(const struct ring_stat *stat, int row, struct camring_stat *out)
{
    *out = (struct camring_stat){.published = stat->head,
                                 .bytes = stat->bytes,
                                 .age_ns = stat->age_ns,
                                 .fps = stat->fps,
                                 .generation = stat->generation,
                                 .writer_alive = stat->writer_alive,
                                 .slots = stat->allocated,
                                 .rows = stat->rows - 1};
    for (unsigned i = 1; i < stat->rows; i++)
        out->readers += stat->row[i].alive && stat->row[i].of == 0;
    if (row > 0 && row <= RING_MAX_ROWS) {
        out->taken = stat->row[row].taken;
        out->missed = stat->row[row].missed;
        out->joined = stat->row[row].joined;
    }
}
