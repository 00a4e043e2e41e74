/* SPDX-License-Identifier: MIT */
#include "io_fixture.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct io_fixture f;

static void *memory;

static void
call(void (*hook)(int fd), int fd)
{
	if (hook != NULL)
		hook(fd);
}

/* All callbacks: one at a time, and the clock before the first. */
static void
enter(void)
{
	cr_assert(not(f.in_callback), "two callbacks at once");
	cr_assert(f.woken, "woke() comes first");
	f.in_callback = true;
}

static void
leave(void)
{
	f.in_callback = false;
}

static void
woke(void *arg)
{
	(void)arg;
	f.n_woke++;
	f.woken = true;
}

static bool
may_accept(void *arg, unsigned listener)
{
	(void)arg;
	(void)listener;
	return f.accepting;
}

static void
accepted(void *arg, unsigned listener, int fd,
	const struct sockaddr_storage *from, socklen_t len)
{
	(void)arg;
	(void)from;
	(void)len;
	cr_assert(eq(u32, listener, 3));
	f.accepted[f.n_accepted++] = fd;
}

static void
starved(void *arg, int error)
{
	(void)arg;
	f.n_starved++;
	f.starved_error = error;
	f.accepting = false;
}

static void
drained(void *arg, unsigned listener)
{
	(void)arg;
	f.drained = listener;
}

static void *
area(void *arg, int fd, size_t *ret_len)
{
	(void)arg;
	f.n_area[fd]++;
	if (!f.area_open) {
		io_client_read(f.io, fd, false);
		return NULL;
	}
	*ret_len = sizeof f.area;
	return f.area;
}

static void
received(void *arg, int fd, size_t len)
{
	(void)arg;
	enter();
	if (f.n_got + len <= sizeof f.got)
		memcpy(f.got + f.n_got, f.area, len);
	f.n_got += len;
	f.n_by_fd[fd]++;
	if (f.n_order < FDS)
		f.order[f.n_order++] = fd;
	call(f.in_received, fd);
	leave();
}

/* Bytes that an engine cannot leave in the socket any more. */
static void *
taken_area(void *arg, int fd)
{
	(void)arg;
	f.n_area[fd]++;
	call(f.in_taken_area, fd);
	return f.area;
}

static void
taken(void *arg, int fd, size_t len)
{
	call(f.in_taken, fd);
	if (f.area_open && f.n_kept == 0 && fd != f.unheard) {
		received(arg, fd, len);
		return;
	}
	io_client_read(f.io, fd, false);
	f.n_kept += len;
}

static uint64_t
tag(void *arg, int fd)
{
	(void)arg;
	return f.tag[fd];
}

static void
ended(void *arg, int fd, int error)
{
	(void)arg;
	enter();
	f.ended = fd;
	f.ended_error = error;
	f.n_ended++;
	io_client_read(f.io, fd, false);
	leave();
}

static void
broken(void *arg, int fd)
{
	(void)arg;
	enter();
	f.broken = fd;
	f.n_broken++;
	leave();
	call(f.in_broken, fd);
}

static void
sent(void *arg, int fd, size_t n)
{
	(void)arg;
	(void)fd;
	f.n_sent += n;
	f.n_sent_calls++;
}

void
send_to(int ours, const struct iovec *iov, unsigned n)
{
	size_t now = io_send(f.io, ours, iov, n);

	if (now > 0)
		sent(NULL, ours, now);
}

static void
writable(void *arg, int fd)
{
	(void)arg;
	enter();
	f.writable = fd;
	f.n_writable++;
	leave();
}

static void
watched(void *arg, unsigned token, bool in, bool out)
{
	(void)arg;
	enter();
	f.token = token;
	f.readable = in;
	f.token_writable = out;
	f.n_watched++;
	leave();
}

void
begin(void)
{
	f = (struct io_fixture){ .accepting = true, .area_open = true };
	/* As an arena's: another process finds it. */
	memory = mmap(NULL, IO_MEMORY_BYTES, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert(memory != MAP_FAILED);
}

void
open_again(const struct engine_name *name)
{
	const struct io_handler h = { .woke = woke,
		.may_accept = may_accept,
		.accepted = accepted,
		.starved = starved,
		.drained = drained,
		.area = area,
		.received = received,
		.taken_area = taken_area,
		.taken = taken,
		.tag = tag,
		.memory = memory,
		.ended = ended,
		.broken = broken,
		.sent = sent,
		.writable = writable,
		.watched = watched };
	const struct io_engine *e = io_engine_find(name->text);
	int rc;

	cr_assert(e != NULL, "%s", name->text);
	rc = io_open(&f.io, e, FDS, &h, f.fds);
	if (rc < 0 && e == io_engine_find("io_uring"))
		cr_skip_test("it is refused here: %s: %s", io_refusal(),
			strerror(-rc));
	cr_assert(eq(int, rc, 0));
}

void
open_engine(const struct engine_name *name)
{
	begin();
	open_again(name);
}

int
listen_at(struct sockaddr_in *ret, int flags)
{
	socklen_t len = sizeof *ret;
	int l = socket(AF_INET, SOCK_STREAM | flags, 0);

	*ret = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	cr_assert(bind(l, (struct sockaddr *)ret, len) == 0 &&
		  listen(l, 128) == 0 &&
		  getsockname(l, (struct sockaddr *)ret, &len) == 0);
	return l;
}

int
connect_to(const struct sockaddr_in *a)
{
	int c = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert(connect(c, (const struct sockaddr *)a, sizeof *a) == 0);
	return c;
}

void
strangers(int *ours, int *theirs)
{
	struct sockaddr_in a;
	int l = listen_at(&a, 0);

	*theirs = connect_to(&a);
	*ours = accept4(l, NULL, NULL, SOCK_NONBLOCK);
	cr_assert(ge(int, *ours, 0));
	close(l);
}

void
client_add(int fd, bool read)
{
	f.tag[fd]++;
	cr_assert(eq(int, io_client_add(f.io, fd, read), 0));
}

void
pair(int *ours, int *theirs)
{
	strangers(ours, theirs);
	client_add(*ours, false);
}

void
one_turn(int ms)
{
	f.woken = false;
	cr_assert(eq(int, io_wait(f.io, ms), 0));
	cr_assert(f.woken);
}

void
turns(int n)
{
	while (n-- > 0)
		one_turn(30);
}

int
harvest(bool noted)
{
	f.woken = true;
	return io_harvest(f.io, noted);
}

void
say(int fd, const char *text)
{
	cr_assert(eq(
		int, (int)send(fd, text, strlen(text), 0), (int)strlen(text)));
}

void
reset(int fd)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(fd);
}
