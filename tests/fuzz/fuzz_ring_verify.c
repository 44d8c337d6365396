/* Looking for what is wrong with a hostile ring. */
#include "hostile.h"

#include "common/ring_verify.h"

#include <stdlib.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int __wrap_nanosleep(const struct timespec *time, struct timespec *left);

/* The pauses between two looks, which are for living writers. */
int __wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
    (void)time;
    (void)left;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ring_findings findings;
    if (!hostile_begin(data, size))
        return -1;
    struct error err = {0};
    if (ring_verify(hostile_instance(), HOSTILE_NAME, &findings, &err) < 0) {
        hostile_check_text(err.text, sizeof err.text);
    } else {
        if (findings.count > RING_FINDINGS_MAX)
            abort();
        for (unsigned i = 0; i < findings.count; i++) {
            hostile_check_text(findings.list[i].text, sizeof findings.list[i].text);
            hostile_check_text(ring_fault_name(findings.list[i].fault), 32);
        }
    }
    hostile_end();
    return 0;
}
