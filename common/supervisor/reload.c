#include "reload.h"

#include "settings.h"
#include "tell.h"
#include "trial.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/ring_map.h"
#include "common/supervisor/listening/listen.h"
#include "common/supervisor/memory/space.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LIMIT_S 30 /* processes that don't end are killed long before */

struct reload {
    struct event_base *base;
    struct reload_target target;
    /* the one that the instance was started with, which stays the caller's */
    const struct conf *first;
    struct event *late;
    /* a configuration whose chains are being tried; NULL: none */
    struct conf *tried;
    struct trial *trial;
    struct event *heard; /* of the trial; a new one for each of its processes */
    FILE *faults;
    char *fault_text;
    size_t fault_size;
    json_t *done; /* the answer once it is done; NULL: none is under way */
    bool again;   /* another reload was asked for meanwhile */
    bool stopping;
};

/* ---- answers ---- */

static json_t *error_of(const struct error *err)
{
    return json_pack("{s:s}", "error", err->text);
}

static void log_answer(const json_t *answer)
{
    const char *error = json_string_value(json_object_get(answer, "error"));
    const json_t *line;
    size_t i;
    if (error)
        log_error("not reloaded: %s", error);
    json_array_foreach(json_object_get(answer, "faults"), i, line)
    {
        log_error("not reloaded: %s", json_string_value(line));
    }
    if (json_is_true(json_object_get(answer, "ok")))
        log_info("reloaded: %zu cameras added, %zu removed, %zu changed, %d unchanged",
                 json_array_size(json_object_get(answer, "added")),
                 json_array_size(json_object_get(answer, "removed")),
                 json_array_size(json_object_get(answer, "changed")),
                 (int)json_integer_value(json_object_get(answer, "unchanged")));
}

static json_t *ids_of(const struct conf *conf, const struct conf_diff *diff, unsigned fates)
{
    json_t *ids = json_array();
    for (unsigned i = 0; i < conf->camera_count; i++)
        if (fates & 1u << diff->cameras[i])
            json_array_append_new(ids, json_string(conf->cameras[i].id));
    return ids;
}

static json_t *describe_changes(const struct conf *before, const struct conf *after,
                                const struct conf_diff *diff)
{
    json_t *removed = json_array(), *settings = json_array();
    for (unsigned i = 0; i < before->camera_count; i++)
        if (diff->removed[i])
            json_array_append_new(removed, json_string(before->cameras[i].id));
    for (unsigned i = 0; i < diff->settings.count; i++)
        json_array_append_new(settings, json_string(diff->settings.name[i]));
    return json_pack("{s:b, s:o, s:o, s:o, s:o, s:i, s:o}", "ok", 1, "added",
                     ids_of(after, diff, 1u << CONF_CAMERA_ADDED), "removed", removed, "changed",
                     ids_of(after, diff, 1u << CONF_CAMERA_CHANGED | 1u << CONF_CAMERA_RECAPTURED),
                     "restarted", ids_of(after, diff, 1u << CONF_CAMERA_RECAPTURED), "unchanged",
                     (int)diff->count[CONF_CAMERA_SAME], "settings", settings);
}

/* ---- reading ---- */

/* Opening a pipe would block this process until there is a writer. */
static bool is_file(const char *path, FILE *faults)
{
    struct stat st;
    if (stat(path, &st) != 0)
        fprintf(faults, "%s:1:1: can't read the file: %s\n", path, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        fprintf(faults, "%s:1:1: is not a file any more that can be read again\n", path);
    else
        return true;
    return false;
}

static struct conf *reload_read(const struct reload *reload, FILE *faults)
{
    char path[PATH_MAX];
    const struct options *options = reload->target.options;
    const char *name = settings_name(options);
    return !name || is_file(name, faults) ? settings_read(options, path, faults) : NULL;
}

/* A key that has gone from the file has no place there; it is the default that would be new. */
static void refuse_fixed(const struct options *options, const struct conf *conf,
                         const struct conf_diff *diff, FILE *faults)
{
    const char *name = settings_name(options);
    for (unsigned i = 0; i < diff->fixed.count; i++) {
        struct conf_key_position at = conf_key_position(conf, diff->fixed.name[i]);
        fprintf(faults,
                "%s:%u:%u: %s can't change while the instance runs; camring restart does it\n",
                name ? name : "camring.yaml", at.line ? at.line : 1, at.column ? at.column : 1,
                diff->fixed.name[i]);
    }
}

/* ---- taking over ---- */

static int apply_config(struct reload *reload, struct conf *conf, const struct conf_diff *diff,
                        struct error *err)
{
    struct reload_target *target = &reload->target;
    struct listen_set before = *target->listen, next;
    bool needs_more = space_need(conf).likely > space_need(*target->conf).likely;
    if (((diff->count[CONF_CAMERA_ADDED] > 0 || needs_more) &&
         space_check(conf, ring_instance_bytes(conf->instance), err) != 0) ||
        listen_change(&before, &conf->http, &next, err) != 0)
        return -1;
    *target->listen = next;
    if (children_reload(target->children, conf, diff, err) != 0) {
        *target->listen = before;
        listen_close_other(&next, &before);
        return -1;
    }
    listen_close_other(&before, &next);
    listen_set_modes(&next, &conf->http);
    if (diff->log)
        log_set(conf->log.level, conf->log.format);
    if (*target->conf != reload->first)
        conf_free((struct conf *)*target->conf);
    *target->conf = conf;
    return 0;
}

/* Returns the answer, if it is known now; NULL: it follows when the change is done. */
static json_t *compare_and_take_over(struct reload *reload, struct conf *conf, FILE *faults)
{
    struct conf_diff diff;
    struct error err;
    json_t *answer = NULL;
    if (conf_diff(*reload->target.conf, conf, &diff) != 0) {
        conf_free(conf);
        return json_pack("{s:s}", "error", "out of memory");
    }
    if (diff.fixed.count > 0) {
        refuse_fixed(reload->target.options, conf, &diff, faults);
        conf_free(conf);
    } else {
        children_decide(reload->target.children, conf, &diff);
        json_t *done = describe_changes(*reload->target.conf, conf, &diff);
        if (apply_config(reload, conf, &diff, &err) == 0) {
            reload->done = done;
        } else {
            json_decref(done);
            conf_free(conf);
            answer = error_of(&err);
        }
    }
    conf_diff_free(&diff);
    return answer;
}

static void reload_finish(struct reload *reload, json_t *answer);

/* Answers with the faults if there is nothing else to say, or waits until what has been begun is
 * done. */
static void reload_answer(struct reload *reload, json_t *answer)
{
    fclose(reload->faults);
    if (!answer && !reload->done)
        answer = reload->fault_text
                     ? json_pack("{s:b, s:o}", "ok", 0, "faults", tell_lines(reload->fault_text))
                     : json_pack("{s:s}", "error", "out of memory");
    free(reload->fault_text);
    reload->faults = NULL;
    reload->fault_text = NULL;
    if (answer)
        reload_finish(reload, answer);
    else
        evtimer_add(reload->late, &(struct timeval){.tv_sec = LIMIT_S});
}

/* Returns the configuration, if its chains have been found good. */
static struct conf *end_trial(struct reload *reload)
{
    struct conf *conf = reload->tried;
    if (reload->trial && !trial_is_good(reload->trial)) {
        conf_free(conf);
        conf = NULL;
    }
    trial_destroy(reload->trial);
    if (reload->heard)
        event_free(reload->heard);
    reload->trial = NULL;
    reload->heard = NULL;
    reload->tried = NULL;
    return conf;
}

static void on_trial(evutil_socket_t fd, short what, void *arg);

/* False: there is nothing to wait for. */
static bool wait_for_trial(struct reload *reload)
{
    if (reload->heard)
        event_free(reload->heard);
    reload->heard = NULL;
    if (!reload->trial || !trial_go_on(reload->trial))
        return false;
    int64_t left = trial_deadline(reload->trial) - clock_now();
    struct timeval limit = {.tv_sec = left > 0 ? left / NS_PER_S + 1 : 0};
    reload->heard = event_new(reload->base, trial_fd(reload->trial), EV_READ, on_trial, reload);
    return reload->heard && event_add(reload->heard, &limit) == 0;
}

static void reload_go_on(struct reload *reload)
{
    if (wait_for_trial(reload))
        return;
    struct conf *conf = end_trial(reload);
    reload_answer(reload, conf ? compare_and_take_over(reload, conf, reload->faults) : NULL);
}

static void on_trial(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    reload_go_on(arg);
}

static void reload_begin(struct reload *reload)
{
    const struct options *options = reload->target.options;
    service_reloading(reload->target.service);
    if (options->config && strcmp(options->config, "-") == 0) {
        reload_finish(reload,
                      json_pack("{s:s}", "error",
                                "the configuration came from standard input and can't be read "
                                "again"));
        return;
    }
    reload->faults = open_memstream(&reload->fault_text, &reload->fault_size);
    if (!reload->faults) {
        reload_finish(reload, json_pack("{s:s}", "error", "out of memory"));
        return;
    }
    reload->tried = reload_read(reload, reload->faults);
    if (reload->tried)
        reload->trial = trial_create(reload->tried, *reload->target.conf, settings_name(options),
                                     reload->faults);
    reload_go_on(reload);
}

static void reload_finish(struct reload *reload, json_t *answer)
{
    evtimer_del(reload->late);
    json_decref(reload->done);
    reload->done = NULL;
    log_answer(answer);
    control_tell_last(reload->target.control, CONTROL_RELOAD, answer);
    control_move(reload->target.control, CONTROL_NEXT_RELOAD, CONTROL_RELOAD);
    if (!reload->stopping)
        service_reloaded(reload->target.service);
    if (!reload->again || reload->stopping)
        return;
    reload->again = false;
    reload_begin(reload);
}

/* ---- events ---- */

static void on_late(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    reload_finish(
        arg, json_pack("{s:s}", "error",
                       "taken over, but not done yet: processes still start or end; see the log"));
}

void reload_on_changed(struct reload *reload)
{
    if (reload->done)
        reload_finish(reload, json_incref(reload->done));
}

void reload_ask(struct reload *reload, struct control_client *client)
{
    if (reload->stopping) {
        if (client)
            control_send(client, json_pack("{s:s}", "error", "the instance is stopping"));
        return;
    }
    bool busy = reload->done || reload->tried;
    if (client)
        control_subscribe(client, busy ? CONTROL_NEXT_RELOAD : CONTROL_RELOAD);
    if (busy)
        reload->again = true;
    else
        reload_begin(reload);
}

static void drop_trial(struct reload *reload)
{
    if (!reload->faults)
        return;
    conf_free(end_trial(reload));
    fclose(reload->faults);
    free(reload->fault_text);
    reload->faults = NULL;
    reload->fault_text = NULL;
}

void reload_stop(struct reload *reload)
{
    reload->stopping = true;
    reload->again = false;
    drop_trial(reload);
    for (int i = 0; i < 2; i++) { /* clients of this reload, then those of the next one */
        control_tell_last(reload->target.control, CONTROL_RELOAD,
                          json_pack("{s:s}", "error", "the instance is stopping"));
        control_move(reload->target.control, CONTROL_NEXT_RELOAD, CONTROL_RELOAD);
    }
}

/* ---- life ---- */

struct reload *reload_create(struct event_base *base, const struct reload_target *target)
{
    struct reload *reload = calloc(1, sizeof *reload);
    if (!reload)
        return NULL;
    *reload = (struct reload){.base = base, .target = *target, .first = *target->conf};
    reload->late = evtimer_new(base, on_late, reload);
    if (reload->late)
        return reload;
    free(reload);
    return NULL;
}

void reload_destroy(struct reload *reload)
{
    if (!reload)
        return;
    drop_trial(reload);
    event_free(reload->late);
    json_decref(reload->done);
    if (*reload->target.conf != reload->first)
        conf_free((struct conf *)*reload->target.conf);
    *reload->target.conf = reload->first;
    free(reload);
}
