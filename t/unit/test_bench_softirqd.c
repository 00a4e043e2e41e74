/* SPDX-License-Identifier: MIT */
#include "bench/director.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* As ksoftirqd/0 has them on 6.18, and a shell. */
#define KERNEL 69238848u
#define USER   4194304u

static char proc[64];

static void
make_proc(void)
{
	(void)snprintf(proc, sizeof proc, "/tmp/banter-proc-XXXXXX");
	cr_assert_not_null(mkdtemp(proc));
}

static void
remove_proc(void)
{
	char command[100];

	(void)snprintf(command, sizeof command, "rm -rf %s", proc);
	cr_assert_eq(system(command), 0);
}

static void
add_process(int pid, const char *name, unsigned flags)
{
	char path[100];
	FILE *f;

	(void)snprintf(path, sizeof path, "%s/%d", proc, pid);
	cr_assert_eq(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof path, "%s/%d/stat", proc, pid);
	f = fopen(path, "we");
	cr_assert_not_null(f);
	(void)fprintf(f, "%d (%s) S 2 0 0 0 -1 %u 0 0 0 0 98 10738 0 0\n", pid,
		name, flags);
	cr_assert_eq(fclose(f), 0);
}

static void
choose(struct softirqd *s, unsigned n, const unsigned *cpu)
{
	memset(s, 0, sizeof *s);
	for (unsigned i = 0; i < n; i++)
		CPU_SET(cpu[i], &s->cpus);
}

Test(bench_softirqd, the_threads_of_the_chosen_cpus_are_found,
	.init = make_proc, .fini = remove_proc)
{
	static struct softirqd s;

	add_process(2, "kthreadd", KERNEL);
	add_process(14, "ksoftirqd/0", KERNEL);
	add_process(22, "ksoftirqd/1", KERNEL);
	add_process(31, "ksoftirqd/10", KERNEL);
	choose(&s, 1, (unsigned[]){ 0 });
	softirqd_find(&s, proc);
	cr_assert_eq(s.n, 1);
	cr_assert_eq(s.pid[0], 14);
	choose(&s, 2, (unsigned[]){ 1, 10 });
	softirqd_find(&s, proc);
	cr_assert_eq(s.n, 2);
	cr_assert_eq(s.pid[0] + s.pid[1], 22 + 31);
}

Test(bench_softirqd, a_process_with_such_a_name_is_none, .init = make_proc,
	.fini = remove_proc)
{
	static struct softirqd s;

	add_process(100, "ksoftirqd/0", USER);
	add_process(101, "ksoftirqd/0x", KERNEL);
	add_process(102, "ksoftirqd/", KERNEL);
	add_process(103, "xksoftirqd/0", KERNEL);
	add_process(104, "ksoftirqd/0) x", KERNEL);
	add_process(105, "ksoftirqd/99999999", KERNEL);
	choose(&s, 1, (unsigned[]){ 0 });
	softirqd_find(&s, proc);
	cr_assert_eq(s.n, 0);
	add_process(14, "ksoftirqd/0", KERNEL);
	softirqd_find(&s, proc);
	cr_assert_eq(s.n, 1);
	cr_assert_eq(s.pid[0], 14);
}

Test(bench_softirqd, some_of_them_are_none, .init = make_proc,
	.fini = remove_proc)
{
	static struct softirqd s;
	uint64_t ns;

	add_process(14, "ksoftirqd/0", KERNEL);
	choose(&s, 2, (unsigned[]){ 0, 1 });
	softirqd_find(&s, proc);
	cr_assert_eq(s.n, 0);
	cr_assert(!softirqd_cpu_ns(&s, &ns));
	choose(&s, 1, (unsigned[]){ 0 });
	softirqd_find(&s, "/nonexistent");
	cr_assert_eq(s.n, 0);
}

static pid_t
start_idle(void)
{
	pid_t pid = fork();

	cr_assert(pid >= 0);
	while (pid == 0)
		(void)pause();
	return pid;
}

static void
end_idle(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

Test(bench_softirqd, their_time_is_the_sum)
{
	static struct softirqd s;
	uint64_t before, after, one;
	pid_t idle = start_idle();

	s.n = 2;
	s.pid[0] = getpid();
	s.pid[1] = idle;
	cr_assert(softirqd_cpu_ns(&s, &before));
	do {
		cr_assert(process_cpu_ns(getpid(), &one));
	} while (one < before + 2000000);
	cr_assert(softirqd_cpu_ns(&s, &after));
	cr_assert_geq(after, one);
	end_idle(idle);
	cr_assert(!softirqd_cpu_ns(&s, &after));
}

static void
run_on(pid_t pid, const cpu_set_t *set)
{
	cr_assert_eq(sched_setaffinity(pid, sizeof *set, set), 0);
}

Test(bench_softirqd, the_loaders_cpus_are_left_out)
{
	static struct softirqd s;
	cpu_set_t all, first, rest;
	pid_t server = start_idle();
	int cpu = 0;

	cr_assert_eq(sched_getaffinity(0, sizeof all, &all), 0);
	cr_assert(softirqd_choose(&s, &server, 1));
	cr_assert(s.shared && CPU_EQUAL(&s.cpus, &all), "both on all");
	while (!CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&first);
	CPU_SET(cpu, &first);
	CPU_XOR(&rest, &all, &first);
	run_on(server, &first);
	cr_assert(softirqd_choose(&s, &server, 1));
	cr_assert(s.shared && CPU_EQUAL(&s.cpus, &first), "the loader on all");
	if (CPU_COUNT(&rest) > 0) {
		run_on(0, &rest);
		cr_assert(softirqd_choose(&s, &server, 1));
		cr_assert(!s.shared && CPU_EQUAL(&s.cpus, &first), "apart");
		run_on(server, &all);
		cr_assert(softirqd_choose(&s, &server, 1));
		cr_assert(!s.shared && CPU_EQUAL(&s.cpus, &first),
			"the server on all");
		cr_assert(
			softirqd_choose(&s, (pid_t[]){ server, getpid() }, 2));
		cr_assert(CPU_EQUAL(&s.cpus, &first), "two servers");
	}
	end_idle(server);
	cr_assert(!softirqd_choose(&s, &server, 1), "it has ended");
	cr_assert(!softirqd_choose(&s, NULL, 0), "nobody is measured");
}

Test(bench_softirqd, they_are_busy_for_the_server_unless_shared)
{
	static struct result r = {
		.cpu_ns = 60, .softirqd_ns = 30, .measured_ns = 100
	};

	cr_assert_float_eq(result_server_share(&r), 0.6, 1e-9, "not seen");
	r.has_softirqd = true;
	cr_assert_float_eq(result_server_share(&r), 0.9, 1e-9);
	r.softirqd.shared = true;
	cr_assert_float_eq(result_server_share(&r), 0.6, 1e-9, "shared");
}
