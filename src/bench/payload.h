/* payload.h - what a measured message says.
 *
 *	~SSSSSSNNNNNNNNIIIIIIIIIIIIIIIILLLLLLLL~xxxxx
 *
 * Sender (6 hexadecimal digits), its sequence number from 1 on (8), the time at
 * which it was planned to be sent (16, CLOCK_MONOTONIC, ns), how much later
 * than that it was (8, ns), and filling.  All of fixed width, so that reading
 * one costs the same whatever it says.  A number of 0 is a probe.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BENCH_PAYLOAD_H
#define BANTER_BENCH_PAYLOAD_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define PAYLOAD_MIN     40
#define PAYLOAD_SENDERS (UINT32_C(1) << 24)

struct payload {
	uint32_t sender, number;
	uint64_t intended_ns;
	uint32_t late_ns; /* at most 4.29 s: more is shown as that */
};

/* Write it into size bytes (at least PAYLOAD_MIN) at out. */
void payload_write(char *out, size_t size, const struct payload *p);

/* Find one in a text: something may stand before it. */
bool payload_read(struct slice text, struct payload *ret);

#endif
