/* SPDX-License-Identifier: MIT */
#include "base/pack.h"

#include "base/xalloc.h"

#include <stdio.h>
#include <stdlib.h>

void
pack_fini(struct pack *p)
{
	free(p->p);
	*p = (struct pack){ 0 };
}

static void
add(struct pack *p, const void *from, size_t len)
{
	size_t cap = p->cap ? p->cap : 4096;

	while (cap - p->len < len)
		cap *= 2;
	if (cap != p->cap)
		p->p = xrealloc(p->p, cap, 1);
	p->cap = cap;
	if (len > 0)
		memcpy(p->p + p->len, from, len);
	p->len += len;
}

void
pack_u64(struct pack *p, uint64_t v)
{
	add(p, &v, sizeof v);
}

void
pack_i64(struct pack *p, int64_t v)
{
	add(p, &v, sizeof v);
}

void
pack_bytes(struct pack *p, const void *from, size_t len)
{
	pack_u64(p, len);
	add(p, from, len);
}

void
pack_str(struct pack *p, const char *s)
{
	pack_bytes(p, s, strlen(s));
}

size_t
pack_begin(struct pack *p, uint64_t tag)
{
	pack_u64(p, tag);
	pack_u64(p, 0);
	return p->len;
}

size_t
pack_record(struct pack *p)
{
	pack_u64(p, 0);
	return p->len;
}

void
pack_end(struct pack *p, size_t begun)
{
	uint64_t len = p->len - begun;

	memcpy(p->p + begun - sizeof len, &len, sizeof len);
}

uint64_t
unpack_u64(struct unpack *u)
{
	uint64_t v = 0;

	if (u->rest.len >= sizeof v)
		memcpy(&v, u->rest.p, sizeof v);
	u->rest = slice_skip(u->rest, sizeof v);
	return v;
}

int64_t
unpack_i64(struct unpack *u)
{
	return (int64_t)unpack_u64(u);
}

struct slice
unpack_bytes(struct unpack *u)
{
	uint64_t len = unpack_u64(u);
	struct slice s;

	if (len > u->rest.len) {
		u->bad = true;
		u->rest.len = 0;
		return slice_of("", 0);
	}
	s = slice_of(len ? u->rest.p : "", (size_t)len);
	u->rest = slice_skip(u->rest, (size_t)len);
	return s;
}

struct unpack
unpack_record(struct unpack *u)
{
	struct slice s = unpack_bytes(u);

	return (struct unpack){ s, u->bad };
}

void
unpack_str(struct unpack *u, char *ret, size_t cap)
{
	struct slice s = unpack_bytes(u);

	(void)snprintf(ret, cap, "%.*s", (int)(s.len < cap ? s.len : cap), s.p);
}

bool
unpack_has(struct unpack *u, uint64_t n, size_t least)
{
	if (n > u->rest.len / least)
		u->bad = true;
	return !u->bad;
}

bool
unpack_section(struct unpack *u, uint64_t *ret_tag, struct unpack *ret_section)
{
	if (u->bad || u->rest.len == 0)
		return false;
	*ret_tag = unpack_u64(u);
	*ret_section = unpack_of(unpack_bytes(u));
	return !u->bad;
}
