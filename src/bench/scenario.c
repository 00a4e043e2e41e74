/* scenario.c - the names of scenarios.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/options.h"

#include <stdlib.h>
#include <string.h>

/* "1000", "10k", "1m". */
static bool
count(const char **at, unsigned *ret)
{
	char *end;
	unsigned long n = strtoul(*at, &end, 10);
	unsigned long unit = 1;

	if (end == *at || **at < '0' || **at > '9')
		return false;
	if (*end == 'k')
		unit = 1000;
	else if (*end == 'm')
		unit = 1000000;
	if (n == 0 || n > 16000000 / unit)
		return false;
	*ret = (unsigned)(n * unit);
	*at = end + (unit > 1);
	return true;
}

static bool
percent(const char **at, double *ret)
{
	char *end;

	*ret = strtod(*at, &end);
	if (end == *at || *end != '%' || !(*ret > 0 && *ret <= 100))
		return false;
	*at = end + 1;
	return true;
}

/* In the pattern N is a number, P the publishers, % a percentage. */
static bool
matches(const char *at, const char *pattern, struct bench_scenario *s)
{
	for (; *pattern; pattern++) {
		bool fits;

		switch (*pattern) {
		case 'N':
			fits = count(&at, &s->n);
			break;
		case 'P':
			fits = count(&at, &s->first);
			break;
		case '%':
			fits = percent(&at, &s->percent);
			break;
		default:
			fits = *at == *pattern;
			at += fits;
		}
		if (!fits)
			return false;
	}
	return *at == '\0';
}

bool
bench_scenario_parse(const char *text, struct bench_scenario *ret)
{
	static const struct {
		const char *pattern;
		enum bench_kind kind;
	} known[] = {
		{ "idle-N", BENCH_IDLE },
		{ "conn-rate", BENCH_CONN_RATE },
		{ "echo-N-%", BENCH_ECHO },
		{ "rooms-N", BENCH_ROOMS },
		{ "fanout-P-N", BENCH_FANOUT },
		{ "many-pubs-N", BENCH_MANY_PUBS },
		{ "slow-%-N", BENCH_SLOW },
		{ "churn", BENCH_CHURN },
	};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		*ret = (struct bench_scenario){ .text = text,
			.kind = known[i].kind };
		if (matches(text, known[i].pattern, ret))
			return true;
	}
	return false;
}
