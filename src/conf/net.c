/* SPDX-License-Identifier: MIT */
#include "conf/private.h"

#include <arpa/inet.h>
#include <errno.h>

struct parsed {
	enum {
		ANY,
		PATH,
		IP
	} what;
	int family;
	uint8_t ip[16]; /* IPv4 in the last four */
};

static bool
parse_ip(const char *text, struct parsed *ret)
{
	*ret = (struct parsed){ .what = IP };
	if (inet_pton(AF_INET6, text, ret->ip) == 1) {
		ret->family = AF_INET6;
		return true;
	}
	if (inet_pton(AF_INET, text, ret->ip + 12) == 1) {
		ret->family = AF_INET;
		ret->ip[10] = ret->ip[11] = 0xff;
		return true;
	}
	return false;
}

static bool
parse_address(const char *text, struct parsed *ret)
{
	*ret = (struct parsed){ .what = ANY };
	if (!strcmp(text, "*"))
		return true;
	ret->what = PATH;
	return *text == '/' ? conf_text_path(text) : parse_ip(text, ret);
}

bool
conf_net_address(const char *text)
{
	struct parsed p;

	return parse_address(text, &p);
}

static bool
is_wildcard(const struct parsed *p)
{
	static const uint8_t zero[16];
	size_t from = p->family == AF_INET ? 12 : 0;

	return p->what == ANY || !memcmp(p->ip + from, zero, 16 - from);
}

bool
conf_net_clash(const char *a, const char *b)
{
	struct parsed x, y;

	if (!parse_address(a, &x) || !parse_address(b, &y))
		return false;
	if (x.what == PATH || y.what == PATH)
		return x.what == y.what && !strcmp(a, b);
	if (x.what == ANY || y.what == ANY)
		return true;
	return x.family == y.family &&
	       (is_wildcard(&x) || is_wildcard(&y) || !memcmp(x.ip, y.ip, 16));
}

static bool
bits_behind(const uint8_t ip[16], unsigned bits)
{
	for (unsigned i = bits; i < 128; i++)
		if (ip[i / 8] & (0x80 >> (i % 8)))
			return true;
	return false;
}

int
conf_net_parse(const char *text, struct conf_net *ret)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	char address[INET6_ADDRSTRLEN];
	uint64_t bits = 0;
	struct parsed p;
	unsigned most;

	if (len >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, len);
	address[len] = '\0';
	if (!parse_ip(address, &p))
		return -EINVAL;
	most = p.family == AF_INET ? 32 : 128;
	if (!slash)
		bits = most;
	else if (conf_number_parse(CONF_TYPE_NUMBER, slash + 1, &bits) < 0 ||
		 bits > most)
		return -EINVAL;
	memcpy(ret->address, p.ip, 16);
	ret->bits = (uint8_t)(bits + 128 - most);
	return bits_behind(ret->address, ret->bits) ? -EDOM : 0;
}

void
conf_net_mask(struct conf_net *net)
{
	for (unsigned i = net->bits; i < 128; i++)
		net->address[i / 8] &= (uint8_t) ~(0x80 >> (i % 8));
}

void
conf_net_print(const struct conf_net *net, struct buf *b)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char text[INET6_ADDRSTRLEN];
	bool four = net->bits >= 96 && !memcmp(net->address, mapped, 12);
	unsigned most = four ? 32 : 128;
	unsigned bits = net->bits - (128 - most);

	if (!inet_ntop(four ? AF_INET : AF_INET6,
		    net->address + (four ? 12 : 0), text, sizeof(text)))
		return;
	buf_str(b, text);
	if (bits < most)
		buf_printf(b, "/%u", bits);
}
