/* SPDX-License-Identifier: MIT */
#include "base/notify.h"

#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#define MESSAGE_MAX 1024

static struct sockaddr_un manager;
static socklen_t manager_len; /* 0: nobody */

/* A path, or '@' and the name of an abstract socket, whose first byte is NUL
 * and whose end is told by the length alone. */
static bool
take_address(const char *text)
{
	size_t len = strlen(text);

	if (len < 2 || len >= sizeof(manager.sun_path) ||
		(text[0] != '/' && text[0] != '@'))
		return false;
	manager.sun_family = AF_UNIX;
	memcpy(manager.sun_path, text, len + 1);
	if (text[0] == '@')
		manager.sun_path[0] = '\0';
	manager_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	return true;
}

bool
notify_open(void)
{
	const char *text = getenv("NOTIFY_SOCKET");
	bool known = text && take_address(text);

	(void)unsetenv("NOTIFY_SOCKET"); /* fails for a bad name only */
	return known;
}

void
notify_address(char ret[NOTIFY_ADDRESS_LEN])
{
	size_t len =
		manager_len == 0
			? 0
			: manager_len - offsetof(struct sockaddr_un, sun_path);

	memcpy(ret, manager.sun_path, len);
	ret[len] = '\0';
	if (len > 0 && ret[0] == '\0')
		ret[0] = '@';
}

bool
notify_set(const char *address)
{
	return *address == '\0' || take_address(address);
}

void
notify_forget(void)
{
	manager_len = 0;
}

/* A socket each time: a kept one would be one more descriptor to pass over
 * forks, and a manager that was re-executed keeps the path, not the socket. */
static int
send_message(const char *text, size_t len)
{
	struct timeval limit = { .tv_usec = 250 * 1000 };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ssize_t n;
	int rc;

	if (fd == -1)
		return -errno;
	/* READY=1 is worth a short wait when the manager's queue is full, but
	 * not the life of the master. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	do
		n = sendto(fd, text, len, MSG_NOSIGNAL,
			(const struct sockaddr *)&manager, manager_len);
	while (n == -1 && errno == EINTR);
	rc = n == -1 ? -errno : 1;
	fd_close(&fd);
	return rc;
}

int
notify_send(const char *fmt, ...)
{
	char text[MESSAGE_MAX];
	va_list ap;
	int len;

	if (manager_len == 0)
		return 0;
	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len < 0 || len >= (int)sizeof(text))
		return -EMSGSIZE;
	return send_message(text, (size_t)len);
}

int
notify_reloading(void)
{
	return notify_send("RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\n",
		clock_mono_ns() / 1000);
}
