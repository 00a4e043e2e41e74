/* convert.h - an arena of the previous layout becomes one of this layout.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_ARENA_CONVERT_H
#define BANTER_ARENA_CONVERT_H

#include <stdbool.h>
#include <stdint.h>

/* Can a worker of this image go on over an arena of that version? */
bool arena_can_use(uint32_t version);

/* Has this memfd never held a whole arena? */
bool arena_is_empty(int fd);

/* Write what memfd from has, of the previous layout, into the empty memfd to of
 * arena_size(fd_limit) bytes.  from is only read, and its worker must have
 * ended between two transactions.  0; -EPROTO: it has another version or is
 * damaged, or a transaction was cut; -EFBIG: it has more than fits; -errno. */
int arena_convert(int from, int to, unsigned fd_limit);

#endif
