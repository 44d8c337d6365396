#include "server/handlers/openapi.h"

/* Becomes a symbol of this object; the path counts from the root of the tree, where make runs. */
__asm__(".section .rodata\nopenapi_start: .incbin "
        "\"server/web/openapi.json\"\nopenapi_end:\n.previous\n");

extern const char openapi_start[], openapi_end[] __attribute__((visibility("hidden")));

void openapi_handle(struct http_request *request)
{
    /* cppcheck-suppress comparePointers ; one object, from the first symbol to the second */
    size_t size = (size_t)(openapi_end - openapi_start);
    http_add_header(request, "Cache-Control", "no-cache");
    http_reply_static(request, "application/json", openapi_start, size);
}
