#include "camera_places.h"

#include "common/camera_rings.h"
#include "common/ring_store.h"

#include <stdlib.h>
#include <string.h>

struct camera_places {
    struct board *board;
    unsigned count;
    struct camera_place place[];
};

struct camera_places *camera_places_create(struct board *board)
{
    unsigned count = board_places(board);
    struct camera_places *places = calloc(1, sizeof *places + count * sizeof places->place[0]);
    if (places) {
        places->board = board;
        places->count = count;
    }
    return places;
}

void camera_places_destroy(struct camera_places *places)
{
    if (places) /* sources hold passwords */
        explicit_bzero(places->place, places->count * sizeof places->place[0]);
    free(places);
}

struct camera_place *camera_places_at(struct camera_places *places, unsigned place)
{
    return place < places->count && places->place[place].taken ? &places->place[place] : NULL;
}

struct camera_place *camera_places_find(struct camera_places *places, const char *id)
{
    for (unsigned i = 0; i < places->count; i++) {
        struct camera_place *place = &places->place[i];
        if (place->taken && !place->is_leaving && strcmp(place->conf.id, id) == 0)
            return place;
    }
    return NULL;
}

struct camera_place *camera_places_nth(struct camera_places *places, unsigned order)
{
    for (unsigned i = 0; i < places->count; i++) {
        struct camera_place *place = &places->place[i];
        if (place->taken && !place->is_leaving && place->order == order)
            return place;
    }
    return NULL;
}

static void say_settings(const struct camera_places *places, const struct camera_place *camera)
{
    struct board_camera *shared = board_camera(places->board, camera->at.place);
    ring_store_u32(&shared->chained, camera->conf.chain.count > 0, memory_order_seq_cst);
    ring_store_u32(&shared->watched, camera->conf.motion.enabled, memory_order_seq_cst);
    ring_store_u32(&shared->settings, camera->settings, memory_order_seq_cst);
}

struct camera_place *camera_places_join(struct camera_places *places, const struct conf *conf,
                                        unsigned order, struct error *err)
{
    const struct conf_camera *camera = &conf->cameras[order];
    int number = board_join(places->board, camera->id, err);
    if (number < 0)
        return NULL;
    struct camera_place *place = &places->place[number];
    *place = (struct camera_place){
        .at = {.place = (uint32_t)number, .epoch = board_epoch(places->board, (unsigned)number)},
        .taken = true,
        .order = order,
        .conf = *camera};
    say_settings(places, place);
    if (camera_rings_fit(conf, camera, board_camera(places->board, (unsigned)number), err) == 0)
        return place;
    camera_places_leave(places, conf->instance, place);
    return NULL;
}

void camera_places_change(struct camera_places *places, struct camera_place *camera,
                          const struct conf_camera *conf)
{
    if (!conf_chain_same(&camera->conf.chain, &conf->chain)) /* another chance */
        ring_store_u32(&board_camera(places->board, camera->at.place)->chain_crashes, 0,
                       memory_order_seq_cst);
    camera->has_spare_rings |=
        camera->conf.chain.count > 0 && !conf_chain_same(&camera->conf.chain, &conf->chain);
    camera->conf = *conf;
    camera->settings++;
    say_settings(places, camera);
}

void camera_places_leave(struct camera_places *places, const char *instance,
                         struct camera_place *camera)
{
    camera_rings_unlink(instance, board_camera(places->board, camera->at.place));
    board_leave(places->board, camera->at.place);
    explicit_bzero(&camera->conf, sizeof camera->conf);
    camera->taken = false;
}
