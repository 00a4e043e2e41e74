/* SPDX-License-Identifier: MIT */
#include "master/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

int
privileges_group(const char *name, gid_t *ret)
{
	const struct group *g;

	errno = 0;
	g = getgrnam(name);
	if (!g)
		return errno ? -errno : -ENOENT;
	*ret = g->gr_gid;
	return 0;
}

int
privileges_find(struct privileges *p, const char *user, const char *group,
	const char **ret_missing)
{
	const struct passwd *pw;
	bool root = geteuid() == 0;
	int rc;

	*p = (struct privileges){
		.user = user, .uid = geteuid(), .gid = getegid()
	};
	*ret_missing = user;
	errno = 0;
	pw = getpwnam(user);
	if (!pw && root)
		return errno ? -errno : -ENOENT;
	if (!root) {
		p->other_user = !pw || pw->pw_uid != p->uid;
		return 0;
	}
	p->uid = pw->pw_uid;
	*ret_missing = group;
	rc = privileges_group(group, &p->gid);
	if (rc < 0)
		return rc;
	p->drop = p->uid != 0;
	return 0;
}

/* The set that is permitted survives the change of user by PR_SET_KEEPCAPS, the
 * effective one does not. */
static int
keep_only(const cap_value_t *value, int n)
{
	cap_t caps = cap_init();
	int rc = 0;

	if (!caps)
		return -errno;
	if (n > 0 &&
		(cap_set_flag(caps, CAP_PERMITTED, n, value, CAP_SET) == -1 ||
			cap_set_flag(caps, CAP_EFFECTIVE, n, value, CAP_SET) ==
				-1))
		rc = -errno;
	if (rc == 0 && cap_set_proc(caps) == -1)
		rc = -errno;
	(void)cap_free(caps);
	return rc;
}

/* A container may have taken it from us. */
static bool
has_bind_service(void)
{
	cap_flag_value_t value = CAP_CLEAR;
	cap_t caps = cap_get_proc();

	if (!caps)
		return false;
	(void)cap_get_flag(caps, CAP_NET_BIND_SERVICE, CAP_PERMITTED, &value);
	(void)cap_free(caps);
	return value == CAP_SET;
}

static int
become(const struct privileges *p)
{
	/* Its other groups too: of one of them a socket may be. */
	if (initgroups(p->user, p->gid) == -1 ||
		setresgid(p->gid, p->gid, p->gid) == -1 ||
		setresuid(p->uid, p->uid, p->uid) == -1)
		return -errno;
	return 0;
}

int
privileges_drop(const struct privileges *p)
{
	const cap_value_t bind[] = { CAP_NET_BIND_SERVICE };
	int n = has_bind_service();
	int rc;

	if (!p->drop)
		return 0;
	if (prctl(PR_SET_KEEPCAPS, 1) == -1)
		return -errno;
	rc = become(p);
	if (rc == 0)
		rc = keep_only(bind, n);
	if (rc < 0)
		return rc;
	if (prctl(PR_SET_KEEPCAPS, 0) == -1)
		return -errno;
	/* Nothing of root must be left to come back to. */
	if (setresuid(0, 0, 0) == 0 || setresgid(0, 0, 0) == 0)
		return -EPERM;
	/* The change of user clears it, and then /proc/self belongs to root:
	 * workers look into their /proc/self/fd. */
	(void)prctl(PR_SET_DUMPABLE, 1);
	return 0;
}

static void
set_inheritable(bool on)
{
	const cap_value_t bind[] = { CAP_NET_BIND_SERVICE };
	cap_t caps = cap_get_proc();

	if (!caps)
		return;
	if (cap_set_flag(caps, CAP_INHERITABLE, 1, bind,
		    on ? CAP_SET : CAP_CLEAR) == 0)
		(void)cap_set_proc(caps);
	(void)cap_free(caps);
}

void
privileges_keep(bool on)
{
	if (geteuid() == 0 || !has_bind_service())
		return;
	/* An exec by another user than root drops all but the ambient ones,
	 * and those have to be inheritable. */
	if (on)
		set_inheritable(true);
	(void)prctl(PR_CAP_AMBIENT,
		on ? PR_CAP_AMBIENT_RAISE : PR_CAP_AMBIENT_LOWER,
		CAP_NET_BIND_SERVICE, 0, 0);
	if (!on)
		set_inheritable(false);
}

void
privileges_forget(void)
{
	if (geteuid() != 0)
		(void)keep_only(NULL, 0);
}
