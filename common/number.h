/* number.h: numbers in text: digits and perhaps a dot and digits.  No sign, no exponent, no
 * hexadecimal, no "inf", nothing that depends on the locale. */
#ifndef COMMON_NUMBER_H
#define COMMON_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* Reads at most 18 digits. True: *text points behind them. */
bool number_whole(const char **text, int64_t *number);

/* The same with up to nine decimals: "7", "2.5". */
bool number_decimal(const char **text, double *number);

/* "500ms", "2s", "2" (seconds), "1.5m", "1h", in either case; the whole of `text`, in ns. */
bool number_duration(const char *text, int64_t *ns);

/* "4096", "64K", "1.5M", "2G", in either case; the whole of `text`. */
bool number_bytes(const char *text, int64_t *bytes);

#endif
