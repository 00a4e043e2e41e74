/* A worker may die between any two instructions.  So it does here, one by one,
 * while a queue is changed: what its successor makes of the arena is the queue
 * before or the queue after, byte by byte, with the count of what the kernel
 * took to go with it.
 *
 * SPDX-License-Identifier: MIT */
#include "arena/arena.h"
#include "arena/heap.h"
#include "arena/queue.h"
#include "arena/record.h"
#include "arena/tx.h"
#include "base/fd.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define FDS  16
#define TOOK 1000 /* by the kernel, before */

/* Of one test in all, a second or two; with a million it dies at each. */
#define STEPS 50000

TestSuite(death, .timeout = 120);

/* Reachable to the end of the test, so that it is no leak. */
static struct heap *volatile last;

struct act {
	void (*run)(struct arena *a, const struct session *s);
	unsigned lines; /* in the queue before */
	size_t n;       /* that are out of the first one */
	/* Afterwards. */
	size_t sent;
	const char *text;
};

static const char *const line[] = { "one\n", "second\n", "the third\n",
	"a fourth\n" };

static struct arena
mapped(int fd)
{
	struct arena a;
	bool used;

	cr_assert(
		eq(int, arena_map(&a, fd, arena_size(FDS), FDS, 7, &used), 0));
	last = a.blocks;
	return a;
}

static void
push(struct arena *a, const struct session *s, const char *text)
{
	block_ref ref = heap_copy(a, slice_str(text));

	heap_count(a, ref, 1);
	cr_assert(eq(int, queue_push(a, s, ref, (uint32_t)strlen(text), 1), 0));
}

static void
sent(struct arena *a, const struct session *s, size_t n)
{
	tx_begin(a);
	queue_sent(a, s, n);
	tx_commit(a);
}

static const struct session *
prepare(struct arena *a, const struct act *act)
{
	const struct session *s;

	tx_begin(a);
	s = session_new(a, 5, 3);
	tx_commit(a);
	for (unsigned i = 0; i < act->lines; i++)
		push(a, s, line[i]);
	if (act->n > 0)
		sent(a, s, act->n);
	arena_store(&s->tx_total, TOOK);
	return s;
}

/* Does the queue hold just that? */
static bool
holds(const struct arena *a, const struct session *s, const char *text)
{
	struct iovec iov[16];
	unsigned n = queue_iov(a, s, iov, 16);
	size_t at = 0, len = strlen(text);

	for (unsigned i = 0; i < n; i++) {
		if (iov[i].iov_len > len - at ||
			memcmp(iov[i].iov_base, text + at, iov[i].iov_len) != 0)
			return false;
		at += iov[i].iov_len;
	}
	return at == len && s->q_bytes == len;
}

/* False: it had come to its end. */
static bool
dies_after(struct arena *a, const struct session *s, const struct act *act,
	unsigned steps, unsigned *ret_steps)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1)
			_exit(1);
		(void)raise(SIGSTOP);
		act->run(a, s);
		_exit(0);
	}
	cr_assert(eq(int, waitpid(pid, &status, 0), pid));
	if (WIFEXITED(status))
		cr_skip_test("nobody may be traced here");
	for (*ret_steps = 0; *ret_steps < steps; ++*ret_steps) {
		(void)ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL);
		cr_assert(eq(int, waitpid(pid, &status, 0), pid));
		if (!WIFSTOPPED(status)) {
			cr_assert(eq(int, status, 0));
			return false;
		}
	}
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, &status, 0);
	return true;
}

static void
before(const struct act *act, char *text)
{
	*text = '\0';
	for (unsigned i = 0; i < act->lines; i++)
		strcat(text, i == 0 ? line[i] + act->n : line[i]);
}

/* Once; false when there is nothing left to be cut. */
static bool
cut(const struct act *act, unsigned steps, unsigned *ret_steps)
{
	int fd = fd_memory("test arena", arena_size(FDS), false);
	struct arena a = mapped(fd);
	const struct session *s = prepare(&a, act);
	bool died = dies_after(&a, s, act, steps, ret_steps), is_old, is_new;
	char text[256];

	arena_unmap(&a);
	a = mapped(fd);
	cr_assert(eq(int, arena_recount(&a), 0), "%u steps", steps);
	last = a.blocks;
	s = session_at(&a, 5);
	cr_assert(s != NULL && s->state != SESSION_TORN);
	before(act, text);
	is_old = holds(&a, s, text) && s->tx_total == TOOK;
	is_new = holds(&a, s, act->text) && s->tx_total == TOOK + act->sent;
	cr_assert(is_new || (died && is_old), "%u steps", steps);
	tx_begin(&a);
	session_free(&a, s);
	tx_commit(&a);
	cr_assert(eq(u64, heap_used(&a), 0));
	arena_unmap(&a);
	fd_close(&fd);
	return died;
}

static void
cut_everywhere(const struct act *act)
{
	unsigned all, at, by;

	(void)cut(act, UINT32_MAX, &all);
	/* Each death is preceded by half of them on average. */
	by = (unsigned)((uint64_t)all * all / 2 / STEPS) + 1;
	for (unsigned n = 0; n < all; n += by)
		(void)cut(act, n, &at);
}

static void
send_4(struct arena *a, const struct session *s)
{
	sent(a, s, 4);
}

Test(death, while_the_only_block_is_noted_as_sent)
{
	cut_everywhere(&(struct act){
		.run = send_4, .lines = 1, .sent = 4, .text = "" });
}

Test(death, while_a_part_is)
{
	cut_everywhere(&(struct act){ .run = send_4,
		.lines = 3,
		.n = 1,
		.sent = 4,
		.text = "econd\nthe third\n" });
}

/* The third block is out as far as the first was before. */
static void
send_11(struct arena *a, const struct session *s)
{
	sent(a, s, 11);
}

Test(death, while_some_blocks_are)
{
	cut_everywhere(&(struct act){ .run = send_11,
		.lines = 4,
		.n = 3,
		.sent = 11,
		.text = " third\na fourth\n" });
}

static void
send_all(struct arena *a, const struct session *s)
{
	sent(a, s, s->q_bytes);
}

Test(death, while_a_whole_ring_is)
{
	cut_everywhere(&(struct act){
		.run = send_all, .lines = 4, .n = 2, .sent = 28, .text = "" });
}

static void
push_one(struct arena *a, const struct session *s)
{
	push(a, s, "more\n");
}

Test(death, while_one_is_queued)
{
	cut_everywhere(&(struct act){
		.run = push_one, .lines = 1, .text = "one\nmore\n" });
}

Test(death, while_a_queue_grows)
{
	cut_everywhere(&(struct act){
		.run = push_one, .lines = 2, .text = "one\nsecond\nmore\n" });
}

/* Said in a transaction of its own, as an answer is. */
static void
answer(struct arena *a, const struct session *s)
{
	tx_begin(a);
	push(a, s, "an\n");
	push(a, s, "answer\n");
	tx_commit(a);
}

Test(death, while_an_answer_is_queued)
{
	cut_everywhere(&(struct act){
		.run = answer, .lines = 1, .text = "one\nan\nanswer\n" });
}

static void
drop(struct arena *a, const struct session *s)
{
	tx_begin(a);
	(void)queue_drop(a, s);
	tx_commit(a);
}

Test(death, while_the_rest_is_dropped)
{
	cut_everywhere(&(struct act){
		.run = drop, .lines = 4, .n = 2, .text = "e\n" });
}

static void
clear(struct arena *a, const struct session *s)
{
	tx_begin(a);
	queue_clear(a, s);
	tx_commit(a);
}

Test(death, while_all_is_dropped)
{
	cut_everywhere(
		&(struct act){ .run = clear, .lines = 4, .n = 2, .text = "" });
}
