/* SPDX-License-Identifier: MIT */
#include "bus/bans.h"

#include "base/fd.h"
#include "base/xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define MAGIC "BNTRBAN1"
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

struct head {
	char magic[8];
	uint32_t n, entry_size;
};

int
bans_compare(const struct ban_entry *a, const struct ban_entry *b)
{
	if (a->bits != b->bits)
		return a->bits < b->bits ? -1 : 1;
	return memcmp(a->address, b->address, sizeof a->address);
}

int
bans_seal(const struct ban_entry *entry, uint32_t n)
{
	size_t len = sizeof(struct head) + n * sizeof *entry;
	struct head *h = xcalloc(1, len);
	int fd;

	memcpy(h->magic, MAGIC, sizeof h->magic);
	h->n = n;
	h->entry_size = sizeof *entry;
	if (n > 0)
		memcpy(h + 1, entry, n * sizeof *entry);
	fd = fd_sealed("banter-bans", h, len);
	free(h);
	return fd;
}

/* Who searches trusts the order and the lengths. */
static int
index_lengths(struct bans *b)
{
	for (uint32_t i = 0; i < b->n; i++) {
		const struct ban_entry *e = &b->at[i];
		struct bans_length *l;

		if (e->bits > 128 || e->reason_len > BANS_REASON_MAX ||
			(i > 0 && bans_compare(e - 1, e) >= 0))
			return -EPROTO;
		if (i == 0 || e->bits != e[-1].bits)
			b->length[b->n_lengths++] =
				(struct bans_length){ .bits = e->bits,
					.first = i };
		l = &b->length[b->n_lengths - 1];
		l->n++;
	}
	return 0;
}

int
bans_map(struct bans *ret, int fd)
{
	struct stat st;
	const struct head *h;
	int seals = fcntl(fd, F_GET_SEALS);

	*ret = (struct bans){ 0 };
	if (seals == -1 || (seals & SEALS) != SEALS || fstat(fd, &st) == -1 ||
		st.st_size < (off_t)sizeof *h)
		return -EPROTO;
	/* Not MAP_SHARED: with F_SEAL_WRITE Linux before 6.7 refuses that even
	 * for reading. */
	h = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (h == MAP_FAILED)
		return -errno;
	ret->mapping = h;
	ret->size = (size_t)st.st_size;
	ret->at = (const void *)(h + 1);
	ret->n = h->n;
	if (memcmp(h->magic, MAGIC, sizeof h->magic) != 0 ||
		h->entry_size != sizeof *ret->at ||
		ret->size != sizeof *h + (size_t)h->n * sizeof *ret->at ||
		index_lengths(ret) < 0) {
		bans_unmap(ret);
		return -EPROTO;
	}
	return 0;
}

void
bans_unmap(struct bans *b)
{
	if (b->mapping != NULL)
		(void)munmap((void *)(uintptr_t)b->mapping, b->size);
	*b = (struct bans){ 0 };
}

static const struct ban_entry *
search(const struct bans *b, const struct bans_length *l, const uint8_t ip[16])
{
	uint8_t key[16] = { 0 };
	uint32_t low = l->first, high = l->first + l->n;

	memcpy(key, ip, l->bits / 8);
	if (l->bits % 8 != 0)
		key[l->bits / 8] =
			(uint8_t)(ip[l->bits / 8] & (0xff00u >> l->bits % 8));
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		int cmp = memcmp(key, b->at[mid].address, sizeof key);

		if (cmp == 0)
			return &b->at[mid];
		if (cmp < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

const struct ban_entry *
bans_find(const struct bans *b, const uint8_t ip[16], uint64_t now_ms)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	unsigned least = memcmp(ip, mapped, sizeof mapped) == 0 ? 96 : 0;

	for (unsigned i = 0; i < b->n_lengths; i++) {
		const struct ban_entry *e;

		if (b->length[i].bits < least)
			continue;
		e = search(b, &b->length[i], ip);
		if (e != NULL && (e->until_ms == 0 || e->until_ms > now_ms))
			return e;
	}
	return NULL;
}
