#include "server/page.h"

/* The files become symbols of this object; paths count from the root of the tree, where make runs. */
__asm__(".section .rodata\n"
        "page_index_start: .incbin \"server/web/index.html\"\npage_index_end:\n"
        "page_style_start: .incbin \"server/web/style.css\"\npage_style_end:\n"
        "page_script_start: .incbin \"server/web/app.js\"\npage_script_end:\n"
        "page_icon_start: .incbin \"server/web/icon.svg\"\npage_icon_end:\n"
        ".previous\n");

extern const char page_index_start[], page_index_end[] __attribute__((visibility("hidden")));
extern const char page_style_start[], page_style_end[] __attribute__((visibility("hidden")));
extern const char page_script_start[], page_script_end[] __attribute__((visibility("hidden")));
extern const char page_icon_start[], page_icon_end[] __attribute__((visibility("hidden")));

/* Nothing but what this server itself serves, and no place inside another site's frame. */
#define POLICY                                                                                                                 \
    "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; "           \
    "form-action 'none'; "                                                                                                     \
    "frame-ancestors 'self'"

static void reply(struct http_request *request, const char *type, const char *start, const char *end)
{
    http_add_header(request, "Content-Security-Policy", POLICY);
    http_add_header(request, "Cache-Control", "no-cache");
    http_add_header(request, "Referrer-Policy", "no-referrer");
    http_reply_static(request, type, start, (size_t)(end - start));
}

void page_handle_index(struct http_request *request)
{
    if (query_get(&request->query, "action")) {
        http_reply_error(request, 400, "action must be \"stream\" or \"snapshot\", or one of these and \"_N\"");
        return;
    }
    reply(request, "text/html; charset=utf-8", page_index_start, page_index_end);
}

void page_handle_style(struct http_request *request)
{
    reply(request, "text/css; charset=utf-8", page_style_start, page_style_end);
}

void page_handle_script(struct http_request *request)
{
    reply(request, "text/javascript; charset=utf-8", page_script_start, page_script_end);
}

void page_handle_icon(struct http_request *request)
{
    reply(request, "image/svg+xml", page_icon_start, page_icon_end);
}
