/* bans.h - the bans in force, as the master hands them to the workers.
 *
 * A sealed memfd that each maps: entries sorted by length of prefix and then by
 * address, so that looking one up is a binary search for each length in use.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BUS_BANS_H
#define BANTER_BUS_BANS_H

#include <stddef.h>
#include <stdint.h>

#define BANS_REASON_MAX 126 /* bytes */

struct ban_entry {
	uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d; zero behind bits */
	uint8_t bits;        /* 0 to 128 */
	uint8_t reason_len;
	char reason[BANS_REASON_MAX];
	uint64_t until_ms; /* wall clock; 0: for ever */
};

struct bans_length {
	uint8_t bits;
	uint32_t first, n;
};

/* Mapped.  Zeroed: there are none. */
struct bans {
	const struct ban_entry *at;
	uint32_t n;
	const void *mapping;
	size_t size;
	unsigned n_lengths;
	struct bans_length length[129];
};

/* The order of the list: as memcmp(). */
int bans_compare(const struct ban_entry *a, const struct ban_entry *b);

/* Seal n entries in that order.  The descriptor or -errno. */
int bans_seal(const struct ban_entry *entry, uint32_t n);

/* Map what bans_seal() gave; fd stays the caller's and may be closed.  0, or
 * -EPROTO: it is no such list; -errno.  *ret is zeroed then. */
int bans_map(struct bans *ret, int fd);
void bans_unmap(struct bans *bans);

/* A ban that ip is under at that time, or NULL.  No ban of an IPv6 network is
 * one of an IPv4 address.  Borrowed from the mapping. */
const struct ban_entry *bans_find(
	const struct bans *bans, const uint8_t ip[16], uint64_t now_ms);

#endif
