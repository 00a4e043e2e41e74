/* control_state.c - the control socket and its connections, passed on to the
 * next image of the master.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/xalloc.h"
#include "master/control_private.h"

static void
save_request(const struct control_request *r, struct keep *k)
{
	keep_fd(k, r->fd);
	pack_u64(&k->pack, r->state);
	pack_u64(&k->pack, r->out.over);
	pack_bytes(&k->pack, r->line, r->line_len);
	pack_bytes(
		&k->pack, r->out.p + r->out.at, control_out_pending(&r->out));
}

static void
answer_busy(struct control_request *r, const char *busy)
{
	control_cancel_fn *cancel = r->cancel;

	r->cancel = NULL;
	if (cancel)
		cancel(r->cancel_arg);
	control_finish(r, CONTROL_REFUSED, "%s", busy);
}

void
control_save(struct control *c, struct control_request *asker, const char *busy,
	struct keep *k)
{
	control_socket_save(&c->socket, k);
	pack_u64(&k->pack, c->n_requests);
	for (struct control_request *r = c->requests; r; r = r->next) {
		if (busy && r->state == WAITING && r != asker)
			answer_busy(r, busy);
		save_request(r, k);
	}
}

static bool
restore_request(
	struct control *c, struct kept *k, struct control_request **ret_asker)
{
	int fd = kept_fd_if_open(k);
	uint64_t state = unpack_u64(&k->u), over = unpack_u64(&k->u);
	struct slice line = unpack_bytes(&k->u), out = unpack_bytes(&k->u);
	struct control_request *r;

	if (k->u.bad || state > WRITING || line.len > CONTROL_LINE_MAX)
		return false;
	/* A newer image that has given the place back may have closed it: one
	 * peer less. */
	if (k->rehearse || fd < 0)
		return true;
	r = control_take_in(c, fd);
	if (!r)
		return true; /* one peer less */
	memcpy(r->line, line.p, line.len);
	r->line_len = line.len;
	r->state = (enum state)state;
	control_out_force(&r->out, out);
	r->out.over = over;
	control_watch(r, true);
	if (r->state == WAITING)
		*ret_asker = r;
	return true;
}

bool
control_restore(struct loop *loop, control_handler_fn *handler, void *arg,
	struct kept *k, struct control **ret,
	struct control_request **ret_asker)
{
	struct control *c = xcalloc(1, sizeof(*c));
	uint64_t n;

	c->loop = loop;
	c->handler = handler;
	c->arg = arg;
	*ret = c;
	*ret_asker = NULL;
	control_socket_restore(&c->socket, k);
	n = unpack_u64(&k->u);
	if (k->u.bad || n > CONTROL_CONNECTIONS)
		return false;
	if (!k->rehearse &&
		loop_add(loop, c->socket.fd, EPOLLIN, control_accept, c) < 0)
		return false;
	for (uint64_t i = 0; i < n; i++)
		if (!restore_request(c, k, ret_asker))
			return false;
	if (!k->rehearse && c->n_requests == CONTROL_CONNECTIONS)
		(void)loop_mod(loop, c->socket.fd, 0);
	return true;
}
