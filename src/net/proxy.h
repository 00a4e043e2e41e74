/* proxy.h - the header that a proxy puts before a connection: who it is for.
 *
 * The PROXY protocol, versions 1 and 2
 * (https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_NET_PROXY_H
#define BANTER_NET_PROXY_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define PROXY_MAX                                       \
 536 /* bytes of a header: 16, and 520 of addresses and \
      * whatever else a proxy adds */

struct proxy_header {
	bool named;     /* false: LOCAL, UNKNOWN, or no IP address: whoever
			 * connected is the client */
	uint8_t ip[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint16_t port;
};

/* Read the header that bytes begin with.  Its length; 0: it is not whole yet,
 * never with PROXY_MAX bytes; -EPROTO: that is no header. */
int proxy_parse(struct slice bytes, struct proxy_header *ret);

#endif
