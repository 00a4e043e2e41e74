/* map.h - from a hash to the numbers of the things that have it.
 *
 * Open addressing with linear probing and eight bytes a place: it holds a
 * number, such as an index, and 32 bits of the hash.  The keys stay with the
 * things themselves: the caller compares.
 *
 *	struct map_at at = map_look(map, hash);
 *	uint32_t value;
 *
 *	while (map_next(map, &at, &value))
 *		if (is_it(value))
 *			return value;
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BASE_MAP_H
#define BANTER_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAP_VALUE_MAX (UINT32_MAX - 1)

struct map_place {
	uint32_t tag;   /* of the hash */
	uint32_t value; /* plus one; 0: free */
};

struct map {
	struct map_place *place;
	uint32_t cap; /* places */
	uint32_t n;
};

struct map_at {
	uint32_t tag, at;
};

/* All zero is an empty map too. */
void map_init(struct map *m);
void map_fini(struct map *m);

/* Add value (at most MAP_VALUE_MAX).  Values of equal hash live together. */
void map_add(struct map *m, uint64_t hash, uint32_t value);

/* Take out the value that was added under hash.  False: it was not there. */
bool map_del(struct map *m, uint64_t hash, uint32_t value);

/* Go through the values whose hash is probably equal.  The map must not change
 * meanwhile. */
struct map_at map_look(const struct map *m, uint64_t hash);
bool map_next(const struct map *m, struct map_at *at, uint32_t *ret_value);

size_t map_memory(const struct map *m);

#endif
