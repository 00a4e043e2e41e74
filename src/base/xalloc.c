/* SPDX-License-Identifier: MIT */
#include "base/xalloc.h"
#include "base/must.h"

#include <stdlib.h>
#include <string.h>

void *
xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	must(p != NULL);
	return p;
}

void *
xrealloc(void *p, size_t n, size_t size)
{
	p = reallocarray(p, n ? n : 1, size ? size : 1);
	must(p != NULL);
	return p;
}

char *
xmemdup0(const void *p, size_t n)
{
	char *copy = xcalloc(n + 1, 1);

	if (n > 0)
		memcpy(copy, p, n);
	return copy;
}
