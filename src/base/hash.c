/* SPDX-License-Identifier: MIT */
#include "base/hash.h"
#include "base/must.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

struct state {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t
rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static inline void
sip_round(struct state *s)
{
	s->v0 += s->v1;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v2 = rotate(s->v2, 32);
}

static inline void
absorb(struct state *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	sip_round(s);
	s->v0 ^= word;
}

/* Little-endian whatever the machine is, so that the published vectors hold. */
static inline uint64_t
word_at(const unsigned char *p, size_t len)
{
	uint64_t w = 0;

	for (size_t i = 0; i < len; i++)
		w |= (uint64_t)p[i] << 8 * i;
	return w;
}

void
hash_key_init(struct hash_key *key)
{
	ssize_t n;

	do
		n = getrandom(key, sizeof *key, 0);
	while (n == -1 && errno == EINTR);
	/* Up to 256 bytes come whole once the pool is ready: getrandom(2). */
	must(n == (ssize_t)sizeof *key);
}

uint64_t
hash_bytes(const struct hash_key *key, const void *p, size_t len)
{
	const unsigned char *at = p;
	size_t left = len;
	struct state s = {
		key->k0 ^ UINT64_C(0x736f6d6570736575),
		key->k1 ^ UINT64_C(0x646f72616e646f6d),
		key->k0 ^ UINT64_C(0x6c7967656e657261),
		key->k1 ^ UINT64_C(0x7465646279746573),
	};

	for (; left >= 8; left -= 8, at += 8)
		absorb(&s, word_at(at, 8));
	absorb(&s, (uint64_t)len << 56 | word_at(at, left));
	s.v2 ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
