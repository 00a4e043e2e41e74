/* SPDX-License-Identifier: MIT */
#include "bench/account.h"

#include "base/must.h"
#include "base/xalloc.h"

#include <stdlib.h>

static unsigned
cells(unsigned width, bool only_last)
{
	return only_last ? 2 : width;
}

uint64_t
account_bytes(unsigned receivers, unsigned width, bool only_last)
{
	return (uint64_t)receivers * cells(width, only_last) * sizeof(uint32_t);
}

void
account_open(
	struct account *a, unsigned receivers, unsigned width, bool only_last)
{
	*a = (struct account){ .receivers = receivers,
		.width = cells(width, only_last),
		.only_last = only_last };
	a->last = xcalloc((size_t)receivers * a->width + 1, sizeof *a->last);
}

void
account_close(struct account *a)
{
	free(a->last);
	free(a->gap);
	*a = (struct account){ 0 };
}

static void
open_gap(struct account *a, struct account_gap gap)
{
	a->lost += gap.to - gap.from;
	if (a->n_gaps == ACCOUNT_GAPS)
		return;
	if (!a->gap)
		a->gap = xcalloc(ACCOUNT_GAPS, sizeof *a->gap);
	a->gap[a->n_gaps++] = gap;
}

/* Take one number out of the gap, which may leave two. */
static void
narrow(struct account *a, struct account_gap *g, uint32_t number)
{
	struct account_gap rest = *g;

	a->lost -= g->to - g->from;
	rest.from = number + 1;
	g->to = number;
	a->lost += g->to - g->from;
	if (g->from == g->to)
		*g = a->gap[--a->n_gaps];
	if (rest.from < rest.to)
		open_gap(a, rest);
}

static enum account_verdict
old_number(struct account *a, unsigned receiver, unsigned rank, uint32_t number)
{
	for (unsigned i = 0; i < a->n_gaps; i++) {
		struct account_gap *g = &a->gap[i];

		if (g->receiver == receiver && g->rank == rank &&
			g->from <= number && number < g->to) {
			narrow(a, g, number);
			return ACCOUNT_LATE;
		}
	}
	return ACCOUNT_TWICE;
}

enum account_verdict
account_take(
	struct account *a, unsigned receiver, unsigned rank, uint32_t number)
{
	uint32_t *last = &a->last[(size_t)receiver * a->width], before;

	if (a->only_last) {
		last[0]++;
		last[1] = number;
		return ACCOUNT_FRESH;
	}
	must(rank < a->width);
	last += rank;
	before = *last;
	if (number <= before)
		return old_number(a, receiver, rank, number);
	*last = number;
	if (number == before + 1)
		return ACCOUNT_FRESH;
	open_gap(a, (struct account_gap){ receiver, rank, before + 1, number });
	return ACCOUNT_AFTER_GAP;
}

uint32_t
account_count(const struct account *a, unsigned receiver)
{
	return a->last[(size_t)receiver * a->width];
}

uint32_t
account_last(const struct account *a, unsigned receiver, unsigned rank)
{
	return a->last[(size_t)receiver * a->width + (a->only_last ? 1 : rank)];
}
