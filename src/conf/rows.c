/* SPDX-License-Identifier: MIT
 *
 * The table of keys.  A new key is a field in conf.h and a row here.
 */
#include "conf/private.h"

#define MS_S   UINT64_C(1000)
#define MS_MIN (60 * MS_S)
#define MS_DAY (1440 * MS_MIN)
#define KIB    (UINT64_C(1) << 10)
#define MIB    (UINT64_C(1) << 20)
#define GIB    (UINT64_C(1) << 30)

#define FIELD(T, f) \
 .offset = offsetof(struct T, f), .width = sizeof(((struct T *)0)->f)
#define TOP_AS(n, f) .kind = CONF_KIND_TOP, .name = n, FIELD(conf, f)
#define LISTEN_AS(n, f) \
 .kind = CONF_KIND_LISTEN, .name = n, FIELD(conf_listen, f)
#define LIMIT_AS(n, f) \
 .kind = CONF_KIND_LIMITS, .name = n, FIELD(conf, limits.f)
#define ALIVE_AS(n, f) \
 .kind = CONF_KIND_KEEPALIVE, .name = n, FIELD(conf, keepalive.f)
#define TOP(f)    TOP_AS(#f, f)
#define LISTEN(f) LISTEN_AS(#f, f)
#define ROOM(f)   .kind = CONF_KIND_ROOM, .name = #f, FIELD(conf_room, f)
#define LIMIT(f)  LIMIT_AS(#f, f)
#define LOG(n)    .kind = CONF_KIND_LOG, .name = #n, FIELD(conf, log.n)

#define NUMBER(lo, hi) \
 .type = CONF_TYPE_NUMBER, .unit = 1, .min = (lo), .max = (hi)
#define MS(lo, hi) \
 .type = CONF_TYPE_DURATION, .unit = 1, .min = (lo), .max = (hi)
#define SECONDS(lo, hi) \
 .type = CONF_TYPE_DURATION, .unit = MS_S, .min = (lo), .max = (hi)
#define BYTES(lo, hi) \
 .type = CONF_TYPE_SIZE, .unit = 1, .min = (lo), .max = (hi)
#define BOOL      .type = CONF_TYPE_BOOL
#define CHOICE(w) .type = CONF_TYPE_CHOICE, .words = (w)
#define WORD(w)   .type = CONF_TYPE_WORD, .words = (w)
#define NETS                                                  \
 .type = CONF_TYPE_NETS, .max = CONF_NETS,                    \
 .expect = "at most 32 networks such as \"192.0.2.0/24\" or " \
	   "\"2001:db8::/32\""
#define TEXT(c, e) .type = CONF_TYPE_TEXT, .check = conf_text_##c, .expect = (e)

const struct conf_section conf_sections[CONF_KINDS] = {
	[CONF_KIND_TOP] = { "", false, 1 },
	[CONF_KIND_LISTEN] = { "listen", true, CONF_LISTENERS },
	[CONF_KIND_ROOM] = { "room", true, CONF_ROOMS },
	[CONF_KIND_LIMITS] = { "limits", false, 1 },
	[CONF_KIND_KEEPALIVE] = { "keepalive", false, 1 },
	[CONF_KIND_LOG] = { "log", false, 1 },
};

static const struct conf_row rows[] = {
	{ TOP(name), TEXT(name, "1 to 63 bytes of text"), .def = "banter",
		.help = "what the server calls itself in its greeting" },
	{ TOP(motd), TEXT(no_path, "an absolute path, or \"\""), .def = "",
		.help = "a file that is shown after the greeting" },
	{ TOP(workers), NUMBER(0, CONF_WORKERS_MAX), .def = "0",
		.help = "worker processes; 0: one per CPU that may be used" },
	{ TOP(engine), WORD("epoll poll select threads"), .def = "epoll",
		.restart = true,
		.help = "how a worker waits for and moves bytes" },
	{ TOP(user), TEXT(user, "the name of a user"), .def = "_banter",
		.restart = true,
		.help = "whom the daemon becomes when root starts it" },
	{ TOP(group), TEXT(user, "the name of a group"), .def = "_banter",
		.restart = true, .help = "the group that goes with user" },
	{ TOP(run_dir), TEXT(run_dir, "an absolute path of at most 80 bytes"),
		.def = "/run/banter", .restart = true,
		.help = "folder of the lock and the control socket" },
	{ TOP(state_dir), TEXT(path, "an absolute path of at most 107 bytes"),
		.def = "/var/lib/banter", .restart = true,
		.help = "folder of what outlives a restart" },
	{ TOP(control_group), TEXT(no_user, "the name of a group, or \"\""),
		.def = "", .restart = true,
		.help = "members of this group may use banterctl" },
	{ TOP(max_clients), NUMBER(1, 10000000), .def = "100000",
		.help = "connections at the same time" },
	{ TOP(when_full), CHOICE("wait refuse"), .def = "wait",
		.help = "what happens to a connection beyond max_clients" },
	{ TOP(bans), NUMBER(1, 100000), .def = "10000",
		.help = "bans at the same time" },
	{ TOP(relay_log), BYTES(256 * KIB, GIB), .def = "32M", .restart = true,
		.help = "the master's memory of the latest messages" },
	{ TOP_AS("hang_timeout", hang_timeout_ms), MS(MS_S, MS_DAY),
		.zero = true, .def = "10s",
		.help = "a worker that is stuck for so long is replaced; "
			"0: never" },
	{ TOP(create_rooms), BOOL, .def = "true",
		.help = "anybody may make a room by joining it" },

	{ LISTEN(address), .type = CONF_TYPE_ADDRESSES, .min = 1,
		.max = CONF_ADDRESSES, .def = "127.0.0.1 ::1",
		.expect = "1 to 8 of \"*\", IPv4 or IPv6 addresses, absolute "
			  "paths of at most 107 bytes",
		.help = "where to listen; \"*\": everywhere; a path: a UNIX "
			"socket" },
	{ LISTEN(port), NUMBER(0, 65535), .def = "7788",
		.help = "TCP port; 0: any free one" },
	{ LISTEN(protocol), WORD("text"), .def = "text",
		.help = "what is spoken here" },
	{ LISTEN(charset),
		TEXT(charset,
			"a character set that iconv -l lists, without shift "
			"state, that contains ASCII"),
		.def = "UTF-8", .help = "what the clients' bytes mean" },
	{ LISTEN_AS("flush_after", flush_after_ms), MS(0, MS_MIN), .def = "0",
		.help = "a line without end becomes a message after so long; "
			"0: never" },
	{ LISTEN(mode), CHOICE("chat raw"), .def = "chat",
		.help = "raw: no greeting, prefixes or commands, for "
			"instruments" },
	{ LISTEN(room),
		TEXT(no_room, "the name of a room, 1 to 32 bytes without "
			      "spaces, ',', '/' and '#', or \"\""),
		.def = "", .help = "the room of the clients in mode raw" },
	{ LISTEN(echo), BOOL, .def = "false",
		.help = "clients get their own messages back from the start" },

	{ LISTEN(allow), NETS, .def = "",
		.help = "networks that may connect; empty: all" },
	{ LISTEN(deny), NETS, .def = "",
		.help = "networks that may not, whatever allow says" },
	{ LISTEN(proxy_protocol), NETS, .def = "",
		.help = "networks whose connections begin with a PROXY "
			"header" },
	{ LISTEN(socket_mode), TEXT(mode, "an octal mode, 0600 to 0777"),
		.def = "0666", .help = "the mode of UNIX sockets" },
	{ LISTEN(socket_group), TEXT(no_user, "the name of a group, or \"\""),
		.def = "", .help = "the group of UNIX sockets" },

	{ ROOM(topic), TEXT(plain, "text of at most 1024 bytes"), .def = "",
		.help = "what the room is about" },
	{ ROOM(echo), BOOL, .def = "false",
		.help = "everybody in it gets their own messages back" },
	{ ROOM(autojoin), BOOL, .def = "false",
		.help = "clients are in it from the start" },

	{ LIMIT(clients_per_ip), NUMBER(0, 10000000), .def = "64",
		.help = "connections from one IPv4 address or IPv6 /64; 0: no "
			"limit" },
	{ LIMIT(exempt), NETS, .def = "127.0.0.0/8 ::1",
		.help = "networks that clients_per_ip does not count" },
	{ LIMIT(line_bytes), BYTES(128, 4096), .def = "4K",
		.help = "the longest line" },
	{ LIMIT(rate), NUMBER(0, 100000), .def = "20",
		.help = "lines a second from one client; 0: no limit" },
	{ LIMIT(burst), NUMBER(1, 100000), .def = "60",
		.help = "lines at once from one client, before rate holds" },
	{ LIMIT(on_flood), CHOICE("delay close"), .def = "delay",
		.help = "what happens to a client that is faster" },
	{ LIMIT(output_bytes), BYTES(4 * KIB, GIB), .def = "1M",
		.help = "output that may wait for one client" },
	{ LIMIT(output_memory), BYTES(MIB, 1024 * GIB), .def = "256M",
		.help = "output that may wait for all clients of a worker" },
	{ LIMIT_AS("idle_timeout", idle_timeout_s), SECONDS(MS_S, 365 * MS_DAY),
		.zero = true, .def = "0",
		.help = "a client that is silent for so long is closed; 0: "
			"never" },
	{ LIMIT(rooms), NUMBER(1, 131072), .def = "100000",
		.help = "rooms in all" },
	{ LIMIT(rooms_per_client), NUMBER(1, 1024), .def = "64",
		.help = "rooms that a client may be in" },
	{ LIMIT(topic_bytes), BYTES(0, 1024), .def = "512",
		.help = "the longest topic; 0: as the most" },
	{ LIMIT(announce_limit), NUMBER(0, 10000000), .def = "1000",
		.help = "joins are told in rooms of up to so many members; 0: "
			"no limit" },

	/* What tcp(7) takes: MAX_TCP_KEEPIDLE, _KEEPINTVL and _KEEPCNT. */
	{ ALIVE_AS("idle", idle_s), SECONDS(MS_S, 32767 * MS_S), .def = "60s",
		.help = "silence before the kernel asks whether a client is "
			"there" },
	{ ALIVE_AS("interval", interval_s), SECONDS(MS_S, 32767 * MS_S),
		.def = "10s", .help = "between the kernel's questions" },
	{ ALIVE_AS("count", count), NUMBER(1, 127), .def = "6",
		.help = "questions without answer before it is gone" },

	/* In the order of enum log_level of log/log.h. */
	{ LOG(level), CHOICE("error warning notice info debug"), .def = "info",
		.help = "what is logged: this and everything graver" },
	{ LOG(target), CHOICE("auto stderr syslog file"), .def = "auto",
		.restart = true,
		.help = "where to; auto: the journal under systemd, else "
			"stderr, and syslog without -F" },
	{ LOG(file), TEXT(no_path, "an absolute path, or \"\""), .def = "",
		.restart = true, .help = "the file of target file" },
};

_Static_assert(sizeof(rows) / sizeof(*rows) <= CONF_ROWS_MAX,
	"origins are kept for CONF_ROWS_MAX keys");

const struct conf_row *
conf_key_rows(size_t *ret_n)
{
	*ret_n = sizeof(rows) / sizeof(*rows);
	return rows;
}
