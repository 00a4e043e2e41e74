/* title.h - what ps(1) shows of this process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BASE_TITLE_H
#define BANTER_BASE_TITLE_H

/* Set the name (its first 15 bytes) and the command line.  The environment is
 * moved out of the way on the first call: pointers from getenv(3) that are
 * older than that must not be used.  When the memory of the command line cannot
 * be found only the name is set. */
void title_set(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
