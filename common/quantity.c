#include "quantity.h"

#include "clock.h"

#include <stddef.h>
#include <stdio.h>

struct quantity_text quantity_age(int64_t ns)
{
    struct quantity_text out = {"-"};
    double seconds = (double)ns / (double)NS_PER_S;
    if (ns < 0)
        return out;
    if (seconds < 1)
        snprintf(out.text, sizeof out.text, "%.*f ms", seconds < 0.01, seconds * 1000);
    else if (seconds < 120)
        snprintf(out.text, sizeof out.text, "%.1f s", seconds);
    else if (seconds < 7200)
        snprintf(out.text, sizeof out.text, "%.0f min", seconds / 60);
    else if (seconds < 48 * 3600)
        snprintf(out.text, sizeof out.text, "%.1f h", seconds / 3600);
    else
        snprintf(out.text, sizeof out.text, "%.1f d", seconds / 86400);
    return out;
}

struct quantity_text quantity_bytes(uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    struct quantity_text out;
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1024 && unit + 1 < sizeof units / sizeof units[0]; unit++)
        value /= 1024;
    snprintf(out.text, sizeof out.text, "%.*f %s", unit > 0, value, units[unit]);
    return out;
}
