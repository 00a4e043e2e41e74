/* SPDX-License-Identifier: MIT */
#include "bench/account.h"
#include "bench/payload.h"

#include <criterion/criterion.h>

static struct account a;

static void
open_full(void)
{
	account_open(&a, 3, 2, false);
}

static void
open_last(void)
{
	account_open(&a, 3, 2, true);
}

static void
fini(void)
{
	account_close(&a);
}

TestSuite(bench_account, .init = open_full, .fini = fini);
TestSuite(bench_account_last, .init = open_last, .fini = fini);

static void
take(uint32_t number, enum account_verdict want)
{
	cr_assert_eq(account_take(&a, 1, 1, number), want, "number %u", number);
}

Test(bench_account, in_order)
{
	for (uint32_t n = 1; n < 1000; n++)
		take(n, ACCOUNT_FRESH);
	cr_assert_eq(a.lost, 0);
	cr_assert_eq(account_last(&a, 1, 1), 999);
}

Test(bench_account, senders_and_receivers_are_apart)
{
	take(1, ACCOUNT_FRESH);
	cr_assert_eq(account_take(&a, 1, 0, 1), ACCOUNT_FRESH);
	cr_assert_eq(account_take(&a, 2, 1, 1), ACCOUNT_FRESH);
	cr_assert_eq(account_last(&a, 0, 1), 0);
}

Test(bench_account, what_is_skipped_is_lost)
{
	take(1, ACCOUNT_FRESH);
	take(5, ACCOUNT_AFTER_GAP);
	take(6, ACCOUNT_FRESH);
	cr_assert_eq(a.lost, 3);
}

Test(bench_account, what_comes_later_was_out_of_order)
{
	take(1, ACCOUNT_FRESH);
	take(6, ACCOUNT_AFTER_GAP);
	take(4, ACCOUNT_LATE);
	cr_assert_eq(a.lost, 3);
	take(4, ACCOUNT_TWICE);
	take(2, ACCOUNT_LATE);
	take(5, ACCOUNT_LATE);
	take(3, ACCOUNT_LATE);
	cr_assert_eq(a.lost, 0);
	take(3, ACCOUNT_TWICE);
	cr_assert_eq(a.n_gaps, 0);
}

Test(bench_account, what_comes_again_is_a_duplicate)
{
	take(1, ACCOUNT_FRESH);
	take(2, ACCOUNT_FRESH);
	take(1, ACCOUNT_TWICE);
	take(2, ACCOUNT_TWICE);
	cr_assert_eq(a.lost, 0);
}

Test(bench_account, gaps_of_others_are_not_filled)
{
	take(3, ACCOUNT_AFTER_GAP);
	cr_assert_eq(account_take(&a, 1, 0, 3), ACCOUNT_AFTER_GAP);
	take(2, ACCOUNT_LATE);
	cr_assert_eq(account_take(&a, 1, 0, 2), ACCOUNT_LATE);
	cr_assert_eq(a.lost, 2);
}

/* Beyond what is remembered loss is still counted. */
Test(bench_account, more_gaps_than_are_remembered)
{
	for (uint32_t n = 1; n <= ACCOUNT_GAPS + 10; n++)
		take(2 * n, ACCOUNT_AFTER_GAP);
	cr_assert_eq(a.lost, ACCOUNT_GAPS + 10);
	take(1, ACCOUNT_LATE);
	take(2 * (ACCOUNT_GAPS + 10) - 1, ACCOUNT_TWICE);
}

Test(bench_account_last, counts_and_keeps_the_last)
{
	take(1, ACCOUNT_FRESH);
	take(7, ACCOUNT_FRESH);
	take(7, ACCOUNT_FRESH);
	cr_assert_eq(account_count(&a, 1), 3);
	cr_assert_eq(account_last(&a, 1, 1), 7);
	cr_assert_eq(account_count(&a, 0), 0);
	cr_assert_eq(account_bytes(1000000, 500, true), 8000000);
}

static const struct payload sample = { 0xabcdef, 0x12345678,
	UINT64_C(0x0fedcba987654321), 0xffffffff };

Test(bench_payload, reads_what_it_writes)
{
	char text[80] = "[room] <nick> ";
	struct payload p;

	payload_write(text + 14, 64, &sample);
	cr_assert(payload_read(slice_of(text, 78), &p));
	cr_assert_eq(p.sender, sample.sender);
	cr_assert_eq(p.number, sample.number);
	cr_assert_eq(p.intended_ns, sample.intended_ns);
	cr_assert_eq(p.late_ns, sample.late_ns);
	cr_assert(payload_read(slice_of(text, 14 + PAYLOAD_MIN), &p));
	for (size_t len = 0; len < 14 + PAYLOAD_MIN; len++)
		cr_assert(!payload_read(slice_of(text, len), &p));
}

Test(bench_payload, no_other_character_passes)
{
	struct payload p;

	for (unsigned at = 0; at < PAYLOAD_MIN; at++) {
		char text[PAYLOAD_MIN];

		payload_write(text, sizeof text, &sample);
		text[at] = '/';
		cr_assert(!payload_read(slice_of(text, sizeof text), &p));
		text[at] = 'G';
		cr_assert(!payload_read(slice_of(text, sizeof text), &p));
		text[at] = 'g';
		cr_assert(!payload_read(slice_of(text, sizeof text), &p));
		text[at] = '`';
		cr_assert(!payload_read(slice_of(text, sizeof text), &p));
	}
}
