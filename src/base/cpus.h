/* cpus.h
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BASE_CPUS_H
#define BANTER_BASE_CPUS_H

/* CPUs that this process may use, at least 1. */
unsigned cpus_allowed(void);

#endif
