/* account.h - was everything shown, once, in the order of its sender?
 *
 * Per receiver and sender the last number that came.  A number that is skipped
 * is a gap; when it comes after all it was out of order, and what comes again
 * is a duplicate.  What never comes is lost.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BENCH_ACCOUNT_H
#define BANTER_BENCH_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

/* Gaps that are remembered: a number of a later one that comes late counts as
 * a duplicate. */
#define ACCOUNT_GAPS 65536

struct account_gap {
	uint32_t receiver, rank, from, to; /* from .. to - 1 have not come */
};

struct account {
	uint32_t *last;
	unsigned receivers, width;
	bool only_last; /* count, and keep the last */
	struct account_gap *gap;
	unsigned n_gaps;
	uint64_t lost; /* what is in gaps */
};

enum account_verdict {
	ACCOUNT_FRESH,
	ACCOUNT_AFTER_GAP, /* fresh, but others before it have not come */
	ACCOUNT_LATE,
	ACCOUNT_TWICE
};

/* Bytes that account_open() would take. */
uint64_t account_bytes(unsigned receivers, unsigned width, bool only_last);

/* For receivers 0 .. receivers - 1, each with width senders. */
void account_open(
	struct account *a, unsigned receivers, unsigned width, bool only_last);
void account_close(struct account *a);

/* The receiver was shown this number, from 1 on, of the sender. */
enum account_verdict account_take(
	struct account *a, unsigned receiver, unsigned rank, uint32_t number);

/* With only_last: how many this one was shown, and the last number. */
uint32_t account_count(const struct account *a, unsigned receiver);
uint32_t account_last(
	const struct account *a, unsigned receiver, unsigned rank);

#endif
