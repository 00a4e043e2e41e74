/* charset.h - clients that do not speak UTF-8.
 *
 * Character sets without shift state, converted by iconv(3).  A NULL set is
 * UTF-8.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_PROTO_CHARSET_H
#define BANTER_PROTO_CHARSET_H

#include "base/buf.h"
#include "base/slice.h"

struct charset;

/* 0, or -EINVAL when iconv(3) does not know the name or it has shift state
 * (ISO-2022-*, UTF-7, UTF-16 and -32 have no ASCII newline and are refused
 * too).  "UTF-8" gives *ret = NULL. */
int charset_open(const char *name, struct charset **ret);
/* Needs no converter. */
bool charset_is_utf8(const char *name);
void charset_close(struct charset **cs);

/* in (of the set) to UTF-8; what is invalid becomes U+FFFD. */
void charset_decode(const struct charset *cs, struct slice in, struct buf *out);

/* UTF-8 to the set; what it cannot say becomes '?'.  Never cuts a character. */
void charset_encode(const struct charset *cs, struct slice in, struct buf *out);

/* How many bytes at the end of in are the beginning of a character that is not
 * whole: 0 to 3. */
size_t charset_cut(const struct charset *cs, struct slice in);

/* How many bytes the last character of in takes; 0 when it is empty. */
size_t charset_last(const struct charset *cs, struct slice in);

/* Is byte b, alone, a character of the set? */
bool charset_has_byte(const struct charset *cs, unsigned char b);

#endif
