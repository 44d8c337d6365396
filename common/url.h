/* url.h: the parsing of URLs that camring does itself. */
#ifndef CAMRING_URL_H
#define CAMRING_URL_H

#include <stdbool.h>
#include <stddef.h>

/* Copies `url` with its user and password, and the values of query keys that name a secret
 * (password, token, key …), replaced by
 * "***".  Always NUL-terminates; safe on anything. */
void url_redact(const char *url, char *out, size_t size);

/* True, with its value percent-decoded in `out`, if the query part of `url` has `key`. */
bool url_query(const char *url, const char *key, char *out, size_t size);

/* Value of a hexadecimal digit, -1: it is none. */
int url_hex(char c);

/* Length of the scheme ("rtsp" of "rtsp://…"), 0 if there is none. */
size_t url_scheme_length(const char *url);

/* Copies `url` without scheme, colon and query ("file:a.mp4?loop=1" gives "a.mp4"). */
void url_path(const char *url, char *out, size_t size);

/* Replaces every occurrence in `text` of a secret part of `url` (user:password, password) by "***":
 * for messages of libraries that quote the URL. */
void url_scrub(const char *url, char *text);

#endif
