/* banlist_file.h - the file of banlist.h as a whole.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_BANLIST_FILE_H
#define BANTER_MASTER_BANLIST_FILE_H

#include "base/slice.h"

/* All of it, with a NUL behind; free() it.  0; -EFBIG: more than could be in
 * force; -errno. */
int banlist_file_read(const char *path, char **ret);

/* At any moment, also of a power cut, the old or the new one is there as a
 * whole.  0 or -errno: then it is the old one. */
int banlist_file_write(const char *path, struct slice text);

#endif
