/* commands_bans.h - what `ban` and `kick --ban` share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_COMMANDS_BANS_H
#define BANTER_MASTER_COMMANDS_BANS_H

#include "master/banlist.h"
#include "master/commands_private.h"

#define COMMANDS_NOTE_LEN 240

/* How long a word says, 0 for ever.  False: the request is finished. */
bool commands_ban_time(
	struct control_request *r, struct slice word, uint64_t *ret_ms);

/* The words from `at` on are the reason.  False: the request is finished. */
bool commands_ban_reason(struct control_request *r, const struct words *words,
	unsigned at, struct ban *ban);

/* The network that stands for an address: itself, or its IPv6 /64. */
void commands_ban_group(const uint8_t ip[16], struct conf_net *ret);

/* Put it in force; net and reason are set.  0 or -errno, with a note for
 * whoever asked. */
int commands_ban_add(struct commands *c, const struct control_request *r,
	struct ban *ban, uint64_t for_ms, char note[COMMANDS_NOTE_LEN]);

#endif
