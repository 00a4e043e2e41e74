/* clock.h - what time it is.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BASE_CLOCK_H
#define BANTER_BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds, nanoseconds of CLOCK_MONOTONIC: for intervals. */
uint64_t clock_mono_ms(void);
uint64_t clock_mono_ns(void);

/* Milliseconds since 1970-01-01 UTC: for people. */
uint64_t clock_wall_ms(void);

#endif
