/* listeners_options.c - what a configuration says of a socket, but its address.
 *
 * SPDX-License-Identifier: MIT
 */
#include "log/log.h"
#include "master/listeners.h"
#include "master/privileges.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct listen_options
options_of(const struct conf *conf)
{
	uint32_t lost_s = conf->keepalive.idle_s +
			  conf->keepalive.interval_s * conf->keepalive.count;

	return (struct listen_options){ .backlog = SOMAXCONN,
		.keepalive_idle_s = conf->keepalive.idle_s,
		.keepalive_interval_s = conf->keepalive.interval_s,
		.keepalive_count = conf->keepalive.count,
		.user_timeout_ms = lost_s > 86400 ? 86400000 : lost_s * 1000 };
}

int
listeners_options(
	const struct conf *conf, unsigned listen, struct listen_options *ret)
{
	const struct conf_listen *l = &conf->listen[listen];

	*ret = options_of(conf);
	ret->mode = (unsigned)strtoul(l->socket_mode, NULL, 8);
	ret->gid = (gid_t)-1;
	return *l->socket_group ? privileges_group(l->socket_group, &ret->gid)
				: 0;
}

/* The file of a supervisor's socket is the supervisor's.  A group that nobody
 * has asked for is the folder's, maybe: it stays. */
static void
adjust_file(const struct address *a, const struct conf *was,
	const struct conf *conf)
{
	struct listen_options o;
	int rc;

	if (a->inherited)
		return;
	rc = listeners_options(conf, a->next_listen, &o);
	if (*conf->listen[a->next_listen].socket_group == '\0' &&
		a->listen < was->n_listen &&
		*was->listen[a->listen].socket_group != '\0')
		o.gid = getegid();
	if (rc == 0)
		rc = listen_set_file(&a->bound, &o);
	if (rc < 0)
		log_warning("%s: its mode and group cannot be set: %s",
			a->bound.text, strerror(-rc));
}

void
listeners_adjust(
	struct address *a, const struct conf *was, const struct conf *conf)
{
	struct listen_options o = options_of(conf);

	if (a->bound.ss.ss_family == AF_UNIX) {
		adjust_file(a, was, conf);
		return;
	}
	for (unsigned i = 0; i < a->n_fds; i++)
		(void)listen_adjust(a->fd[i], &o);
}
