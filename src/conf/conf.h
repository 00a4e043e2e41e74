/* conf.h - the configuration: /etc/banter/banterd.conf and its conf.d.
 *
 * libconfuse lives behind this header and nowhere else.  A configuration is
 * flat, without pointers: it travels between processes as a sealed memfd that
 * each maps.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_CONF_CONF_H
#define BANTER_CONF_CONF_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CONF_NAME_LEN    64
#define CONF_PATH_LEN    108
#define CONF_LISTENERS   16
#define CONF_ADDRESSES   8 /* of one listener */
#define CONF_ROOMS       128
#define CONF_NETS        32
#define CONF_TOPIC_LEN   1025
#define CONF_WORKERS_MAX 64
#define CONF_LISTEN_FDS  (CONF_LISTENERS * CONF_ADDRESSES * 2)
#define CONF_FD_RESERVE  32 /* of a worker, besides clients and listeners */

enum conf_when_full {
	CONF_FULL_WAIT,
	CONF_FULL_REFUSE
};
enum conf_on_flood {
	CONF_FLOOD_DELAY,
	CONF_FLOOD_CLOSE
};
enum conf_mode {
	CONF_MODE_CHAT,
	CONF_MODE_RAW
};
enum conf_log_target {
	CONF_LOG_AUTO,
	CONF_LOG_STDERR,
	CONF_LOG_SYSLOG,
	CONF_LOG_FILE
};

struct conf_net {
	uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint8_t bits;        /* 0 to 128 */
};

struct conf_nets {
	struct conf_net net[CONF_NETS];
	uint32_t n;
};

struct conf_listen {
	char name[CONF_NAME_LEN];
	char address[CONF_ADDRESSES][CONF_PATH_LEN]; /* "*", an IP address, or
						      * the path of a UNIX
						      * socket */
	uint32_t n_addresses;
	uint16_t port; /* 0: any free one */
	char protocol[16];
	char charset[CONF_NAME_LEN]; /* "UTF-8" or what iconv(3) knows */
	uint32_t flush_after_ms;     /* 0: never */
	enum conf_mode mode;
	char room[CONF_NAME_LEN];        /* of mode raw */
	bool echo;                       /* clients start with /echo on */
	struct conf_nets allow, deny;    /* who may connect; deny wins */
	struct conf_nets proxy_protocol; /* who sends a PROXY header */
	char socket_mode[8];             /* of UNIX sockets, octal */
	char socket_group[CONF_NAME_LEN];
};

struct conf_room {
	char name[CONF_NAME_LEN];
	char topic[CONF_TOPIC_LEN];
	bool echo, autojoin;
};

struct conf_limits { /* 0: no limit, where the range has it */
	uint32_t clients_per_ip;
	struct conf_nets exempt; /* from clients_per_ip */
	uint32_t line_bytes;
	uint32_t rate, burst; /* lines a second; lines at once */
	enum conf_on_flood on_flood;
	uint32_t output_bytes;  /* pending for one client */
	uint64_t output_memory; /* pending for all of a worker's clients */
	uint32_t idle_timeout_s;
	uint32_t rooms, rooms_per_client, topic_bytes, announce_limit;
};

struct conf {
	char name[CONF_NAME_LEN];
	char motd[CONF_PATH_LEN];
	char motd_text[4096]; /* the file's text as read with the configuration,
			       * valid UTF-8, at most this much of it */
	uint32_t workers;     /* 0: one per CPU that may be used */
	char engine[16];
	char user[CONF_NAME_LEN], group[CONF_NAME_LEN];
	char run_dir[CONF_PATH_LEN], state_dir[CONF_PATH_LEN];
	char control_group[CONF_NAME_LEN];
	uint32_t max_clients;
	enum conf_when_full when_full;
	uint32_t bans; /* that may be in force at once */
	uint64_t relay_log;
	uint32_t hang_timeout_ms;
	bool create_rooms;
	struct conf_listen listen[CONF_LISTENERS];
	uint32_t n_listen;
	struct conf_room room[CONF_ROOMS];
	uint32_t n_rooms;
	struct conf_limits limits;
	struct {
		uint32_t idle_s, interval_s, count; /* SO_KEEPALIVE */
	} keepalive;
	struct {
		int level; /* enum log_level */
		enum conf_log_target target;
		char file[CONF_PATH_LEN];
	} log;
};

/* Complaints, one a line, as "file:line: what was wrong; what is expected".
 * They are collected, so that a caller sends them where they belong. */
struct conf_report {
	char text[8192]; /* NUL-terminated, lines end in LF */
	size_t len;
	unsigned n_errors, n_warnings;
};

/* Parse path and its conf.d (a folder of that name beside it) in this process.
 * Fills *ret with defaults and then with what the files say.  0, or -EINVAL
 * with report->n_errors > 0.  Warnings are reported either way. */
int conf_parse(const char *path, struct conf *ret, struct conf_report *report);

/* The same in a short-lived child, which a crash or a hang of the parser does
 * not outlive by more than timeout_ms.  *ret_fd becomes a sealed memfd.
 * 0, -EINVAL (report says why), or -errno of the system. */
int conf_load(const char *path, unsigned timeout_ms, int *ret_fd,
	struct conf_report *report);

/* Map what conf_load() gave.  NULL when fd is not a sealed configuration of
 * this version.  The mapping stays valid after fd is closed. */
const struct conf *conf_map(int fd);
void conf_unmap(const struct conf **conf);

/* Every effective value with the file and line that it came from: "-T". */
int conf_print(const char *path, FILE *out, struct conf_report *report);

/* Call found() for each key that differs.  key is as in the manual,
 * "limits.rate" or "listen text.port"; applies is false for a key that needs a
 * restart. */
typedef void conf_diff_fn(void *arg, const char *key, bool applies);
void conf_diff(const struct conf *was, const struct conf *is,
	conf_diff_fn *found, void *arg);

/* One key, for what walks them all: the manual, its check, tests. */
struct conf_key {
	char name[64];    /* "limits.rate"; "listen.port" of any listener */
	const char *type; /* boolean number duration size word text list */
	char def[64];     /* as in a file */
	char range[160];  /* "1 to 64", "wait or refuse" */
	const char *help;
	bool applies; /* by a reload; else it needs a restart */
};

/* The i-th key, from 0, in the order of the manual.  false: there are no more.
 * Not for several threads. */
bool conf_key_at(size_t i, struct conf_key *ret);

/* "192.0.2.0/24", "2001:db8::/32", or a single address.  0, -EINVAL, or -EDOM
 * when bits behind the prefix are set. */
int conf_net_parse(const char *text, struct conf_net *ret);
void conf_net_print(const struct conf_net *net, struct buf *b);

/* "90s", "1h" as ms, as in a file.  0, -EINVAL or -ERANGE. */
int conf_duration_parse(const char *text, uint64_t *ret_ms);

/* As root: can `user` of conf read path and its conf.d, the motd, and write the
 * folders?  Adds what would help to the report.  0 or -EACCES. */
int conf_check_access(
	const char *path, const struct conf *conf, struct conf_report *report);

#endif
