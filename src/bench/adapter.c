/* SPDX-License-Identifier: MIT */
#include "bench/adapter.h"

#include <string.h>

static const struct bench_adapter *const adapters[] = { &bench_banter,
	&bench_raw, &bench_line, &bench_irc, &bench_mqtt, &bench_nats,
	&bench_redis };

const struct bench_adapter *
bench_adapter_find(const char *name)
{
	for (size_t i = 0; i < sizeof adapters / sizeof adapters[0]; i++)
		if (!strcmp(adapters[i]->name, name))
			return adapters[i];
	return NULL;
}

bool
bench_line_take(struct slice *in, struct slice *ret_line)
{
	const char *lf = in->len ? memchr(in->p, '\n', in->len) : NULL;
	size_t len;

	if (!lf)
		return false;
	len = (size_t)(lf - in->p);
	*ret_line = slice_of(in->p, len && lf[-1] == '\r' ? len - 1 : len);
	*in = slice_skip(*in, len + 1);
	return true;
}
