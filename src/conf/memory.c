/* SPDX-License-Identifier: MIT */
#include "base/fd.h"
#include "base/hash.h"
#include "base/xalloc.h"
#include "conf/private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define MAGIC   "BNTRCONF"
#define VERSION 1 /* of struct conf's meaning; its size is checked as well */
#define SEALS   (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

struct sealed {
	char magic[8];
	uint32_t version, size;
	uint64_t sum;
	struct conf conf;
};

/* Against half a file and our own mistakes, not against an attacker: the key
 * need not be secret. */
static uint64_t
checksum(const struct conf *conf)
{
	static const struct hash_key key = { 0x62616e746572, 0x636f6e66 };

	return hash_bytes(&key, conf, sizeof(*conf));
}

/* Everybody who walks a list trusts its count. */
static bool
has_sane_counts(const struct conf *c)
{
	if (c->n_listen == 0 || c->n_listen > CONF_LISTENERS ||
		c->n_rooms > CONF_ROOMS || c->limits.exempt.n > CONF_NETS)
		return false;
	for (uint32_t i = 0; i < c->n_listen; i++) {
		const struct conf_listen *l = &c->listen[i];

		if (l->n_addresses > CONF_ADDRESSES || l->allow.n > CONF_NETS ||
			l->deny.n > CONF_NETS ||
			l->proxy_protocol.n > CONF_NETS)
			return false;
	}
	return true;
}

int
conf_map_seal(const struct conf *conf)
{
	struct sealed *s;
	int fd;

	if (!has_sane_counts(conf))
		return -EBADMSG;
	s = xcalloc(1, sizeof(*s));
	memcpy(s->magic, MAGIC, sizeof(s->magic));
	s->version = VERSION;
	s->size = sizeof(*s);
	s->conf = *conf;
	s->sum = checksum(&s->conf);
	fd = fd_sealed("banter-conf", s, sizeof(*s));
	free(s);
	return fd;
}

static bool
is_valid(const struct sealed *s)
{
	return !memcmp(s->magic, MAGIC, sizeof(s->magic)) &&
	       s->version == VERSION && s->size == sizeof(*s) &&
	       s->sum == checksum(&s->conf) && has_sane_counts(&s->conf);
}

const struct conf *
conf_map(int fd)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);
	const struct sealed *s;

	if (seals == -1 || (seals & SEALS) != SEALS || fstat(fd, &st) == -1 ||
		st.st_size != (off_t)sizeof(*s))
		return NULL;
	/* Not MAP_SHARED: with F_SEAL_WRITE Linux before 6.7 refuses that even
	 * for reading. */
	s = mmap(NULL, sizeof(*s), PROT_READ, MAP_PRIVATE, fd, 0);
	if (s == MAP_FAILED)
		return NULL;
	if (!is_valid(s)) {
		(void)munmap((void *)(uintptr_t)s, sizeof(*s));
		return NULL;
	}
	return &s->conf;
}

void
conf_unmap(const struct conf **conf)
{
	if (*conf)
		(void)munmap((void *)((uintptr_t)*conf -
				      offsetof(struct sealed, conf)),
			sizeof(struct sealed));
	*conf = NULL;
}
