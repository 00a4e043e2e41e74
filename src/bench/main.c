/* main.c - banter-bench: load a chat server and measure it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/director.h"

#include <stdio.h>
#include <string.h>

static int
report(const struct bench_options *o, const struct result *r)
{
	bool written = o->json ? report_json(o, r) : report_text(o, r);
	int rc;

	if (!written) {
		perror("banter-bench: stdout");
		return BENCH_FAILED;
	}
	if (r->failed[0]) {
		(void)fprintf(stderr, "banter-bench: %s\n", r->failed);
		return BENCH_FAILED;
	}
	rc = hgrm_write(o, r);
	if (rc < 0) {
		(void)fprintf(stderr, "banter-bench: %s.*.hgrm: %s\n", o->hgrm,
			strerror(-rc));
		return BENCH_FAILED;
	}
	if (result_has_errors(r))
		return BENCH_WRONG;
	return r->n_invalid ? BENCH_VOID : BENCH_GOOD;
}

int
main(int argc, char **argv)
{
	static struct bench_options o;
	static struct result r;
	int rc = bench_options_read(&o, argc, argv);

	if (rc != -1)
		return rc;
	(void)director_run(&o, &r);
	return report(&o, &r);
}
