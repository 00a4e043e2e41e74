/* SPDX-License-Identifier: MIT */
#include "load.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct interval {
	uint64_t pause_us, gap_us, delivered;
};

static struct interval *interval;
static unsigned n_intervals;
static uint64_t last_ns;

static void
begin(void)
{
	interval = load_grow(interval, (n_intervals + 1) * sizeof(*interval));
	interval[n_intervals++] = (struct interval){ 0, 0, 0 };
	printf("MARK %u\n", n_intervals);
}

bool
marks_read(struct load *l)
{
	static char line[64];
	static size_t len;
	struct pollfd pfd = { 0, POLLIN, 0 };
	char c;

	while (!l->ended && poll(&pfd, 1, 0) == 1) {
		ssize_t n = read(0, &c, 1);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			l->ended = true;
		else if (c != '\n' && len < sizeof(line) - 1)
			line[len++] = c;
		else if (c == '\n') {
			if (len == 4 && !memcmp(line, "mark", 4))
				begin();
			len = 0;
		}
	}
	return l->ended;
}

void
marks_delivered(uint64_t now_ns, uint64_t took_us)
{
	struct interval *i;
	uint64_t gap_us = last_ns ? (now_ns - last_ns) / 1000 : 0;

	last_ns = now_ns;
	if (!n_intervals)
		return;
	i = &interval[n_intervals - 1];
	i->delivered++;
	if (took_us > i->pause_us)
		i->pause_us = took_us;
	if (gap_us > i->gap_us)
		i->gap_us = gap_us;
}

static int
by_pause(const void *a, const void *b)
{
	uint64_t x = ((const struct interval *)a)->pause_us;
	uint64_t y = ((const struct interval *)b)->pause_us;

	return x < y ? -1 : x > y;
}

struct marks_result
marks_result(void)
{
	struct marks_result r = { .n = n_intervals };

	for (unsigned i = 0; i < n_intervals; i++) {
		if (!interval[i].delivered)
			continue;
		if (interval[i].gap_us > r.gap_max)
			r.gap_max = interval[i].gap_us;
		interval[r.used++] = interval[i];
	}
	if (r.used) {
		qsort(interval, r.used, sizeof(*interval), by_pause);
		r.pause_p50 = interval[r.used / 2].pause_us;
		r.pause_max = interval[r.used - 1].pause_us;
	}
	return r;
}
