#include "moment.h"

#include <stdbool.h>
#include <time.h>

/* Now, by both clocks. */
static bool look_at_clocks(GstElement *element, GstClockTimeDiff *running, gint64 *ns)
{
    struct timespec t;
    GstClock *clock = gst_element_get_clock(element);
    if (!clock)
        return false;
    clock_gettime(CLOCK_MONOTONIC, &t);
    *running = GST_CLOCK_DIFF(gst_element_get_base_time(element), gst_clock_get_time(clock));
    *ns = (gint64)GST_TIMESPEC_TO_TIME(t);
    gst_object_unref(clock);
    return true;
}

GstClockTime moment_running(GstElement *element, gint64 ns)
{
    GstClockTimeDiff running;
    gint64 now;
    if (!look_at_clocks(element, &running, &now))
        return GST_CLOCK_TIME_NONE;
    running -= now - ns;
    return running > 0 ? (GstClockTime)running : 0;
}

gint64 moment_monotonic(GstElement *element, GstClockTime running)
{
    GstClockTimeDiff now_running;
    gint64 now;
    if (!look_at_clocks(element, &now_running, &now))
        return 0;
    GstClockTimeDiff age = now_running - (GstClockTimeDiff)running;
    return age > 0 ? now - age : now;
}
