/* error.h: how a function reports an error to its caller: a code, and a text for the user.
 * Functions that can fail at run time take a `struct error *` (never NULL), fill it and return a
 * failure value; the caller that handles the failure logs it, once. */
#ifndef CAMRING_ERROR_H
#define CAMRING_ERROR_H

struct error {
    int code; /* meaning is the failing module's: an errno, or its own enum */
    char text[508];
};

void error_set(struct error *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "`format`: " before the text that is there; the code stays. */
void error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
