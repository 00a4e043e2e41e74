/* name.h - which names people and rooms may have, and when two are the same.
 *
 * Names are UTF-8.  They are shown as typed and compared by their NFKC case
 * folding (Unicode Standard, section 3.13; done by libunistring).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MSG_NAME_H
#define BANTER_MSG_NAME_H

#include "base/slice.h"
#include "msg/refusal.h"

#include <stdint.h>

#define NAME_MAX_LEN 32 /* bytes of a nick or room as typed */

/* Bytes of a folded name: NFKC expands one code point to at most 18 (U+FDFA,
 * UAX #15), which names of NAME_MAX_LEN bytes cannot all be. */
#define NAME_FOLD_MAX 256

/* Is s a nick that a client may take?  REFUSAL_NONE, or why not:
 * _NICK_INVALID, _NICK_TOO_LONG, _NICK_RESERVED (guestN, private, server). */
enum refusal name_check_nick(struct slice s);

/* The same for a room; a leading '#' must have been dropped already. */
enum refusal name_check_room(struct slice s);

/* Drop one leading '#': "#lobby" means "lobby". */
struct slice name_room(struct slice s);

/* Fold s, at most NAME_MAX_LEN bytes of valid UTF-8, into fold.  The length,
 * or -EINVAL when it is no valid UTF-8 or does not fit. */
int name_fold(struct slice s, char fold[NAME_FOLD_MAX]);

/* Guests are named by their session: nothing is stored.  Writes "guestN" with
 * a NUL and returns its length. */
int name_guest(uint64_t session, char out[NAME_MAX_LEN + 1]);

/* The session that s, "guestN" in any case, names; 0 when it is no such name.
 */
uint64_t name_guest_session(struct slice s);

#endif
