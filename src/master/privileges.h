/* privileges.h - from root to the daemon's user, for good.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_PRIVILEGES_H
#define BANTER_MASTER_PRIVILEGES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct privileges {
	const char *user; /* borrowed from privileges_find() */
	uid_t uid;
	gid_t gid;
	bool drop;       /* we are root and the user is another */
	bool other_user; /* we are not root, and the user is another */
};

/* Look up user and group.  0; -ENOENT with *ret_missing being the name that
 * does not exist (only when we are root: else it does not matter); -errno. */
int privileges_find(struct privileges *p, const char *user, const char *group,
	const char **ret_missing);

/* Become that user, keeping CAP_NET_BIND_SERVICE alone.  0 or -errno: then the
 * process must end. */
int privileges_drop(const struct privileges *p);

/* In a child that binds nothing: no capability at all. */
void privileges_forget(void);

/* Let what is kept outlast an exec of ours, or no longer. */
void privileges_keep(bool on);

/* The gid of a group, or -ENOENT. */
int privileges_group(const char *name, gid_t *ret);

#endif
