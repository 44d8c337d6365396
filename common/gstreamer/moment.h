/* moment.h: the ring's times, which are those of CLOCK_MONOTONIC, in a pipeline's running time, and
 * the other way round, whatever the pipeline's clock counts. */
#ifndef CAMRING_GST_MOMENT_H
#define CAMRING_GST_MOMENT_H

#include <gst/gst.h>

/* The running time at `ns`, 0 for what was before the start; GST_CLOCK_TIME_NONE without a clock.
 */
GstClockTime moment_running(GstElement *element, gint64 ns);

/* The time at running time `running`, but never one to come; 0 without a clock. */
gint64 moment_monotonic(GstElement *element, GstClockTime running);

#endif
