/* registry_fake.h - a registry with what it emits written down, and requests
 * as slots send them; for its tests.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_T_REGISTRY_FAKE_H
#define BANTER_T_REGISTRY_FAKE_H

#include "conf/conf.h"
#include "master/registry.h"
#include "msg/refusal.h"
#include "msg/session_id.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static struct conf conf;
static struct registry *reg;

/* What was emitted, one line a frame: MASK TYPE ROOM SENDER text... */
static char out[1 << 16];
static size_t out_len;
static bool quiet_out;
static uint64_t n_frames;
static uint64_t last_mask;
static struct bus_frame last;
static char last_body[BUS_BATCH_MAX];

static inline void
emit(void *arg, uint64_t mask, const struct bus_frame *f, struct slice body)
{
	static _Alignas(8) char copy[BUS_BATCH_MAX + 8];

	(void)arg;
	n_frames++;
	last_mask = mask;
	last = *f;
	memcpy(last_body, body.p, body.len);
	memcpy(copy, f, sizeof *f);
	memcpy(copy + sizeof *f, body.p, body.len);
	cr_assert(bus_frame_ok((void *)copy, sizeof copy, false),
		"type %u is right", f->type);
	cr_assert_neq(mask, 0);
	if (!quiet_out)
		out_len += (size_t)snprintf(out + out_len, sizeof out - out_len,
			"%llx:%u:%u:%llu ", (unsigned long long)mask, f->type,
			f->room,
			(unsigned long long)(session_id_slot(f->sender) * 100 +
					     session_id_number(f->sender)));
}

static inline void
expect(const char *what)
{
	out[out_len ? out_len - 1 : 0] = '\0';
	cr_assert_str_eq(out, what);
	out_len = 0;
}

static inline void
configure_defaults(void)
{
	conf = (struct conf){
		.max_clients = 100000, .create_rooms = true, .n_rooms = 1
	};
	strcpy(conf.room[0].name, "lobby");
	strcpy(conf.room[0].topic, "Welcome");
	conf.room[0].autojoin = true;
	conf.limits.clients_per_ip = 64;
	conf.limits.rooms = 1000;
	conf.limits.rooms_per_client = 8;
	conf.limits.topic_bytes = 64;
	conf.limits.announce_limit = 100;
}

static inline void
setup(void)
{
	configure_defaults();
	reg = registry_new(&conf, 64, emit, NULL);
}

static inline void
teardown(void)
{
	registry_free(&reg);
}

static _Alignas(8) char frame_mem[BUS_BATCH_MAX];

static inline const char *
request(enum bus_type type, unsigned slot, uint64_t n, uint32_t room,
	unsigned flags, struct slice body)
{
	struct bus_frame *f = (void *)frame_mem;

	*f = (struct bus_frame){ .version = BUS_VERSION,
		.type = (uint8_t)type,
		.flags = (uint16_t)flags,
		.length = (uint32_t)(sizeof *f + body.len),
		.room = room,
		.sender = session_id(slot, n) };
	if (body.len > 0)
		memmove(f + 1, body.p, body.len);
	cr_assert(bus_frame_ok(f, sizeof frame_mem, true), "type %u", type);
	return registry_request(reg, slot, f);
}

static inline const char *
request_str(enum bus_type type, unsigned slot, uint64_t n, const char *s)
{
	char mem[5000];
	struct buf b = buf_over(mem, sizeof mem);

	bus_put_str(&b, slice_str(s));
	return request(type, slot, n, 0, 0, buf_slice(&b));
}

static inline const char *
connect_from(unsigned slot, uint64_t n, uint32_t ip, bool raw)
{
	struct bus_connect c = { .address = { [10] = 0xff, [11] = 0xff },
		.raw = raw };

	memcpy(c.address + 12, &ip, 4);
	return request(BUS_CONNECT, slot, n, 0, 0, slice_of(&c, sizeof c));
}

static inline void
enter(unsigned slot, uint64_t n)
{
	cr_assert_null(connect_from(slot, n, 0x01020304, true));
}

static inline void
two_strings(enum bus_type type, unsigned slot, uint64_t n, uint32_t room,
	const char *a, const char *b, const char *tail)
{
	char mem[5000];
	struct buf body = buf_over(mem, sizeof mem);

	if (a)
		bus_put_str(&body, slice_str(a));
	bus_put_str(&body, slice_str(b));
	buf_str(&body, tail);
	cr_assert_null(request(type, slot, n, room, 0, buf_slice(&body)));
}

static inline void
say(unsigned slot, uint64_t n, uint32_t room)
{
	two_strings(BUS_SAY, slot, n, room, NULL, "ann", "hello");
}

/* The last frame is this refusal. */
static inline void
expect_refused(enum refusal why, uint64_t number, const char *target)
{
	struct slice body = slice_of(last_body, last.length - sizeof last), t;
	struct bus_refused r;

	cr_assert_eq(last.type, BUS_REFUSED);
	cr_assert(bus_get(&body, &r, sizeof r) && bus_get_str(&body, &t));
	cr_assert_eq(r.refusal, why, "%u", r.refusal);
	cr_assert_eq(r.number, number, "%llu", (unsigned long long)r.number);
	cr_assert(slice_eq_str(t, target), "%.*s", (int)t.len, t.p);
	out_len = 0;
}

static inline struct slice
last_text(size_t skip, unsigned strings)
{
	struct slice body = slice_of(last_body + skip,
			     last.length - sizeof last - skip),
		     s;

	while (strings--)
		cr_assert(bus_get_str(&body, &s));
	return body;
}

#endif
