/* page.h: the page for people and its parts, embedded from web/ when this is built. */
#ifndef SERVER_PAGE_H
#define SERVER_PAGE_H

#include "server/http/http.h"

void page_handle_index(struct http_request *request); /* GET / */
void page_handle_file(struct http_request *request);  /* GET /web/{name} */

#endif
