/* must.h - stop at our own mistakes.
 *
 * must() is always compiled in.  It is for API misuse and impossible states;
 * nothing that a client, a file or another host can send may reach one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_BASE_MUST_H
#define BANTER_BASE_MUST_H

#define must(cond)                       \
 do {                                    \
  if (__builtin_expect(!(cond), 0))      \
   must_fail(__FILE__, __LINE__, #cond); \
 } while (0)

/* Write file:line and the expression to stderr and abort. */
_Noreturn void must_fail(const char *file, int line, const char *expr);

#endif
