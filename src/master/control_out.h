/* control_out.h - the bytes of an answer that the peer has not read yet.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_CONTROL_OUT_H
#define BANTER_MASTER_CONTROL_OUT_H

#include "base/slice.h"

#include <stdbool.h>

/* Zeroed means empty.  It grows to CONTROL_OUT_MAX and then sets over. */
struct control_out {
	char *p;
	size_t at, len, cap; /* p[at] to p[len - 1] wait */
	bool over;           /* something did not fit: the answer is cut */
};

void control_out_fini(struct control_out *out);

static inline size_t
control_out_pending(const struct control_out *out)
{
	return out->len - out->at;
}

void control_out_add(struct control_out *out, struct slice s);

/* With \t, \n and \\ for tab, newline, backslash. */
void control_out_escaped(struct control_out *out, struct slice s);

/* As control_out_add(), beyond the limit too: for the last line. */
void control_out_force(struct control_out *out, struct slice s);

/* Send once what fd takes without waiting.  The number of bytes, or -errno. */
long control_out_send(struct control_out *out, int fd);

#endif
