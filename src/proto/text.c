/* text - lines for people and instruments, by nc or telnet.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proto/text_private.h"

static uint32_t
variant(uint64_t state)
{
	uint32_t bits = 0;

	if (state & (TEXT_CRLF | TEXT_TELNET))
		bits |= TEXT_VARIANT_CRLF;
	if (state & TEXT_TIME)
		bits |= TEXT_VARIANT_TIME;
	return bits;
}

static uint64_t
set_time(uint64_t state, bool on)
{
	return on ? state | TEXT_TIME : state & ~TEXT_TIME;
}

const struct protocol protocol_text = {
	.name = "text",
	.input = text_input,
	.flush = text_flush,
	.encode = text_encode,
	.variant = variant,
	.set_time = set_time,
	.has_notices = true,
};
