/* addr.h - network addresses as text and as 16 bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_NET_ADDR_H
#define BANTER_NET_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDR_TEXT_LEN 64

/* IPv4 as ::ffff:a.b.c.d, so that one comparison serves both. */
struct addr {
	uint8_t ip[16];
	uint16_t port;
	bool local; /* a UNIX socket */
};

/* From what accept() or getpeername() gave. */
struct addr addr_of(const struct sockaddr_storage *ss, socklen_t len);

/* "192.0.2.1" or "2001:db8::1" of 16 bytes. */
const char *addr_text(const uint8_t ip[16], char out[ADDR_TEXT_LEN]);

/* Is ip inside net/bits (both in 16-byte form)?  An IPv4 address is in no
 * network of IPv6, not even in ::/0. */
bool addr_in_net(const uint8_t ip[16], const uint8_t net[16], unsigned bits);

/* What clients_per_ip counts as one: an IPv4 address, or an IPv6 /64 (one
 * customer has at least that, RFC 6177), with the rest zero. */
void addr_group(const uint8_t ip[16], uint8_t ret[16]);

#endif
