/* version.h - which banter this is.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BASE_VERSION_H
#define BANTER_BASE_VERSION_H

/* configure gives PACKAGE_VERSION; a lone file compiled by hand has none. */
#ifdef PACKAGE_VERSION
# define BANTER_VERSION PACKAGE_VERSION
#else
# define BANTER_VERSION "unversioned"
#endif

/* The same in one place of the program. */
extern const char banter_version[];

#endif
