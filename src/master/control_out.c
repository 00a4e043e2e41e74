/* SPDX-License-Identifier: MIT */
#include "master/control_out.h"

#include "base/xalloc.h"
#include "master/control.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

void
control_out_fini(struct control_out *out)
{
	free(out->p);
	*out = (struct control_out){ 0 };
}

static void
make_room(struct control_out *out, size_t len)
{
	size_t cap = out->cap ? out->cap : 4096;

	if (out->at > 0) {
		memmove(out->p, out->p + out->at, out->len - out->at);
		out->len -= out->at;
		out->at = 0;
	}
	while (cap < out->len + len)
		cap *= 2;
	if (cap != out->cap)
		out->p = xrealloc(out->p, cap, 1);
	out->cap = cap;
}

void
control_out_force(struct control_out *out, struct slice s)
{
	if (s.len == 0)
		return;
	if (out->len + s.len > out->cap)
		make_room(out, s.len);
	memcpy(out->p + out->len, s.p, s.len);
	out->len += s.len;
}

void
control_out_add(struct control_out *out, struct slice s)
{
	/* Once over, always over: no row may follow one that was cut. */
	if (out->over || control_out_pending(out) + s.len > CONTROL_OUT_MAX) {
		out->over = true;
		return;
	}
	control_out_force(out, s);
}

static const char *
escape(char c)
{
	switch (c) {
	case '\t':
		return "\\t";
	case '\n':
		return "\\n";
	case '\\':
		return "\\\\";
	default:
		return NULL;
	}
}

void
control_out_escaped(struct control_out *out, struct slice s)
{
	size_t i, from = 0;

	for (i = 0; i < s.len; i++) {
		const char *text = escape(s.p[i]);

		if (!text)
			continue;
		control_out_add(out, slice_of(s.p + from, i - from));
		control_out_add(out, slice_str(text));
		from = i + 1;
	}
	control_out_add(out, slice_skip(s, from));
}

long
control_out_send(struct control_out *out, int fd)
{
	ssize_t n = send(fd, out->p + out->at, control_out_pending(out),
		MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n == -1)
		return -errno;
	out->at += (size_t)n;
	if (out->at == out->len)
		out->at = out->len = 0;
	return n;
}
