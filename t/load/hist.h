/* hist.h - how long messages took: a histogram in steps of 1/16 of a power of
 * two.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_LOAD_HIST_H
#define BANTER_LOAD_HIST_H

#include <stdint.h>

void hist_add(uint64_t us);

/* The value that `percent` of all do not exceed, up to one step. */
uint64_t hist_percentile(double percent);
uint64_t hist_max(void);

#endif
