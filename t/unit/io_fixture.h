/* io_fixture.h - an engine, a handler that notes what it is told, and sockets.
 *
 * There is one, f, as each test is a process of its own.  The names are short
 * because every line of a test has some.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_T_UNIT_IO_FIXTURE_H
#define BANTER_T_UNIT_IO_FIXTURE_H

#include "io/io.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <criterion/parameterized.h>
#include <netinet/in.h>

#define FDS 4096

struct engine_name {
	char text[16];
};

extern struct io_fixture {
	struct io *io;
	int fds[IO_ENGINE_FDS];

	/* What the handler answers. */
	bool accepting, area_open;
	uint64_t tag[FDS];
	int unheard; /* whose input is kept if it is taken */

	/* What it was told, in all. */
	int n_woke;
	bool woken; /* since the turn began */
	bool in_callback;
	int accepted[8], n_accepted, n_starved, starved_error;
	unsigned drained;
	char area[65536];
	char got[65536]; /* as far as it fits */
	size_t n_got, n_kept, n_sent, n_sent_calls;
	int n_by_fd[FDS], n_area[FDS], order[FDS], n_order;
	int ended, ended_error, n_ended, broken, n_broken, writable, n_writable;
	unsigned token;
	int n_watched;
	bool readable, token_writable;

	/* What a test does in the callback of that name, if it is set;
	 * in_broken comes at its end, where it may cause others. */
	void (*in_taken_area)(int fd);
	void (*in_taken)(int fd);
	void (*in_received)(int fd);
	void (*in_broken)(int fd);
} f;

/* f and the engine's memory as if nothing had been; and an engine for it, by
 * this process or by one that comes after another.  Where the kernel refuses it
 * the test is skipped. */
void begin(void);
void open_again(const struct engine_name *name);

/* Both. */
void open_engine(const struct engine_name *name);

int listen_at(struct sockaddr_in *ret, int flags);
int connect_to(const struct sockaddr_in *a);

/* A connected pair, of which the engine knows nothing. */
void strangers(int *ours, int *theirs);

/* Another client on that number. */
void client_add(int fd, bool read);

/* Strangers, of which ours becomes a client that is not read. */
void pair(int *ours, int *theirs);

/* io_send(), of which what went out at once counts as sent. */
void send_to(int ours, const struct iovec *iov, unsigned n);

/* One turn of at most that long; n of at most 30 ms. */
void one_turn(int ms);
void turns(int n);

/* What comes without a turn, before the first one. */
int harvest(bool noted);

void say(int fd, const char *text);

/* Close it so that the other side is reset. */
void reset(int fd);

/* For at most ten seconds: threads may come to it late on a busy machine. */
#define UNTIL(condition)                                  \
 do {                                                     \
  for (int left = 1000; !(condition) && left > 0; left--) \
   one_turn(10);                                          \
  if (!(condition))                                       \
   cr_fail("%s", #condition);                             \
 } while (0)

/* A test that is run with each of the engines, whose name it finds in name. */
#define TEST_WITH(suite, test, ...)                                 \
 ParameterizedTestParameters(suite, test)                           \
 {                                                                  \
  static struct engine_name names[] = { __VA_ARGS__ };              \
  return cr_make_param_array(                                       \
	  struct engine_name, names, sizeof names / sizeof *names); \
 }                                                                  \
 ParameterizedTest(struct engine_name *name, suite, test)

/* clang-format off */
#define EACH_ENGINE \
 { "epoll" }, { "io_uring" }, { "poll" }, { "select" }, { "threads" }
/* One that is told of each event, one that is not asked before it receives, and
 * one that tells of an event as long as it lasts. */
#define SOME_ENGINES { "epoll" }, { "io_uring" }, { "poll" }
/* clang-format on */

#endif
