#include "server/handlers/page.h"

#include <string.h>

#define HTML "text/html; charset=utf-8"
#define CSS "text/css; charset=utf-8"
#define SCRIPT "text/javascript; charset=utf-8"

#define FILES(row)                                                                                 \
    row(index, "index.html", HTML) row(style, "style.css", CSS)                                    \
        row(icon, "icon.svg", "image/svg+xml") row(app, "app.js", SCRIPT)                          \
            row(cameras, "cameras.js", SCRIPT) row(live, "live.js", SCRIPT)                        \
                row(parts, "parts.js", SCRIPT) row(picture, "picture.js", SCRIPT)                  \
                    row(plot, "plot.js", SCRIPT) row(text, "text.js", SCRIPT)                      \
                        row(theme, "theme.js", SCRIPT) row(tile, "tile.js", SCRIPT)                \
                            row(viewer, "viewer.js", SCRIPT)

/* The files become symbols of this object; paths count from the root of the tree, where make runs.
 */
#define EMBED(symbol, name, type)                                                                  \
    "page_" #symbol "_start: .incbin \"server/web/" name "\"\n"                                    \
    "page_" #symbol "_end:\n"
#define DECLARE(symbol, name, type)                                                                \
    extern const char page_##symbol##_start[],                                                     \
        page_##symbol##_end[] __attribute__((visibility("hidden")));
#define ROW(symbol, name, type) {name, type, page_##symbol##_start, page_##symbol##_end},

__asm__(".section .rodata\n" FILES(EMBED) ".previous\n");
FILES(DECLARE)

/* The first is the page itself. */
static const struct file {
    const char *name, *type, *start, *end;
} files[] = {FILES(ROW)};

/* Nothing but what this server itself serves, and no place inside another site's frame. */
#define POLICY                                                                                     \
    "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src "        \
    "'self'; base-uri 'none'; "                                                                    \
    "form-action 'none'; "                                                                         \
    "frame-ancestors 'self'"

static void page_reply(struct http_request *request, const struct file *file)
{
    http_add_header(request, "Content-Security-Policy", POLICY);
    http_add_header(request, "Cache-Control", "no-cache");
    http_add_header(request, "Referrer-Policy", "no-referrer");
    http_reply_static(request, file->type, file->start, (size_t)(file->end - file->start));
}

void page_handle_index(struct http_request *request)
{
    if (query_get(request->query, "action"))
        http_reply_error(request, 400,
                         "action must be \"stream\" or \"snapshot\", or one of these and \"_N\"");
    else
        page_reply(request, &files[0]);
}

void page_handle_file(struct http_request *request)
{
    for (size_t i = 1; i < sizeof files / sizeof files[0]; i++)
        if (strcmp(request->name, files[i].name) == 0) {
            page_reply(request, &files[i]);
            return;
        }
    http_reply_error(request, 404, "there is no \"%s\" here", request->name);
}
