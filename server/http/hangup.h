/* hangup.h: is a client that waits for an answer still there?  Nobody reads from its connection
 * meanwhile, so nobody else would notice. */
#ifndef SERVER_HANGUP_H
#define SERVER_HANGUP_H

#include <event2/event.h>

struct hangup;

/* Calls on_gone once the client has closed its end of `fd`, be it only for writing, or the
 * connection is broken.  What it sends is left unread.  `fd` stays the caller's and may be closed
 * before hangup_end.  NULL: no memory or no descriptor to spare.
 */
struct hangup *hangup_watch(struct event_base *base, int fd, void (*on_gone)(void *arg), void *arg);
void hangup_end(struct hangup *hangup); /* also from on_gone */

#endif
