#include "server/handlers/stream_params.h"

#include "common/variant.h"

#include <stdio.h>
#include <string.h>

#define MIN_QUALITY 1
#define MAX_QUALITY 100
#define MIN_FPS 0.1
#define MAX_FPS 240

/* "thumb, big" */
static void list_profiles(const struct conf_camera *camera, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < camera->profile_count && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "",
                                 camera->profiles[i].name);
}

static bool read_profile(const struct query *query, const struct conf_camera *camera,
                         struct stream_params *params, struct error *err)
{
    char names[CONF_MAX_PROFILES * (RING_ID_SIZE + 2)];
    const char *name = query_get(query, "profile");
    if (!name)
        return true;
    for (unsigned i = 0; i < camera->profile_count; i++) {
        const struct conf_profile *profile = &camera->profiles[i];
        if (strcmp(profile->name, name) == 0) {
            *params = (struct stream_params){
                .width = profile->width, .quality = profile->quality, .fps = profile->fps};
            return true;
        }
    }
    list_profiles(camera, names, sizeof names);
    if (camera->profile_count > 0)
        error_set(err, 400, "profile must be one of those of camera \"%s\": %s", camera->id, names);
    else
        error_set(err, 400, "camera \"%s\" has no profiles", camera->id);
    return false;
}

static bool read_number(const struct query *query, const char *key, unsigned min, unsigned max,
                        unsigned *number, struct error *err)
{
    const char *value = query_get(query, key);
    uint64_t given;
    if (!value)
        return true;
    if (!query_number(value, min, max, &given)) {
        error_set(err, 400, "%s must be a whole number from %u to %u", key, min, max);
        return false;
    }
    *number = (unsigned)given;
    return true;
}

bool stream_params_read(const struct query *query, const struct conf_camera *camera,
                        struct stream_params *params, struct error *err)
{
    const char *fps = query_get(query, "fps");
    *params = (struct stream_params){0};
    if (!read_profile(query, camera, params, err) ||
        !read_number(query, "width", VARIANT_MIN_WIDTH, VARIANT_MAX_WIDTH, &params->width, err) ||
        !read_number(query, "quality", MIN_QUALITY, MAX_QUALITY, &params->quality, err))
        return false;
    if (fps && !query_decimal(fps, MIN_FPS, MAX_FPS, &params->fps)) {
        error_set(err, 400, "fps must be a number from %g to %d", MIN_FPS, MAX_FPS);
        return false;
    }
    return true;
}
