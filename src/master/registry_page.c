/* registry_page.c - where the record of a client lies.
 *
 * In a page of its slot: to find the sessions of a slot, or of a range of their
 * numbers, costs nothing for those of others.  A page that is empty is any
 * slot's, so what the table takes is at most a page for each slot above what
 * its slots had when each had most.
 *
 * Numbers ascend, so that pages that are filled one after the other hold ranges
 * that hardly overlap; where clients come and go they are wider, and the whole
 * slot is the bound.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/must.h"
#include "base/xalloc.h"
#include "master/registry_private.h"

#include <stdlib.h>

#define EMPTY_PAGES 0 /* in the place of a slot */

void
pages_init(struct registry *reg)
{
	for (unsigned slot = 0; slot <= SLOTS_MAX; slot++)
		reg->pages_of[slot] =
			(struct page_list){ .first = NOBODY, .last = NOBODY };
}

void
pages_fini(struct registry *reg)
{
	free(reg->client);
	free(reg->page);
	reg->client = NULL;
	reg->page = NULL;
	reg->n_pages = reg->cap_pages = 0;
	pages_init(reg);
}

uint32_t
pages_end(const struct registry *reg)
{
	return reg->n_pages * PAGE_CLIENTS;
}

static void
take_out(struct registry *reg, uint32_t p)
{
	struct page *page = &reg->page[p];
	struct page_list *list = &reg->pages_of[page->slot];

	if (page->prev == NOBODY)
		list->first = page->next;
	else
		reg->page[page->prev].next = page->next;
	if (page->next == NOBODY)
		list->last = page->prev;
	else
		reg->page[page->next].prev = page->prev;
}

static void
put_first(struct registry *reg, uint32_t p, unsigned slot)
{
	struct page_list *list = &reg->pages_of[slot];

	reg->page[p].slot = (uint16_t)slot;
	reg->page[p].prev = NOBODY;
	reg->page[p].next = list->first;
	if (list->first == NOBODY)
		list->last = p;
	else
		reg->page[list->first].prev = p;
	list->first = p;
}

static void
put_last(struct registry *reg, uint32_t p)
{
	struct page_list *list = &reg->pages_of[reg->page[p].slot];

	reg->page[p].prev = list->last;
	reg->page[p].next = NOBODY;
	if (list->last == NOBODY)
		list->first = p;
	else
		reg->page[list->last].next = p;
	list->last = p;
}

static void
grow(struct registry *reg, uint32_t n_pages)
{
	reg->page = xrealloc(reg->page, n_pages, sizeof *reg->page);
	reg->client = xrealloc(reg->client, (size_t)n_pages * PAGE_CLIENTS,
		sizeof *reg->client);
	reg->cap_pages = n_pages;
}

static uint32_t
make_page(struct registry *reg)
{
	uint32_t p = reg->n_pages, first = p * PAGE_CLIENTS;

	if (p == reg->cap_pages)
		grow(reg, p > 0 ? p * 2 : 1);
	reg->n_pages++;
	for (uint32_t c = first; c < first + PAGE_CLIENTS; c++)
		reg->client[c] = (struct client){ .group = c + 1 };
	reg->client[first + PAGE_CLIENTS - 1].group = NOBODY;
	reg->page[p] = (struct page){ .free = first };
	put_first(reg, p, EMPTY_PAGES);
	return p;
}

void
pages_reserve(struct registry *reg, uint32_t end)
{
	uint32_t n = (end + PAGE_CLIENTS - 1) / PAGE_CLIENTS;

	if (n > 0)
		grow(reg, n);
	while (reg->n_pages < n)
		(void)make_page(reg);
}

/* A page of the slot with a free record. */
static uint32_t
with_room(struct registry *reg, unsigned slot)
{
	uint32_t p = reg->pages_of[slot].first;

	/* The full ones are behind all others. */
	if (p != NOBODY && reg->page[p].n < PAGE_CLIENTS)
		return p;
	p = reg->pages_of[EMPTY_PAGES].first;
	return p == NOBODY ? make_page(reg) : p;
}

static void
enter(struct registry *reg, uint32_t c, uint64_t session)
{
	uint32_t p = c / PAGE_CLIENTS;
	struct page *page = &reg->page[p];
	uint32_t *at = &page->free;

	while (*at != c)
		at = &reg->client[*at].group;
	*at = reg->client[c].group;
	if (page->n == 0) {
		take_out(reg, p);
		put_first(reg, p, session_id_slot(session));
		page->low = page->high = session;
	}
	if (session < page->low)
		page->low = session;
	if (session > page->high)
		page->high = session;
	if (++page->n == PAGE_CLIENTS) {
		take_out(reg, p);
		put_last(reg, p);
	}
}

uint32_t
page_take(struct registry *reg, uint64_t session)
{
	uint32_t p = with_room(reg, session_id_slot(session));
	uint32_t c = reg->page[p].free;

	enter(reg, c, session);
	return c;
}

uint32_t
page_take_at(struct registry *reg, uint32_t c, uint64_t session)
{
	const struct page *page = &reg->page[c / PAGE_CLIENTS];

	must(c < pages_end(reg));
	if (reg->client[c].session != 0 ||
		(page->n > 0 && page->slot != session_id_slot(session)))
		return page_take(reg, session);
	enter(reg, c, session);
	return c;
}

void
page_give(struct registry *reg, uint32_t c)
{
	uint32_t p = c / PAGE_CLIENTS;
	struct page *page = &reg->page[p];

	reg->client[c] = (struct client){ .group = page->free };
	page->free = c;
	page->n--;
	if (page->n != 0 && page->n != PAGE_CLIENTS - 1)
		return;
	take_out(reg, p);
	put_first(reg, p, page->n == 0 ? EMPTY_PAGES : page->slot);
}

static void
go_to(struct walk *w, const struct registry *reg, uint32_t p)
{
	w->c = p == NOBODY ? NOBODY : p * PAGE_CLIENTS;
	w->next_page = p == NOBODY ? NOBODY : reg->page[p].next;
}

struct walk
walk_sessions(const struct registry *reg, uint64_t first, uint64_t last)
{
	struct walk w = { .first = first, .last = last };

	must(session_id_slot(first) == session_id_slot(last));
	go_to(&w, reg, reg->pages_of[session_id_slot(first)].first);
	return w;
}

static bool
is_passed_over(const struct registry *reg, const struct walk *w)
{
	const struct page *page = &reg->page[w->c / PAGE_CLIENTS];

	return page->high < w->first || page->low > w->last;
}

uint32_t
walk_next(struct registry *reg, struct walk *w)
{
	/* With the last client the table goes. */
	while (w->c != NOBODY && reg->n_pages > 0) {
		uint32_t c = w->c++;
		uint64_t session = reg->client[c].session;
		bool over = c % PAGE_CLIENTS == 0 && is_passed_over(reg, w);

		reg->looked_at++;
		if (over || w->c % PAGE_CLIENTS == 0)
			go_to(w, reg, w->next_page);
		if (!over && session >= w->first && session <= w->last)
			return c;
	}
	return NOBODY;
}
