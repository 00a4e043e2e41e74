/* SPDX-License-Identifier: MIT */
#include "bench/facts.h"

#include "bench/machine.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

static json_t *
text_or_null(const char *text)
{
	return *text ? json_string(text) : json_null();
}

static json_t *
line_of(const char *path)
{
	char line[256];

	machine_line(path, line, sizeof line);
	for (char *at = line; *at; at++)
		if (*at == '\t')
			*at = ' ';
	return text_or_null(line);
}

static json_t *
mitigations(void)
{
	static const char folder[] = "/sys/devices/system/cpu/vulnerabilities";
	json_t *all = json_object();
	DIR *dir = opendir(folder);
	struct dirent *d;

	while (dir && (d = readdir(dir))) {
		char path[400];

		if (d->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof path, "%s/%s", folder, d->d_name);
		(void)json_object_set_new(all, d->d_name, line_of(path));
	}
	if (dir)
		(void)closedir(dir);
	return all;
}

static void
add_limits(json_t *all)
{
	struct rlimit rl = { 0, 0 };

	(void)getrlimit(RLIMIT_NOFILE, &rl);
	(void)json_object_set_new(
		all, "nofile_soft", json_integer((json_int_t)rl.rlim_cur));
	(void)json_object_set_new(
		all, "nofile_hard", json_integer((json_int_t)rl.rlim_max));
	(void)json_object_set_new(all, "port_range",
		line_of("/proc/sys/net/ipv4/ip_local_port_range"));
	(void)json_object_set_new(
		all, "tcp_rmem", line_of("/proc/sys/net/ipv4/tcp_rmem"));
	(void)json_object_set_new(
		all, "tcp_wmem", line_of("/proc/sys/net/ipv4/tcp_wmem"));
	(void)json_object_set_new(
		all, "tcp_mem", line_of("/proc/sys/net/ipv4/tcp_mem"));
	(void)json_object_set_new(
		all, "somaxconn", line_of("/proc/sys/net/core/somaxconn"));
}

static void
add_load(json_t *all)
{
	double load[3] = { 0, 0, 0 };
	json_t *list = json_array();

	(void)!getloadavg(load, 3);
	for (int i = 0; i < 3; i++)
		(void)json_array_append_new(list, json_real(load[i]));
	(void)json_object_set_new(all, "loadavg", list);
}

/* The processor says so itself. */
static bool
is_guest(void)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[8192];
	bool found = false;

	while (f && !found && fgets(line, sizeof line, f))
		found = !strncmp(line, "flags", 5) &&
			strstr(line, " hypervisor") != NULL;
	if (f)
		(void)fclose(f);
	return found;
}

json_t *
facts_machine(void)
{
	json_t *all = json_object();
	struct utsname u;
	char cpu[256], memory[64];

	(void)uname(&u);
	machine_field("/proc/cpuinfo", "model name", cpu, sizeof cpu);
	machine_field("/proc/meminfo", "MemTotal", memory, sizeof memory);
	(void)json_object_set_new(all, "kernel", json_string(u.release));
	(void)json_object_set_new(all, "architecture", json_string(u.machine));
	(void)json_object_set_new(all, "cpu", text_or_null(cpu));
	(void)json_object_set_new(
		all, "cpus", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
	(void)json_object_set_new(all, "governor",
		line_of("/sys/devices/system/cpu/cpu0/cpufreq/"
			"scaling_governor"));
	(void)json_object_set_new(all, "mitigations", mitigations());
	(void)json_object_set_new(all, "memory_bytes",
		json_integer(strtoll(memory, NULL, 10) * 1024));
	(void)json_object_set_new(all, "virtual", json_boolean(is_guest()));
	add_limits(all);
	add_load(all);
	return all;
}
