/* SPDX-License-Identifier: MIT */
#include "base/fault.h"

#ifdef BANTER_TEST_FAULTS
# include "base/fd.h"

# include <errno.h>
# include <fcntl.h>
# include <signal.h>
# include <stdint.h>
# include <stdio.h>
# include <stdlib.h>
# include <string.h>
# include <sys/mman.h>
# include <unistd.h>

# define RULES_MAX   32
# define STRIKES_MAX 256

enum kind {
	POINT,
	CALL,
	LENGTH
};

enum action {
	ACT_KILL,
	ACT_ABORT,
	ACT_SEGV,
	ACT_STALL,
	ACT_LATE,
	ACT_SHORT,
	ACT_HALF,
	ACT_ERROR,
};

static const char *const action_name[ACT_ERROR] = {
	"kill",
	"abort",
	"segv",
	"stall",
	"late",
	"short",
	"half",
};

# define ROW(name, who, kind, file, what) { # name, kind },
static const struct {
	const char *name;
	enum kind kind;
} points[FAULT_N_POINTS] = { FAULT_POINTS(ROW) };

struct rule {
	enum fault_point point;
	enum action action;
	int error;
	uint64_t count;
	bool on;       /* also at each passage after the count-th */
	unsigned slot; /* 0: any process */
	char text[64];
};

/* Shared by all processes; fetched and added to atomically. */
struct counts {
	uint64_t passed[FAULT_N_POINTS];
	uint64_t of_rule[RULES_MAX];
};

/* A file of these: a process that may open nothing can still write to it.  What
 * is taken is not yet text, and that is complete with its first byte. */
struct strike {
	char text[127];
	char taken;
};

bool fault_armed;

static struct rule rules[RULES_MAX];
static unsigned n_rules;
static struct counts *counts;
static const char *my_role = "master";
static unsigned my_slot;
static struct strike *report; /* [STRIKES_MAX], or NULL */

static bool
take_point(struct rule *r, const char *name)
{
	for (unsigned i = 0; i < FAULT_N_POINTS; i++)
		if (!strcmp(points[i].name, name)) {
			r->point = (enum fault_point)i;
			return true;
		}
	return false;
}

static bool
take_action(struct rule *r, const char *name)
{
	for (unsigned i = 0; i < ACT_ERROR; i++)
		if (!strcmp(action_name[i], name)) {
			r->action = (enum action)i;
			return (r->action != ACT_SHORT &&
				       r->action != ACT_HALF) ||
			       points[r->point].kind == LENGTH;
		}
	r->action = ACT_ERROR;
	for (int e = 1; e < 256; e++) {
		const char *known = strerrorname_np(e);

		if (known != NULL && !strcmp(known, name)) {
			r->error = e;
			return points[r->point].kind == CALL;
		}
	}
	return false;
}

/* "count", "count+", each with "@slot". */
static bool
take_count(struct rule *r, const char *text)
{
	char *end;

	r->count = strtoull(text, &end, 10);
	if (end == text || r->count == 0 || r->count == UINT64_MAX)
		return false;
	if (*end == '+') {
		r->on = true;
		end++;
	}
	if (*end == '@') {
		text = end + 1;
		r->slot = (unsigned)strtoul(text, &end, 10);
		if (end == text || r->slot == 0)
			return false;
	}
	return *end == '\0';
}

static bool
take_rule(struct rule *r)
{
	char mem[sizeof r->text];
	char *save, *name, *action, *count;

	memcpy(mem, r->text, sizeof mem);
	name = strtok_r(mem, ":", &save);
	action = strtok_r(NULL, ":", &save);
	count = strtok_r(NULL, ":", &save);
	return count != NULL && take_point(r, name) && take_action(r, action) &&
	       take_count(r, count);
}

/* NULL, or the first one that is wrong. */
static const char *
take_rules(const char *text)
{
	while (*text) {
		struct rule *r = &rules[n_rules < RULES_MAX ? n_rules : 0];
		size_t len = strcspn(text, ",");
		bool fits = len < sizeof r->text;

		*r = (struct rule){ .slot = 0 };
		memcpy(r->text, text, fits ? len : sizeof r->text - 1);
		if (n_rules == RULES_MAX || !fits || !take_rule(r))
			return r->text;
		n_rules++;
		text += len;
		text += *text == ',';
	}
	return NULL;
}

/* Shared memory, of a file unless path is NULL.  NULL: it cannot be had. */
static void *
map(const char *path, size_t size)
{
	int flags = MAP_SHARED | (path == NULL ? MAP_ANONYMOUS : 0);
	int fd = -1;
	void *p;

	if (path != NULL) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
		if (fd == -1 || ftruncate(fd, (off_t)size) == -1)
			return NULL;
	}
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
	fd_close(&fd);
	return p == MAP_FAILED ? NULL : p;
}

const char *
fault_init(void)
{
	const char *text = getenv("BANTER_FAULT");
	const char *path = getenv("BANTER_FAULT_COUNTS");
	const char *report_path = getenv("BANTER_FAULT_REPORT");
	const char *wrong;

	fault_armed = false;
	n_rules = 0;
	report = NULL;
	if (text == NULL && path == NULL)
		return NULL;
	wrong = take_rules(text != NULL ? text : "");
	if (wrong != NULL)
		return wrong;
	counts = map(path, sizeof *counts);
	if (counts == NULL)
		return "BANTER_FAULT_COUNTS";
	if (report_path != NULL && *report_path != '\0') {
		report = map(report_path, STRIKES_MAX * sizeof *report);
		if (report == NULL)
			return "BANTER_FAULT_REPORT";
	}
	fault_armed = true;
	return NULL;
}

void
fault_role(const char *role, unsigned slot)
{
	my_role = role;
	my_slot = slot;
}

static struct strike *
free_strike(void)
{
	for (unsigned i = 0; report != NULL && i < STRIKES_MAX; i++)
		if (__atomic_exchange_n(
			    &report[i].taken, 1, __ATOMIC_ACQ_REL) == 0)
			return &report[i];
	return NULL;
}

static void
report_strike(const struct rule *r)
{
	struct strike *to = free_strike(), line;
	char action[32];

	if (to == NULL)
		return;
	(void)snprintf(action, sizeof action, "%s",
		r->action == ACT_ERROR ? strerrorname_np(r->error)
				       : action_name[r->action]);
	(void)snprintf(line.text, sizeof line.text, "%s %d %s %s %u\n",
		points[r->point].name, (int)getpid(), action, my_role, my_slot);
	memcpy(to->text + 1, line.text + 1, strlen(line.text + 1));
	__atomic_store_n(to->text, line.text[0], __ATOMIC_RELEASE);
}

/* The rule that strikes at this passage, or NULL. */
static const struct rule *
passage(enum fault_point point)
{
	const struct rule *strikes = NULL;

	(void)__atomic_add_fetch(&counts->passed[point], 1, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < n_rules; i++) {
		const struct rule *r = &rules[i];
		uint64_t n;

		if (r->point != point || (r->slot != 0 && r->slot != my_slot))
			continue;
		n = __atomic_add_fetch(
			&counts->of_rule[i], 1, __ATOMIC_RELAXED);
		if (n == r->count || (r->on && n > r->count))
			strikes = r;
	}
	return strikes;
}

/* Not NULL: a compiler that sees such a store traps, with SIGILL, and UBSan
 * stops before it. */
_Noreturn void
fault_segv(void)
{
	volatile int *page = mmap(NULL, sizeof *page, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (;;)
		*page = 1;
}

static const struct rule *
strike(enum fault_point point)
{
	const struct rule *r = passage(point);

	if (r == NULL)
		return NULL;
	report_strike(r);
	if (r->action == ACT_KILL)
		(void)raise(SIGKILL);
	if (r->action == ACT_ABORT)
		abort();
	if (r->action == ACT_SEGV)
		fault_segv();
	while (r->action == ACT_STALL)
		(void)usleep(1000);
	if (r->action == ACT_LATE)
		(void)usleep(FAULT_LATE_MS * 1000);
	return r;
}

int
fault_pass(enum fault_point point)
{
	int e = errno;
	const struct rule *r = strike(point);

	errno = e;
	return r != NULL && r->action == ACT_ERROR ? r->error : 0;
}

bool
fault_fails(enum fault_point point)
{
	int e = fault_pass(point);

	if (e != 0)
		errno = e;
	return e != 0;
}

size_t
fault_shorten(enum fault_point point, size_t len)
{
	int e = errno;
	const struct rule *r = strike(point);

	errno = e;
	if (r == NULL || len <= 1)
		return len;
	if (r->action == ACT_HALF)
		return len / 2;
	return r->action == ACT_SHORT ? 1 : len;
}
#else
/* A file with nothing in it is not C. */
extern int fault_none;
#endif
