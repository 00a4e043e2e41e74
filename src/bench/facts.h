/* facts.h - what a figure depends on beside the server.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BENCH_FACTS_H
#define BANTER_BENCH_FACTS_H

#include <jansson.h>

/* Kernel, CPU, limits of this machine; the caller's. */
json_t *facts_machine(void);

#endif
