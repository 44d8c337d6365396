#include "settings.h"

#include "tell.h"
#include "trial.h"

#include "common/certificate.h"
#include "common/credentials.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void settings_path(const char *path, char out[PATH_MAX])
{
    char directory[PATH_MAX];
    if (strcmp(path, "-") == 0 || path[0] == '/' || !getcwd(directory, sizeof directory))
        snprintf(out, PATH_MAX, "%s", path);
    else if (!realpath(path, out))
        snprintf(out, PATH_MAX, "%.2000s/%.2000s", directory, path);
}

static void apply_options(struct conf *conf, const struct options *options)
{
    if (options->instance)
        snprintf(conf->instance, sizeof conf->instance, "%s", options->instance);
    if (options->debug)
        conf->debug = true;
    if (conf->debug || options->verbose)
        conf->log.level = LOG_LEVEL_DEBUG;
}

/* The files that the configuration names are checked as well, so that their faults are reported
 * before anything starts. */
static bool check_files(const struct conf *conf, FILE *faults)
{
    struct credentials *credentials = credentials_load(&conf->http, faults);
    SSL_CTX *context = conf->http.tls_cert[0] ? certificate_load(&conf->http, faults) : NULL;
    bool ok = credentials && (context || !conf->http.tls_cert[0]);
    credentials_free(credentials);
    SSL_CTX_free(context);
    return ok;
}

const char *settings_name(const struct options *options)
{
    return options->config ? options->config : conf_default_path();
}

struct conf *settings_read(const struct options *options, char path[PATH_MAX], FILE *faults)
{
    path[0] = '\0';
    const char *name = settings_name(options);
    if (!name) {
        fprintf(faults, "camring: no configuration: neither ./camring.yaml nor "
                        "/etc/camring/camring.yaml exists, and no -c "
                        "FILE was given\n");
        return NULL;
    }
    settings_path(name, path);
    struct conf *conf = conf_load(name, faults);
    if (conf && !check_files(conf, faults)) {
        conf_free(conf);
        conf = NULL;
    }
    if (conf)
        apply_options(conf, options);
    return conf;
}

struct conf *settings_load(const struct options *options, char path[PATH_MAX], FILE *faults)
{
    struct conf *conf = settings_read(options, path, faults);
    const char *name = settings_name(options);
    if (!conf || trial_run(conf, strcmp(name, "-") == 0 ? "<stdin>" : name, faults))
        return conf;
    conf_free(conf);
    return NULL;
}

static bool instance_of_file(const char *path, FILE *faults, char instance[RING_ID_SIZE])
{
    struct conf *conf = conf_load(path, faults);
    if (conf)
        memcpy(instance, conf->instance, RING_ID_SIZE);
    conf_free(conf);
    return conf != NULL;
}

bool settings_instance(const struct options *options, char instance[RING_ID_SIZE])
{
    snprintf(instance, RING_ID_SIZE, "%s", options->instance ? options->instance : "camring");
    if (options->instance)
        return true;
    const char *path = options->config ? options->config : conf_default_path();
    if (!path)
        return true;
    char *text = NULL;
    size_t size = 0;
    FILE *faults = open_memstream(&text, &size);
    bool ok = faults && instance_of_file(path, faults, instance);
    if (faults)
        fclose(faults);
    if (!ok && options->config)
        tell_faults(options, text);
    free(text);
    return ok || !options->config;
}
