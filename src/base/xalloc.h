/* xalloc.h - memory, or no return.
 *
 * A process that cannot get a few hundred bytes dies and is replaced.  What a
 * client can make grow is capped before it is allocated.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BASE_XALLOC_H
#define BANTER_BASE_XALLOC_H

#include <stddef.h>

/* Zeroed memory for n objects of size bytes; free() it. */
void *xcalloc(size_t n, size_t size);

/* As reallocarray(3).  New bytes are not cleared. */
void *xrealloc(void *p, size_t n, size_t size);

/* Copy of the n bytes at p with a NUL behind them; free() it. */
char *xmemdup0(const void *p, size_t n);

#endif
