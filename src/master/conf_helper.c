/* SPDX-License-Identifier: MIT */
#include "master/conf_helper.h"

#include "base/fd.h"
#include "base/notify.h"
#include "bus/ctl.h"
#include "master/keeper_fork.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct result {
	int32_t rc;
	struct conf_report report;
};

_Static_assert(sizeof(struct result) + sizeof(struct ctl_head) <= CTL_MAX,
	"a report fits into one message");

/* Our own line, unlike those of workers: the peer is our own image and has read
 * nothing but files. */
static _Noreturn void
child(int sock, const char *path, unsigned timeout_ms, pid_t parent)
{
	static struct result r;
	int fd = -1, keep[1] = { sock };

	(void)prctl(PR_SET_NAME, "banterd: conf");
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	keeper_fork_close_others(keep, 1);
	notify_forget();
	r.rc = conf_load(path, timeout_ms, &fd, &r.report);
	/* Blocking would be right, but an answer always fits. */
	_exit(ctl_send(sock, CTL_PREPARE, 0, &r, sizeof r, fd) < 0);
}

int
conf_helper_start(struct conf_helper *h, const char *path, unsigned timeout_ms)
{
	pid_t parent = getpid();
	int end[2], rc = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, end) == -1)
		return -errno;
	h->pid = fork();
	if (h->pid == 0)
		child(end[1], path, timeout_ms, parent);
	if (h->pid == -1) {
		rc = -errno;
		h->pid = 0;
		fd_close(&end[0]);
	}
	fd_close(&end[1]);
	h->fd = end[0];
	return rc;
}

int
conf_helper_take(struct conf_helper *h, int *ret_fd, struct conf_report *report)
{
	static _Alignas(8) char mem[CTL_MAX];
	static struct result r;
	struct ctl_head head;
	struct slice body;
	int rc = ctl_recv(h->fd, mem, true, &head, &body, ret_fd);

	memset(report, 0, sizeof *report);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return -EPIPE;
	if (body.len != sizeof r) {
		fd_close(ret_fd);
		return -EPROTO;
	}
	memcpy(&r, body.p, sizeof r);
	*report = r.report;
	report->text[sizeof report->text - 1] = '\0';
	report->len = strlen(report->text);
	if (r.rc == 0 && *ret_fd < 0)
		return -EPROTO;
	return r.rc;
}

void
conf_helper_end(struct conf_helper *h)
{
	fd_close(&h->fd);
	if (h->pid != 0)
		(void)kill(h->pid, SIGKILL); /* not reaped: its own pid */
}
