/* page.h: the page for people and its parts, embedded from web/ when this is built. */
#ifndef SERVER_PAGE_H
#define SERVER_PAGE_H

#include "server/http.h"

void page_handle_index(struct http_request *request);
void page_handle_style(struct http_request *request);
void page_handle_script(struct http_request *request);
void page_handle_icon(struct http_request *request);

#endif
