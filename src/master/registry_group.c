/* registry_group.c - how many clients each address has.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/must.h"
#include "base/xalloc.h"
#include "conf/conf.h"
#include "master/registry_private.h"
#include "net/addr.h"

#include <stdlib.h>
#include <string.h>

static void
reset(struct registry *reg)
{
	free(reg->group);
	map_fini(&reg->by_ip);
	reg->group = NULL;
	reg->n_groups = reg->end_group = reg->cap_group = 0;
	reg->free_group = NOBODY;
}

void
groups_fini(struct registry *reg)
{
	reset(reg);
}

static bool
is_exempt(const struct conf_limits *l, const uint8_t ip[16])
{
	for (uint32_t i = 0; i < l->exempt.n; i++)
		if (addr_in_net(ip, l->exempt.net[i].address,
			    l->exempt.net[i].bits))
			return true;
	return false;
}

static uint64_t
hash_ip(const struct registry *reg, const uint8_t ip[16])
{
	return hash_bytes(&reg->key, ip, 16);
}

static uint32_t
take_free(struct registry *reg)
{
	uint32_t g = reg->free_group;

	if (g != NOBODY) {
		memcpy(&reg->free_group, reg->group[g].ip, sizeof g);
		return g;
	}
	if (reg->end_group == reg->cap_group) {
		reg->cap_group = reg->cap_group ? reg->cap_group * 2 : 64;
		reg->group = xrealloc(
			reg->group, reg->cap_group, sizeof *reg->group);
	}
	return reg->end_group++;
}

uint32_t
group_find(struct registry *reg, const uint8_t ip[16])
{
	uint8_t key[16];

	if (is_exempt(&reg->conf->limits, ip))
		return NOBODY;
	addr_group(ip, key);
	return group_of(reg, key);
}

uint32_t
group_of(struct registry *reg, const uint8_t key[16])
{
	struct map_at at = map_look(&reg->by_ip, hash_ip(reg, key));
	uint32_t g;

	while (map_next(&reg->by_ip, &at, &g))
		if (!memcmp(reg->group[g].ip, key, 16))
			return g;
	g = take_free(reg);
	memcpy(reg->group[g].ip, key, 16);
	reg->group[g].n = 0;
	map_add(&reg->by_ip, hash_ip(reg, key), g);
	reg->n_groups++;
	return g;
}

void
group_enter(struct registry *reg, uint32_t g)
{
	if (g != NOBODY)
		reg->group[g].n++;
}

void
group_leave(struct registry *reg, uint32_t g)
{
	struct group *group;

	if (g == NOBODY)
		return;
	group = &reg->group[g];
	if (group->n > 0)
		group->n--;
	if (group->n > 0)
		return;
	must(map_del(&reg->by_ip, hash_ip(reg, group->ip), g));
	memcpy(group->ip, &reg->free_group, sizeof g);
	reg->free_group = g;
	if (--reg->n_groups == 0)
		reset(reg);
}
