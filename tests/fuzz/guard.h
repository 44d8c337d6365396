/* guard.h: puts shared mappings between inaccessible pages (the linker redirects mmap and munmap
 * here) and poisons the rest of their last page, so that one byte accessed outside of them is a
 * finding. */
#ifndef GUARD_H
#define GUARD_H

#include <stddef.h>

/* The harness's own mappings of what it makes; without guards.  Die if they can't. */
void *guard_map_plain(size_t size, int fd);
void guard_unmap_plain(void *base, size_t size);

/* A finding if a guarded mapping is left. */
void guard_check_none(void);

#endif
