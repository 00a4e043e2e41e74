/* SPDX-License-Identifier: MIT */
#include "net/addr.h"

#include <arpa/inet.h>
#include <string.h>

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static bool
is_ipv4(const uint8_t ip[16])
{
	return !memcmp(ip, mapped, sizeof mapped);
}

struct addr
addr_of(const struct sockaddr_storage *ss, socklen_t len)
{
	struct addr a = { 0 };

	if (ss->ss_family == AF_INET && len >= sizeof(struct sockaddr_in)) {
		const struct sockaddr_in *in = (const void *)ss;

		memcpy(a.ip, mapped, sizeof mapped);
		memcpy(a.ip + sizeof mapped, &in->sin_addr, 4);
		a.port = ntohs(in->sin_port);
	} else if (ss->ss_family == AF_INET6 &&
		   len >= sizeof(struct sockaddr_in6)) {
		const struct sockaddr_in6 *in6 = (const void *)ss;

		memcpy(a.ip, &in6->sin6_addr, sizeof a.ip);
		a.port = ntohs(in6->sin6_port);
	} else {
		a.local = true;
	}
	return a;
}

const char *
addr_text(const uint8_t ip[16], char out[ADDR_TEXT_LEN])
{
	const char *text =
		is_ipv4(ip) ? inet_ntop(AF_INET, ip + sizeof mapped, out,
				      ADDR_TEXT_LEN)
			    : inet_ntop(AF_INET6, ip, out, ADDR_TEXT_LEN);

	if (text == NULL)
		out[0] = '\0';
	return out;
}

bool
addr_in_net(const uint8_t ip[16], const uint8_t net[16], unsigned bits)
{
	unsigned whole, rest;
	uint8_t mask;

	if (bits > 128)
		bits = 128;
	/* All of IPv4 lies behind ::ffff:0:0/96: who writes ::/0 means IPv6. */
	if (bits < 96 && is_ipv4(ip))
		return false;
	whole = bits / 8;
	rest = bits % 8;
	if (memcmp(ip, net, whole) != 0)
		return false;
	mask = (uint8_t)(0xff00u >> rest);
	return rest == 0 || ((ip[whole] ^ net[whole]) & mask) == 0;
}

void
addr_group(const uint8_t ip[16], uint8_t ret[16])
{
	memcpy(ret, ip, 16);
	if (!is_ipv4(ip))
		memset(ret + 8, 0, 8);
}
