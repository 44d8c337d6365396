/* page.h: the web page and its files, embedded from web/ at build time. */
#ifndef SERVER_PAGE_H
#define SERVER_PAGE_H

#include "server/http/http.h"

void page_handle_index(struct http_request *request); /* GET / */
void page_handle_file(struct http_request *request);  /* GET /web/{name} */

#endif
