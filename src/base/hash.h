/* hash.h - hashes whose collisions nobody outside can choose.
 *
 * SipHash-2-4 (Aumasson and Bernstein, 2012) under a random key: who can pick
 * the names cannot make them fall into one bucket.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BASE_HASH_H
#define BANTER_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_key {
	uint64_t k0, k1;
};

/* A key from the kernel's random numbers. */
void hash_key_init(struct hash_key *key);

uint64_t hash_bytes(const struct hash_key *key, const void *p, size_t len);

/* Spread a number that nobody outside chooses, such as a counter of ours. */
static inline uint64_t
hash_number(uint64_t x)
{
	/* The finalizer of MurmurHash3, a bijection. */
	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	x ^= x >> 33;
	x *= UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

#endif
