/* SPDX-License-Identifier: MIT */
#include "base/fd.h"
#include "log/log.h"
#include "master/listeners.h"

#include <errno.h>
#include <string.h>

static const char *
what_is_wrong(int rc)
{
	switch (rc) {
	case -ESOCKTNOSUPPORT:
		return "is not a stream socket";
	case -EDESTADDRREQ:
		return "does not listen";
	case -EPROTONOSUPPORT:
		return "is not of TCP";
	case -EAFNOSUPPORT:
		return "has an address of a kind that is not served";
	default:
		return strerror(-rc);
	}
}

static void
inherit_one(struct listeners *ls, int fd)
{
	struct spare_socket s = { .fd = fd };
	int rc = ls->n_spare == SLOT_LISTENERS_MAX
			 ? -E2BIG
			 : inherit_look(fd, &s.at, &s.dual);

	if (rc == 0) {
		ls->spare[ls->n_spare++] = s;
		return;
	}
	log_warning("LISTEN_FDS: descriptor %d is closed: %s", fd,
		what_is_wrong(rc));
	fd_close(&fd);
}

void
listeners_inherit(struct listeners *ls, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		inherit_one(ls, INHERIT_FIRST_FD + (int)i);
}

void
listeners_drop_spare(struct listeners *ls)
{
	for (unsigned i = 0; i < ls->n_spare; i++) {
		log_warning("LISTEN_FDS: descriptor %d is closed: no listen "
			    "section has the address %s",
			ls->spare[i].fd, ls->spare[i].at.text);
		fd_close(&ls->spare[i].fd);
	}
	ls->n_spare = 0;
}
