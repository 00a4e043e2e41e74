/* SPDX-License-Identifier: MIT */
#include "bench/adapter.h"
#include "bench/plan.h"

#include <criterion/criterion.h>

static struct plan p;
static struct bench_options o = { .n_addresses = 1, .own = 0 };

static const char *
make(const char *scenario, const struct bench_adapter *adapter)
{
	cr_assert(bench_scenario_parse(scenario, &o.scenario), "%s", scenario);
	o.adapter = adapter;
	return plan_make(&p, &o, 20000);
}

Test(bench_plan, names_of_scenarios)
{
	static const struct {
		const char *text;
		enum bench_kind kind;
		unsigned n, first;
		double percent;
	} good[] = {
		{ "idle-19k", BENCH_IDLE, 19000, 0, 0 },
		{ "idle-1m", BENCH_IDLE, 1000000, 0, 0 },
		{ "conn-rate", BENCH_CONN_RATE, 0, 0, 0 },
		{ "echo-500-0.5%", BENCH_ECHO, 500, 0, 0.5 },
		{ "rooms-10", BENCH_ROOMS, 10, 0, 0 },
		{ "fanout-1-1000", BENCH_FANOUT, 1000, 1, 0 },
		{ "fanout-20-10k", BENCH_FANOUT, 10000, 20, 0 },
		{ "many-pubs-64", BENCH_MANY_PUBS, 64, 0, 0 },
		{ "slow-1%-1000", BENCH_SLOW, 1000, 0, 1 },
		{ "churn", BENCH_CHURN, 0, 0, 0 },
	};
	static const char *const bad[] = { "", "idle", "idle-", "idle-0",
		"idle-x", "idle-10x", "idle-99m", "idle--1", "fanout-1",
		"fanout-1-", "echo-10-10", "echo-10-0%", "echo-10-101%",
		"echo-10-nan%", "conn-rate-1", "churnx", "slow-1%", "rooms-" };
	struct bench_scenario s;

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		cr_assert(bench_scenario_parse(good[i].text, &s), "%s",
			good[i].text);
		cr_assert(s.kind == good[i].kind && s.n == good[i].n &&
				  s.first == good[i].first &&
				  s.percent == good[i].percent,
			"%s", good[i].text);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		cr_assert(!bench_scenario_parse(bad[i], &s), "%s", bad[i]);
}

/* plan_receivers() says how many plan_shows() says it of. */
static void
count_shows(const char *what)
{
	for (uint32_t from = 0; from < p.publishers; from++) {
		unsigned n = 0, slow = 0;

		cr_assert(plan_rank(&p, from) < p.width, "%s", what);
		for (uint32_t to = 0; to < p.clients; to++) {
			n += plan_shows(&p, from, to);
			slow += plan_shows(&p, from, to) &&
				plan_is_slow(&p, to);
		}
		cr_assert_eq(plan_receivers(&p, from, true), n, "%s of %u",
			what, from);
		cr_assert_eq(plan_receivers(&p, from, false), n - slow,
			"%s of %u", what, from);
	}
}

Test(bench_plan, receivers_are_counted_right)
{
	static const char *const all[] = { "fanout-1-10", "fanout-3-10",
		"many-pubs-10", "slow-20%-10", "churn" };

	o.clients = 33;
	o.publishers = 4;
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		o.own = 0;
		cr_assert_null(make(all[i], &bench_banter));
		count_shows(all[i]);
		cr_assert_null(make(all[i], &bench_nats));
		count_shows(all[i]);
		o.own = 1;
		cr_assert_null(make(all[i], &bench_redis));
		count_shows(all[i]);
	}
	cr_assert_null(make("rooms-10", &bench_irc));
	count_shows("rooms of 10, the last of 3");
	cr_assert_null(make("echo-10-20%", &bench_banter));
	cr_assert_eq(p.publishers, 2);
	count_shows("echo");
	o.own = 0;
	cr_assert_null(make("rooms-10", &bench_mqtt));
	count_shows("rooms without own");
}

Test(bench_plan, nobody_talks_alone)
{
	o.publishers = 1;
	cr_assert_not_null(make("many-pubs-1", &bench_banter));
	o.clients = 31;
	cr_assert_not_null(make("rooms-10", &bench_banter));
	cr_assert_not_null(make("rooms-1", &bench_banter));
	cr_assert_not_null(make("slow-1%-10", &bench_banter));
	cr_assert_not_null(make("slow-100%-10", &bench_banter));
	cr_assert_not_null(make("echo-10-1%", &bench_banter));
}

Test(bench_plan, processes_have_room_for_their_clients)
{
	o.publishers = 1;
	cr_assert_null(make("idle-1m", &bench_banter));
	cr_assert_eq(p.processes, 51);
	cr_assert_eq(p.sources, 100);
	for (unsigned i = 0; i < p.processes; i++) {
		unsigned first = plan_first(&p, i), end = plan_first(&p, i + 1);

		cr_assert(end - first < 20000 - 64);
		cr_assert_eq(plan_process(&p, first), i);
		cr_assert_eq(plan_process(&p, end - 1), i);
	}
	cr_assert_eq(plan_first(&p, p.processes), p.clients);
	o.processes = 60;
	cr_assert_null(make("idle-1m", &bench_banter));
	cr_assert_eq(p.processes, 60);
	o.processes = 2;
	cr_assert_not_null(make("idle-1m", &bench_banter));
}
