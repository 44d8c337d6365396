#include "camera_rings.h"

#include "jpeg.h"
#include "ring_store.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

struct row {
    const char *word; /* name of the ring behind the dot; of several, with their number behind it */
    unsigned first, count;
    enum ring_kind kind;
    enum camera_ring_writer writer;
    bool has_lease_row, has_servers, is_on_demand, needs_chain, needs_stage;
};

static const struct row table[] = {
    {.word = "raw",
     .first = CAMERA_RING_RAW,
     .count = 1,
     .kind = RING_RAW,
     .writer = CAMERA_RING_BY_CAPTURE,
     .has_lease_row = true},
    {.word = "out",
     .first = CAMERA_RING_OUT,
     .count = 1,
     .kind = RING_RAW,
     .writer = CAMERA_RING_BY_LEASE,
     .needs_chain = true},
    {.word = "jpeg",
     .first = CAMERA_RING_JPEG,
     .count = 1,
     .kind = RING_JPEG,
     .writer = CAMERA_RING_BY_LEASE,
     .has_servers = true},
    {.word = "v",
     .first = CAMERA_RING_VARIANT,
     .count = VARIANT_SLOTS,
     .kind = RING_JPEG,
     .writer = CAMERA_RING_BY_VARIANT_LEASE,
     .has_servers = true,
     .is_on_demand = true},
    {.word = "", /* the stage's name and "-in" */
     .first = CAMERA_RING_STAGE_IN,
     .count = BOARD_STAGES,
     .kind = RING_RAW,
     .writer = CAMERA_RING_BY_LEASE,
     .has_lease_row = true,
     .needs_stage = true},
    {.word = "", /* the stage's name */
     .first = CAMERA_RING_STAGE,
     .count = BOARD_STAGES,
     .kind = RING_RAW,
     .writer = CAMERA_RING_BY_PROGRAM,
     .has_lease_row = true,
     .needs_stage = true},
};

_Static_assert(CAMERA_RINGS <= 32, "a bit each in board_camera.rings");

static const struct row *row_of(unsigned number)
{
    const struct row *row = table;
    while (number >= row->first + row->count)
        row++;
    return row;
}

struct camera_ring camera_ring(unsigned number)
{
    const struct row *row = row_of(number);
    struct camera_ring ring = {.kind = row->kind,
                               .writer = row->writer,
                               .has_lease_row = row->has_lease_row,
                               .has_servers = row->has_servers,
                               .is_on_demand = row->is_on_demand,
                               .needs_chain = row->needs_chain,
                               .needs_stage = row->needs_stage};
    if (row->count == 1 || row->needs_stage)
        snprintf(ring.variant, sizeof ring.variant, "%s", row->word);
    else
        snprintf(ring.variant, sizeof ring.variant, "%s%u", row->word, number - row->first);
    return ring;
}

int camera_ring_number(const char *variant)
{
    for (unsigned number = 0; number < CAMERA_RINGS; number++)
        if (variant[0] && strcmp(camera_ring(number).variant, variant) == 0)
            return (int)number;
    return -1;
}

const char *camera_ring_name(unsigned number, const char *camera, char out[static RING_NAME_SIZE])
{
    snprintf(out, RING_NAME_SIZE, "%s.%s", camera, camera_ring(number).variant);
    return out;
}

const char *camera_ring_name_at(unsigned number, const struct board_camera *camera,
                                char out[static RING_NAME_SIZE])
{
    if (number < CAMERA_RING_STAGE_IN)
        return camera_ring_name(number, camera->id, out);
    bool is_in = number < CAMERA_RING_STAGE;
    unsigned stage = number - (is_in ? CAMERA_RING_STAGE_IN : CAMERA_RING_STAGE);
    snprintf(out, RING_NAME_SIZE, "%.*s.%.*s%s", RING_ID_SIZE - 1, camera->id, CONF_STAGE_SIZE - 1,
             camera->stages[stage].name, is_in ? "-in" : "");
    return out;
}

int camera_stage(const struct board_camera *camera, const char *name)
{
    for (int i = 0; i < BOARD_STAGES; i++)
        if (strncmp(camera->stages[i].name, name, sizeof camera->stages[i].name) == 0)
            return i;
    return -1;
}

bool camera_ring_exists(unsigned number, const struct board_camera *camera)
{
    return atomic_load(&camera->rings) & UINT32_C(1) << number;
}

bool camera_ring_in_use(unsigned number, const struct board_camera *camera)
{
    return camera_ring_exists(number, camera) &&
           (!row_of(number)->is_on_demand ||
            variant_was_wanted(&camera->variants, number - CAMERA_RING_VARIANT));
}

/* ---- owner ---- */

static unsigned rows_of(const struct conf *conf, const struct camera_ring *ring)
{
    unsigned rows = conf->shm_reader_rows + (ring->has_servers ? RING_MAX_WAKERS : 0);
    return rows < RING_MAX_ROWS ? rows : RING_MAX_ROWS;
}

/* The step of the chain that is the external one of that name; chain.count if there is none. */
static unsigned step_of(const struct conf_chain *chain, const char *name)
{
    unsigned step = conf_chain_external(chain, 0);
    while (step < chain->count &&
           strcmp(conf_chain_text(chain, chain->steps[step].external.name), name) != 0)
        step = conf_chain_external(chain, step + 1);
    return step;
}

/* True but for a ring that needs a chain, of a camera without one. */
static bool has_its_chain(const struct row *row, const struct conf_camera *camera)
{
    return !row->needs_chain || camera->chain.count > 0;
}

/* `place` has the names of the stages that the camera has, or had. */
static bool is_needed(unsigned number, const struct conf_camera *camera,
                      const struct board_camera *place)
{
    const struct row *row = row_of(number);
    if (!row->needs_stage)
        return has_its_chain(row, camera);
    const char *name = place->stages[number - row->first].name;
    unsigned step = name[0] ? step_of(&camera->chain, name) : camera->chain.count;
    return step < camera->chain.count && (step > 0 || row->first == CAMERA_RING_STAGE);
}

uint64_t camera_rings_bytes(const struct conf *conf, const struct conf_camera *camera,
                            uint32_t width, uint32_t height, unsigned held)
{
    uint64_t pixels = (uint64_t)width * height, sum = 0;
    for (unsigned number = 0; number < CAMERA_RINGS; number++) {
        struct camera_ring ring = camera_ring(number);
        size_t slot =
            ring.kind == RING_RAW ? pixels + pixels / 2 : jpeg_usual(RING_I420, width, height);
        unsigned kept = ring.writer == CAMERA_RING_BY_CAPTURE ? held : 0;
        if (!ring.is_on_demand && !ring.needs_stage && has_its_chain(row_of(number), camera))
            sum += ring_bytes_needed(ring.kind, rows_of(conf, &ring), slot, kept);
    }
    return sum;
}

/* Sets or clears the ring's bit on the board: set after the ring was created, cleared before it is
 * unlinked. */
static void camera_ring_mark(struct board_camera *place, unsigned number, bool exists)
{
    uint32_t bit = UINT32_C(1) << number, before = atomic_load(&place->rings);
    ring_store_u32(&place->rings, exists ? before | bit : before & ~bit, memory_order_seq_cst);
}

static int camera_ring_make(const struct conf *conf, struct board_camera *place, unsigned number,
                            struct error *err)
{
    struct camera_ring ring = camera_ring(number);
    char name[RING_NAME_SIZE];
    camera_ring_name_at(number, place, name);
    struct ring_create options = {.instance = conf->instance,
                                  .camera = place->id,
                                  .variant = strchr(name, '.') + 1,
                                  .kind = ring.kind,
                                  .rows = rows_of(conf, &ring),
                                  .leased = ring.writer != CAMERA_RING_BY_CAPTURE &&
                                            ring.writer != CAMERA_RING_BY_PROGRAM,
                                  .max_bytes = conf->shm_max_bytes};
    if (ring_create(&options, err) != 0)
        return -1;
    camera_ring_mark(place, number, true);
    return 0;
}

static void camera_ring_drop(const char *instance, struct board_camera *place, unsigned number)
{
    char name[RING_NAME_SIZE];
    camera_ring_mark(place, number, false);
    ring_unlink(instance, camera_ring_name_at(number, place, name));
}

/* Gives the camera's external steps their stages on the board. */
static void name_stages(const struct conf_chain *chain, struct board_camera *place)
{
    for (unsigned step = conf_chain_external(chain, 0); step < chain->count;
         step = conf_chain_external(chain, step + 1)) {
        const char *name = conf_chain_text(chain, chain->steps[step].external.name);
        int free_one = camera_stage(place, "");
        if (camera_stage(place, name) >= 0 || free_one < 0)
            continue;
        struct board_stage *stage = &place->stages[free_one];
        memset(stage, 0, sizeof *stage);
        snprintf(stage->name, sizeof stage->name, "%s", name);
    }
}

static void forget_stages(const struct conf_chain *chain, struct board_camera *place)
{
    for (unsigned i = 0; i < BOARD_STAGES; i++)
        if (step_of(chain, place->stages[i].name) == chain->count)
            place->stages[i].name[0] = '\0';
}

int camera_rings_fit(const struct conf *conf, const struct conf_camera *camera,
                     struct board_camera *place, struct error *err)
{
    name_stages(&camera->chain, place);
    for (unsigned number = 0; number < CAMERA_RINGS; number++) {
        if (!is_needed(number, camera, place) || camera_ring_exists(number, place))
            continue;
        /* A program that read the raw ring when no steps came before its own finds out that it has
         * another ring to read by the end of the one that it writes, which is made anew. */
        bool is_input = number >= CAMERA_RING_STAGE_IN && number < CAMERA_RING_STAGE;
        if (is_input && camera_ring_exists(number + BOARD_STAGES, place))
            camera_ring_drop(conf->instance, place, number + BOARD_STAGES);
        if (camera_ring_make(conf, place, number, err) != 0)
            return -1;
    }
    return 0;
}

void camera_rings_trim(const struct conf_camera *camera, const char *instance,
                       struct board_camera *place)
{
    for (unsigned number = 0; number < CAMERA_RINGS; number++)
        if (!is_needed(number, camera, place) && camera_ring_exists(number, place))
            camera_ring_drop(instance, place, number);
    forget_stages(&camera->chain, place);
}

void camera_rings_unlink(const char *instance, struct board_camera *place)
{
    for (unsigned number = 0; number < CAMERA_RINGS; number++)
        if (camera_ring_exists(number, place))
            camera_ring_drop(instance, place, number);
}
