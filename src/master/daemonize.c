/* SPDX-License-Identifier: MIT */
#include "master/daemonize.h"

#include "base/fd.h"
#include "master/master.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

void
daemonize_stdio(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	fd_close(&fd);
}

/* The daemon's byte, or its end. */
static int
wait_for_report(int fd)
{
	unsigned char code;
	ssize_t n;

	do
		n = read(fd, &code, 1);
	while (n == -1 && errno == EINTR);
	return n == 1 ? code : MASTER_EXIT_INTERNAL;
}

int
daemonize_start(int *ret_report_fd)
{
	int end[2], code;
	pid_t pid;

	if (pipe2(end, O_CLOEXEC) == -1)
		return MASTER_EXIT_OS;
	pid = fork();
	if (pid == -1) {
		fd_close(&end[0]);
		fd_close(&end[1]);
		return MASTER_EXIT_OS;
	}
	if (pid == 0) {
		fd_close(&end[0]);
		*ret_report_fd = end[1];
		/* A leader of its own session without a terminal, and it never
		 * opens one. */
		(void)setsid();
		(void)!chdir("/");
		return -1;
	}
	fd_close(&end[1]);
	code = wait_for_report(end[0]);
	fd_close(&end[0]);
	return code;
}

void
daemonize_silence(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd == -1)
		return;
	for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
		(void)dup2(fd, i);
	fd_close(&fd);
}

void
daemonize_report(int *report_fd, int code, bool quiet)
{
	unsigned char byte = (unsigned char)code;

	if (*report_fd < 0)
		return;
	if (quiet && code == MASTER_EXIT_OK)
		daemonize_silence();
	(void)!write(*report_fd, &byte, 1);
	fd_close(report_fd);
}
