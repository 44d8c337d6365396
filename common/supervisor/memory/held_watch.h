/* held_watch.h: in debug mode, logs frames that are held for two seconds or more (pins of readers
 * and loans of writers, in all rings of the instance), and when they are given back after all. */
#ifndef CAMRING_HELD_WATCH_H
#define CAMRING_HELD_WATCH_H

struct held_watch;

/* Borrows `instance`.  NULL: out of memory. */
struct held_watch *held_watch_create(const char *instance);
void held_watch_destroy(struct held_watch *watch); /* NULL: nothing */

/* Checks every ring once; to be called about once a second. */
void held_watch_check(struct held_watch *watch);

#endif
