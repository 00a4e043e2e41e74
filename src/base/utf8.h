/* utf8.h - characters of UTF-8, and what is none.
 *
 * What is invalid is taken in maximal subparts (Unicode Standard, section 3.9,
 * table 3-8), so that everybody who repairs the same bytes gets the same text.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BASE_UTF8_H
#define BANTER_BASE_UTF8_H

#include "base/buf.h"
#include "base/slice.h"

#include <stdint.h>

#define UTF8_INVALID     UINT32_MAX
#define UTF8_REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

/* The first character of s: how many bytes it takes, 1 to 4, and its code
 * point; UTF8_INVALID for bytes that are none.  0 when s is empty. */
size_t utf8_decode(struct slice s, uint32_t *ret_cp);

/* The bytes of a code point, 1 to 4.  What is no scalar value becomes U+FFFD.
 */
size_t utf8_encode(uint32_t cp, char out[4]);

bool utf8_valid(struct slice s);

/* Append s; what is invalid becomes U+FFFD.  Never cuts a character. */
void utf8_repair(struct slice s, struct buf *out);

/* How many bytes at the end of s are the beginning of a character that is not
 * whole: 0 to 3. */
size_t utf8_cut(struct slice s);

/* How many bytes the last character takes; 0 when s is empty. */
size_t utf8_last(struct slice s);

/* The longest beginning of s of at most max bytes that cuts no character. */
struct slice utf8_fit(struct slice s, size_t max);

#endif
