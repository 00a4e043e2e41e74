/* pack.h - values in a row, for another image of this program to read.
 *
 * Numbers are eight bytes, texts have their length before them.  A section or a
 * record knows its length, so that a reader may skip one that it does not know,
 * and may find more at the end of one than it knows of, or less: what is
 * missing reads as zero and as an empty text.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BASE_PACK_H
#define BANTER_BASE_PACK_H

#include "base/slice.h"

#include <stdint.h>

/* Zeroed means empty.  It grows as it must. */
struct pack {
	char *p;
	size_t len, cap;
};

void pack_fini(struct pack *p);
void pack_u64(struct pack *p, uint64_t v);
void pack_i64(struct pack *p, int64_t v);
void pack_bytes(struct pack *p, const void *from, size_t len);
void pack_str(struct pack *p, const char *s);

/* A section; they may not be nested. */
size_t pack_begin(struct pack *p, uint64_t tag);
void pack_end(struct pack *p, size_t begun);

/* One of many of a kind, in a section or in none: pack_end() ends it too.  They
 * may not be nested either. */
size_t pack_record(struct pack *p);

/* What is left to read. */
struct unpack {
	struct slice rest;
	bool bad; /* a text was longer than what was there */
};

static inline struct unpack
unpack_of(struct slice s)
{
	return (struct unpack){ s, false };
}

uint64_t unpack_u64(struct unpack *u);
int64_t unpack_i64(struct unpack *u);
struct slice unpack_bytes(struct unpack *u); /* borrowed */

/* The next record; bad when it is not whole. */
struct unpack unpack_record(struct unpack *u);

/* Copied with a NUL behind it, cut to cap. */
void unpack_str(struct unpack *u, char *ret, size_t cap);

/* n items of at least `least` bytes each are to come: can that be?  Else bad.
 * Before memory is taken for them. */
bool unpack_has(struct unpack *u, uint64_t n, size_t least);

/* The next section, and what is in it.  False: there is none, or bad. */
bool unpack_section(
	struct unpack *u, uint64_t *ret_tag, struct unpack *ret_section);

#endif
