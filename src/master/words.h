/* words.h - a request's line as words.
 *
 * Words are separated by one blank and percent-encoded, so that a reason may
 * hold blanks and any other byte but NUL.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_WORDS_H
#define BANTER_MASTER_WORDS_H

#include "base/slice.h"

#define WORDS_MAX 64

struct words {
	struct slice word[WORDS_MAX]; /* into mem */
	unsigned n;
	char mem[512];
};

/* 0; -EINVAL: an empty word, a bad %XX or %00; -E2BIG: too many or too long. */
int words_split(struct words *w, struct slice line);

#endif
