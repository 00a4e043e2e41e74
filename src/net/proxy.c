/* SPDX-License-Identifier: MIT */
#include "net/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

#define V1_MAX    107 /* with CR LF */
#define V1_FIELDS 6
#define V2_FIXED  16
#define V2_IPV4   12 /* bytes of addresses and ports */
#define V2_IPV6   36

static const char v2_signature[12] = "\r\n\r\n\0\r\nQUIT\n";
static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

/* Could these bytes become one that begins with that? */
static bool
begins(struct slice bytes, const char *with, size_t len)
{
	return !memcmp(bytes.p, with, bytes.len < len ? bytes.len : len);
}

/* Decimal, without sign or leading zero. */
static bool
read_port(const char *text, uint16_t *ret)
{
	unsigned v = 0;
	const char *p = text;

	if (*p == '\0' || (*p == '0' && p[1] != '\0'))
		return false;
	for (; *p != '\0'; p++) {
		if (*p < '0' || *p > '9' || p - text >= 5)
			return false;
		v = v * 10 + (unsigned)(*p - '0');
	}
	*ret = (uint16_t)v;
	return v <= 65535;
}

static bool
read_ip(int family, const char *text, uint8_t ret[16])
{
	if (family == AF_INET6)
		return inet_pton(AF_INET6, text, ret) == 1;
	memcpy(ret, mapped, sizeof mapped);
	return inet_pton(AF_INET, text, ret + sizeof mapped) == 1;
}

/* "PROXY TCP4 192.0.2.1 192.0.2.9 4711 7788", NUL in place of CR. */
static bool
read_v1(char *line, struct proxy_header *ret)
{
	char *field[V1_FIELDS + 1] = { NULL };
	unsigned n = 0;
	uint8_t to[16];
	uint16_t port;
	int family;

	while (n <= V1_FIELDS && (field[n] = strsep(&line, " ")) != NULL)
		n++;
	if (n >= 2 && !strcmp(field[1], "UNKNOWN"))
		return true;
	if (n != V1_FIELDS)
		return false;
	if (!strcmp(field[1], "TCP4"))
		family = AF_INET;
	else if (!strcmp(field[1], "TCP6"))
		family = AF_INET6;
	else
		return false;
	ret->named = true;
	return read_ip(family, field[2], ret->ip) &&
	       read_ip(family, field[3], to) &&
	       read_port(field[4], &ret->port) && read_port(field[5], &port);
}

static int
parse_v1(struct slice bytes, struct proxy_header *ret)
{
	char line[V1_MAX + 1];
	const char *lf =
		memchr(bytes.p, '\n', bytes.len < V1_MAX ? bytes.len : V1_MAX);
	size_t len;

	if (lf == NULL)
		return bytes.len < V1_MAX ? 0 : -EPROTO;
	len = (size_t)(lf - bytes.p) + 1;
	if (len < 2 || lf[-1] != '\r' || memchr(bytes.p, '\0', len) != NULL)
		return -EPROTO;
	memcpy(line, bytes.p, len - 2);
	line[len - 2] = '\0';
	return read_v1(line, ret) ? (int)len : -EPROTO;
}

static bool
read_v2(const uint8_t *p, unsigned len, struct proxy_header *ret)
{
	switch (p[13]) {
	case 0x11: /* TCP over IPv4 */
		if (len < V2_IPV4)
			return false;
		memcpy(ret->ip, mapped, sizeof mapped);
		memcpy(ret->ip + sizeof mapped, p + V2_FIXED, 4);
		ret->port = (uint16_t)(p[V2_FIXED + 8] << 8 | p[V2_FIXED + 9]);
		ret->named = true;
		return true;
	case 0x21: /* over IPv6 */
		if (len < V2_IPV6)
			return false;
		memcpy(ret->ip, p + V2_FIXED, 16);
		ret->port =
			(uint16_t)(p[V2_FIXED + 32] << 8 | p[V2_FIXED + 33]);
		ret->named = true;
		return true;
	case 0x00: /* not told */
	case 0x31: /* a UNIX socket */
		return true;
	default:
		return false;
	}
}

static int
parse_v2(struct slice bytes, struct proxy_header *ret)
{
	const uint8_t *p = (const void *)bytes.p;
	unsigned len;

	if (bytes.len > 12 && p[12] != 0x20 && p[12] != 0x21)
		return -EPROTO;
	if (bytes.len < V2_FIXED)
		return 0;
	len = (unsigned)p[14] << 8 | p[15];
	if (len > PROXY_MAX - V2_FIXED)
		return -EPROTO;
	if (bytes.len < V2_FIXED + len)
		return 0;
	/* LOCAL: the proxy itself, to see whether we live. */
	if (p[12] == 0x21 && !read_v2(p, len, ret))
		return -EPROTO;
	return V2_FIXED + (int)len;
}

int
proxy_parse(struct slice bytes, struct proxy_header *ret)
{
	*ret = (struct proxy_header){ 0 };
	if (bytes.len == 0)
		return 0;
	if (begins(bytes, v2_signature, sizeof v2_signature))
		return parse_v2(bytes, ret);
	if (begins(bytes, "PROXY ", 6))
		return parse_v1(bytes, ret);
	return -EPROTO;
}
