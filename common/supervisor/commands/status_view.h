/* status_view.h: what status_facts.h tells, as tables for people. */
#ifndef CAMRING_STATUS_VIEW_H
#define CAMRING_STATUS_VIEW_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct status_view {
    size_t columns; /* what a line may be wide: columns give way, errors are cut; 0: no limit */
    bool colors;
};

void status_view_write(const struct status_view *view, const json_t *status, FILE *out);

#endif
