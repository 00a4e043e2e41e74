/* registry_private.h - the tables of the registry, for its own files.
 *
 * Clients, rooms and address groups are known by their index; an index is used
 * again, a session or a room's id never.  A membership of a client says where
 *in its room it stands, so that a room is left in one step; the member that
 *takes its place there looks through its own memberships, which are few:
 *
 *	client[c].membership[w] = { room r, at m }
 *	room[r]->member[m]      = client c
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BANTER_MASTER_REGISTRY_PRIVATE_H
#define BANTER_MASTER_REGISTRY_PRIVATE_H

#include "base/hash.h"
#include "base/map.h"
#include "conf/conf.h"
#include "master/registry.h"
#include "msg/name.h"
#include "msg/session_id.h"

#define NOBODY UINT32_MAX

struct membership {
	uint32_t room;
	uint32_t at : 31;
	uint32_t quiet : 1; /* came unannounced and leaves so */
};

union memberships {
	struct membership one;   /* n_rooms is 1 */
	struct membership *many; /* 2 and more; as many as the next power of
				  * two */
};

/* Who is no guest. */
struct named {
	union memberships in;
	uint8_t len;
	char nick[];
};

/* There are as many as clients, idle ones too: every byte counts. */
struct client {
	uint64_t session; /* 0: free */
	uint32_t group;   /* of addresses, or NOBODY; free: the next free one
			   * of the page */
	uint32_t n_rooms : 31;
	uint32_t has_nick : 1;
	union {
		union memberships in;
		struct named *named; /* has_nick */
	};
};

/* Records of clients of one slot. */
#define PAGE_CLIENTS 128u

struct page {
	uint64_t low, high;  /* no session outside of these is in it */
	uint32_t prev, next; /* of the slot: the full ones are the last */
	uint32_t free;       /* the first free record, or NOBODY */
	uint16_t n, slot;    /* both 0: empty, and no slot's */
};

struct page_list {
	uint32_t first, last; /* or NOBODY */
};

struct group {
	uint8_t ip[16];
	uint32_t n; /* 0: free, and ip begins with the next free one */
};

struct room {
	uint32_t id;
	uint32_t index;
	uint32_t place; /* in the order of making */
	uint32_t n_members, cap_members;
	uint16_t topic_len;
	uint8_t name_len, fold_len;
	bool configured, echo;
	bool topic_changed; /* by a member: a reload leaves it alone */
	bool hushed;        /* see registry_forget_slot() */
	uint32_t *member;   /* clients */
	uint64_t sequence;  /* of its last message */
	uint64_t mask;      /* slots with members */
	uint64_t hash;      /* of the folded name */
	char *topic;
	uint32_t by_slot[]; /* members in each; then name, then folded name */
};

/* The start of the name lies beside, so that /rooms PREFIX reads 16 bytes and
 * not a whole room for each that it passes over. */
struct order {
	char head[8];
	struct room *room; /* NULL: gone */
};

struct registry {
	const struct conf *conf;
	unsigned n_slots;
	registry_emit_fn *emit;
	void *emit_arg;
	struct hash_key key;

	struct client *client;
	struct page *page; /* [n] is client[n * PAGE_CLIENTS] and on */
	uint32_t n_pages, cap_pages;
	struct page_list pages_of[SLOTS_MAX + 1]; /* 0: the empty ones */
	uint64_t looked_at;                       /* records, by walks */
	uint32_t per_slot[SLOTS_MAX + 1];         /* 0: all */
	struct map by_session, by_nick;

	struct group *group;
	uint32_t n_groups, end_group, cap_group, free_group;
	struct map by_ip;

	struct room **room;
	uint32_t n_rooms, end_room, cap_room;
	uint32_t *free_room;
	uint32_t n_free_room, cap_free_room;
	uint32_t last_id;
	struct room *autojoin[CONF_ROOMS]; /* by the order of the file */
	uint32_t n_autojoin;
	struct map by_id, by_name;
	struct order *order;
	uint32_t n_order, cap_order, n_dead;

	uint64_t messages, refused_full, refused_address;

	struct bus_frame frame; /* being built */
	struct buf body;
	char body_mem[BUS_BATCH_MAX];
};

/* registry_client.c */
void clients_init(struct registry *reg);
void clients_fini(struct registry *reg);
uint32_t client_find(const struct registry *reg, uint64_t session);
/* By nick, or by guestN. */
uint32_t client_find_nick(const struct registry *reg, struct slice nick);
uint32_t client_add(struct registry *reg, uint64_t session, uint32_t group);
/* It must be in no room any more. */
void client_del(struct registry *reg, uint32_t c);
struct slice client_nick(const struct client *c, char mem[NAME_MAX_LEN + 1]);
void client_set_nick(struct registry *reg, uint32_t c, struct slice nick);
struct membership *client_membership(struct client *c, uint32_t which);
union memberships *client_in_rooms(struct client *c);
/* Which of its memberships is that of the room; NOBODY: none. */
uint32_t client_in(struct client *c, const struct room *room);
size_t clients_memory(const struct registry *reg);
/* For registry_state.c, after pages_reserve(): at index c if that is possible.
 * The index. */
uint32_t client_restore(
	struct registry *reg, uint32_t c, uint64_t session, uint32_t group);
/* False: it cannot be folded, or somebody has it. */
bool client_restore_nick(struct registry *reg, uint32_t c, struct slice nick);
/* For registry_state.c, at the end: nobody has come after all? */
void clients_restored(struct registry *reg);

/* registry_page.c */
void pages_init(struct registry *reg);
/* No client is there any more. */
void pages_fini(struct registry *reg);
/* Above all indexes of clients. */
uint32_t pages_end(const struct registry *reg);
/* Empty pages for indexes below end, in a registry without clients. */
void pages_reserve(struct registry *reg, uint32_t end);
/* The index of a free record, which is to become the session's. */
uint32_t page_take(struct registry *reg, uint64_t session);
/* The record c < pages_end(), or another one if that is taken or in a page of
 * another slot. */
uint32_t page_take_at(struct registry *reg, uint32_t c, uint64_t session);
void page_give(struct registry *reg, uint32_t c);

/* The clients with sessions from first to last, which are of one slot, in no
 * order.  The one that walk_next() has found last may be deleted before it is
 * called again; nobody else may come or go meanwhile. */
struct walk {
	uint64_t first, last;
	uint32_t c, next_page;
};
struct walk walk_sessions(
	const struct registry *reg, uint64_t first, uint64_t last);
/* NOBODY: that was all. */
uint32_t walk_next(struct registry *reg, struct walk *w);

/* registry_group.c */
void groups_fini(struct registry *reg);
/* The group of an address that counts, with n >= 0 clients; NOBODY: it does
 * not count. */
uint32_t group_find(struct registry *reg, const uint8_t ip[16]);
/* The group that has this key, as groups are saved; made if need be. */
uint32_t group_of(struct registry *reg, const uint8_t key[16]);
void group_enter(struct registry *reg, uint32_t group);
/* Also forgets a group that nobody is in. */
void group_leave(struct registry *reg, uint32_t group);

/* registry_room.c */
void rooms_fini(struct registry *reg);
/* Every room counts the members of n_slots slots, and may have moved. */
void rooms_grow(struct registry *reg, unsigned n_slots);
struct slice room_name(const struct registry *reg, const struct room *room);
struct room *room_find(const struct registry *reg, struct slice name);
struct room *room_by_id(const struct registry *reg, uint32_t id);
/* NULL: the name cannot be folded. */
struct room *room_make(struct registry *reg, struct slice name);
/* Forget it if it is empty and not configured. */
void room_drop_if_unused(struct registry *reg, struct room *room);
void room_set_topic(struct room *room, struct slice topic);
void room_enter(
	struct registry *reg, struct room *room, uint32_t c, bool quiet);
void room_leave(
	struct registry *reg, struct room *room, uint32_t c, uint32_t which);
void rooms_tidy(struct registry *reg);
/* For registry_state.c, as with clients. */
void rooms_reserve(struct registry *reg, uint32_t end);
struct room *room_restore(
	struct registry *reg, struct slice name, uint32_t index, uint32_t id);
/* At a place that the room already counts as a member. */
void room_enter_at(struct registry *reg, struct room *room, uint32_t at,
	uint32_t c, bool quiet);
void rooms_reserved(struct registry *reg);

/* registry_answer.c: frames out */
void answer_begin(struct registry *reg, enum bus_type type, uint64_t sender,
	uint32_t room);
void answer_send(struct registry *reg, uint64_t mask);
void answer_refused(struct registry *reg, const struct bus_frame *asked,
	enum refusal why, uint64_t number, struct slice target);
void answer_joined(struct registry *reg, struct room *room, uint64_t session,
	uint16_t flags);
void answer_who(struct registry *reg, struct room *room, uint64_t session);
void answer_rooms(struct registry *reg, struct slice prefix, uint64_t session);
/* An event of one room about a session. */
void announce(struct registry *reg, enum bus_type type, uint32_t room,
	uint64_t session, struct slice nick, uint64_t mask);

static inline uint64_t
slot_bit(unsigned slot)
{
	return UINT64_C(1) << (slot - 1);
}

static inline uint64_t
slot_bit_of(uint64_t session)
{
	return slot_bit(session_id_slot(session));
}

#endif
