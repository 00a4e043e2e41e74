/* SPDX-License-Identifier: MIT */
#include "base/hash.h"
#include "base/map.h"

#include <criterion/criterion.h>
#include <stdlib.h>

TestSuite(map, .timeout = 20);

Test(map, hash_is_siphash_2_4)
{
	/* The vectors of the paper: key 00..0f, message 00..0e and empty. */
	struct hash_key key = { UINT64_C(0x0706050403020100),
		UINT64_C(0x0f0e0d0c0b0a0908) };
	unsigned char msg[15];

	for (unsigned i = 0; i < sizeof msg; i++)
		msg[i] = (unsigned char)i;
	cr_assert_eq(hash_bytes(&key, msg, 15), UINT64_C(0xa129ca6149be45e5));
	cr_assert_eq(hash_bytes(&key, msg, 8), UINT64_C(0x93f5f5799a932462));
	cr_assert_eq(hash_bytes(&key, msg, 0), UINT64_C(0x726fdb47dd0e0e31));
}

Test(map, keys_differ)
{
	struct hash_key a, b;

	hash_key_init(&a);
	hash_key_init(&b);
	cr_assert_neq(hash_bytes(&a, "lobby", 5), hash_bytes(&b, "lobby", 5));
}

static bool
has(const struct map *m, uint64_t hash, uint32_t value)
{
	struct map_at at = map_look(m, hash);
	uint32_t v;

	while (map_next(m, &at, &v))
		if (v == value)
			return true;
	return false;
}

Test(map, empty_map_has_nothing)
{
	struct map m;

	map_init(&m);
	cr_assert(!has(&m, 1, 1));
	cr_assert(!map_del(&m, 1, 1));
	map_fini(&m);
}

Test(map, equal_hashes_live_together)
{
	struct map m = { 0 };

	for (uint32_t i = 0; i < 100; i++)
		map_add(&m, UINT64_C(7) << 32, i);
	for (uint32_t i = 0; i < 100; i += 2)
		cr_assert(map_del(&m, UINT64_C(7) << 32, i));
	for (uint32_t i = 0; i < 100; i++)
		cr_assert_eq(has(&m, UINT64_C(7) << 32, i), i % 2 == 1,
			"value %u", i);
	map_fini(&m);
}

/* Tags that crowd the last places make every search go round the end. */
Test(map, random_adds_and_dels_agree_with_a_list)
{
	enum {
		N = 3000
	};
	static bool in[N];
	static uint64_t hash[N];
	struct map m = { 0 };
	uint32_t n = 0;

	srand(1);
	for (uint32_t i = 0; i < N; i++)
		hash[i] = (uint64_t)(i % 3 ? (uint32_t)rand()
					   : UINT32_MAX - i % 7)
			  << 32;
	for (int step = 0; step < 60000; step++) {
		uint32_t i = (uint32_t)rand() % N;

		if (in[i])
			cr_assert(map_del(&m, hash[i], i));
		else
			map_add(&m, hash[i], i);
		in[i] = !in[i];
		n += in[i] ? 1u : -1u;
		cr_assert_eq(m.n, n);
	}
	for (uint32_t i = 0; i < N; i++)
		cr_assert_eq(has(&m, hash[i], i), in[i], "value %u", i);
	map_fini(&m);
}

/* 8 bytes a place; at most a third of them is free. */
Test(map, little_is_spare)
{
	struct map m = { 0 };

	for (uint32_t i = 0; i < 300000; i++) {
		map_add(&m, hash_number(i), i);
		if (i >= 2000)
			cr_assert_leq(map_memory(&m), (i + 1) * 12ul, "%u", i);
	}
	for (uint32_t i = 0; i < 300000; i++)
		cr_assert(has(&m, hash_number(i), i), "value %u", i);
	map_fini(&m);
}

Test(map, memory_comes_back)
{
	struct map m = { 0 };

	for (uint32_t i = 0; i < 100000; i++)
		map_add(&m, hash_number(i), i);
	cr_assert_leq(map_memory(&m), 100000 * 12ul);
	for (uint32_t i = 10; i < 100000; i++)
		cr_assert(map_del(&m, hash_number(i), i));
	cr_assert_leq(map_memory(&m), 16384);
	for (uint32_t i = 0; i < 10; i++)
		cr_assert(has(&m, hash_number(i), i));
	map_fini(&m);
}
