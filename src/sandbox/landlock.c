/* Debian 12's C library has no wrappers, and its <linux/landlock.h> ends with
 * ABI 2: what later kernels have is written down here.
 *
 * SPDX-License-Identifier: MIT */
#include "sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Rights to files by their bits: 13 with ABI 1, then REFER, TRUNCATE in 3,
 * IOCTL_DEV in 5. */
#define FS_ABI_1 ((UINT64_C(1) << 13) - 1)
#define FS_ABI_2 ((UINT64_C(1) << 14) - 1)
#define FS_ABI_3 ((UINT64_C(1) << 15) - 1)
#define FS_ABI_5 ((UINT64_C(1) << 16) - 1)

#define NET_BIND_CONNECT_TCP   UINT64_C(3) /* ABI 4 */
#define SCOPE_ABSTRACT_SIGNALS UINT64_C(3) /* ABI 6 */

struct attributes {
	uint64_t fs;
	uint64_t net;    /* ABI 4 */
	uint64_t scoped; /* ABI 6 */
};

static uint64_t
all_of_files(int abi)
{
	if (abi >= 5)
		return FS_ABI_5;
	if (abi >= 3)
		return FS_ABI_3;
	return abi == 2 ? FS_ABI_2 : FS_ABI_1;
}

static size_t
known_len(int abi)
{
	if (abi >= 6)
		return sizeof(struct attributes);
	return abi >= 4 ? offsetof(struct attributes, scoped)
			: offsetof(struct attributes, net);
}

/* Where they are nobody knows before they are parsed: motd and includes may be
 * anywhere. */
static int
may_read_all(int rules)
{
	struct landlock_path_beneath_attr beneath = {
		.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE |
				  LANDLOCK_ACCESS_FS_READ_DIR,
		.parent_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)
	};
	int rc = 0;

	if (beneath.parent_fd == -1 ||
		syscall(SYS_landlock_add_rule, rules,
			LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) == -1)
		rc = -errno;
	if (beneath.parent_fd >= 0)
		(void)close(beneath.parent_fd);
	return rc;
}

int
landlock_enter(enum sandbox_role role)
{
	struct attributes a = { .net = NET_BIND_CONNECT_TCP,
		.scoped = SCOPE_ABSTRACT_SIGNALS };
	int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
		LANDLOCK_CREATE_RULESET_VERSION);
	int rules, rc = 0;

	/* ENOSYS, EOPNOTSUPP; EPERM where a service manager forbids it. */
	if (abi <= 0)
		return 0;
	a.fs = all_of_files(abi);
	rules = (int)syscall(
		SYS_landlock_create_ruleset, &a, known_len(abi), 0);
	if (rules == -1)
		return -errno;
	if (role == SANDBOX_PARSER)
		rc = may_read_all(rules);
	if (rc == 0 && syscall(SYS_landlock_restrict_self, rules, 0) == -1)
		rc = -errno;
	(void)close(rules);
	return rc < 0 ? rc : abi;
}
