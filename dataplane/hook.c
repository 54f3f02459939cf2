#include "dataplane/hook.h"

#include "dataplane/tree.h"

#include <rte_errno.h>
#include <rte_ring.h>

#include <stdio.h>

/* Linear probing searches 32 places for what is not there when seven eighths are used, and 8,192 when all are. */
#define PLACES_USED_MAX (HG_HOOK_PLACES / 8u * 7u)

int hg_hook_create(struct hg_hook *hook, uint32_t n_buffers, struct hg_error *reterr)
{
	static unsigned n_created;
	char name[32];

	*hook = (struct hg_hook){.half = n_buffers + HG_HOOK_PLACES};
	hook->list_bytes = 2u * (size_t)hook->half * sizeof(struct hg_tag);
	hook->places_bytes = HG_HOOK_PLACES * sizeof(struct hg_hook_place);
	hook->list = hg_lazy_alloc(hook->list_bytes);
	hook->places = hg_lazy_alloc(hook->places_bytes);
	snprintf(name, sizeof(name), "headgate_hook%u", n_created++);
	/* No producer waits for another one that was interrupted (relaxed tail). */
	hook->crossing = rte_ring_create(name, n_buffers, SOCKET_ID_ANY,
					 RING_F_MP_RTS_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
	if (hook->list != NULL && hook->places != NULL && hook->crossing != NULL)
		return 0;
	hg_hook_destroy(hook);
	return hg_error_set(reterr, -HG_ENOMEM, "out of memory for in-flight control", NULL);
}

void hg_hook_destroy(struct hg_hook *hook)
{
	hg_lazy_free(hook->list, hook->list_bytes);
	hg_lazy_free(hook->places, hook->places_bytes);
	rte_ring_free(hook->crossing);
	hook->list = NULL;
	hook->places = NULL;
	hook->crossing = NULL;
}

struct hg_tag *hg_hook_tag_of(struct hg_pkt *pkt)
{
	if (pkt->tag.queue != 0)
		return &pkt->tag;
	while (pkt->next != NULL)
		pkt = pkt->next;
	return &pkt->tag;
}

struct hg_tag *hg_hook_call_back(struct hg_pkt *pkt)
{
	struct hg_tag *tag = hg_hook_tag_of(pkt);

	if (tag != &pkt->tag && tag->queue != 0) {
		pkt->tag = *tag;
		tag->queue = 0;
	}
	return &pkt->tag;
}

/* ---- by address --------------------------------------------------------------------------------- */

/* Objects are at least two lines apart. The multiplier is 2^64 by the golden ratio (Knuth, vol. 3, 6.4). */
static uint32_t home_of(const void *buffer)
{
	uint64_t key = (uint64_t)(uintptr_t)buffer / HG_CACHE_LINE_BYTES;

	return (uint32_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 40) & (HG_HOOK_PLACES - 1u);
}

bool hg_hook_track(struct hg_hook *hook, const void *buffer, const struct hg_tag *tag)
{
	uint32_t at = home_of(buffer);

	if (hook->n_places >= PLACES_USED_MAX) {
		hook->n_untracked++;
		return false;
	}
	hg_hook_arm(hook, 1);
	while (hook->places[at].buffer != NULL)
		at = (at + 1u) & (HG_HOOK_PLACES - 1u);
	hook->places[at] = (struct hg_hook_place){.buffer = buffer, .tag = *tag};
	hook->n_places++;
	return true;
}

/* Empties a place and moves those behind it up, so that no search stops too early. */
static void forget_place(struct hg_hook *hook, uint32_t at)
{
	uint32_t mask = HG_HOOK_PLACES - 1u, next = at;

	hook->n_places--;
	for (;;) {
		hook->places[at].buffer = NULL;
		for (;;) {
			uint32_t home;

			next = (next + 1u) & mask;
			if (hook->places[next].buffer == NULL)
				return;
			/* It may move unless its home lies behind the place, cyclically. */
			home = home_of(hook->places[next].buffer);
			if (((next - home) & mask) >= ((next - at) & mask))
				break;
		}
		hook->places[at] = hook->places[next];
		at = next;
	}
}

/* All that stands under the address: the buffer may have been handed over more than twice. */
static HG_NOINLINE void collect_places(struct hg_hook *hook, const void *buffer)
{
	uint32_t at = home_of(buffer);

	while (hook->places[at].buffer != NULL) {
		if (hook->places[at].buffer != buffer) {
			at = (at + 1u) & (HG_HOOK_PLACES - 1u);
			continue;
		}
		hg_hook_collect_one(hook, &hook->places[at].tag);
		forget_place(hook, at); /* another one may stand here now */
	}
}

/* ---- the release call --------------------------------------------------------------------------- */

static struct hg_pkt *view_at(void *buffer, uint32_t view_offset)
{
	return (struct hg_pkt *)(void *)((char *)buffer + view_offset);
}

static HG_NOINLINE void collect_tags(struct hg_hook *hook, void *const *buffers, unsigned n,
				     uint32_t view_offset)
{
	for (unsigned i = 0; i < n; i++) {
		struct hg_tag *tag = &view_at(buffers[i], view_offset)->tag;

		if (tag->queue != 0)
			hg_hook_collect_one(hook, tag);
	}
}

static inline unsigned queue_of(void *buffer, size_t offset)
{
	return *((const uint8_t *)buffer + offset);
}

/* Most packets of a run have no tag: so eight are looked at at once. */
void hg_hook_collect(struct hg_hook *hook, void *const *buffers, unsigned n, uint32_t view_offset)
{
	const size_t at =
		view_offset + offsetof(struct hg_pkt, tag) + offsetof(struct hg_tag, queue);
	void *const *b = buffers, *const *const end = buffers + n;

	if (view_offset > 0) {
		for (; end - b >= 8; b += 8) {
			if ((queue_of(b[0], at) | queue_of(b[1], at) | queue_of(b[2], at) |
			     queue_of(b[3], at) | queue_of(b[4], at) | queue_of(b[5], at) |
			     queue_of(b[6], at) | queue_of(b[7], at)) != 0)
				collect_tags(hook, b, 8, view_offset);
		}
		if (b < end)
			collect_tags(hook, b, (unsigned)(end - b), view_offset);
	}
	for (unsigned i = 0; HG_UNLIKELY(hook->n_places > 0) && i < n; i++)
		collect_places(hook, buffers[i]);
}

unsigned hg_hook_cross(struct hg_hook *hook, void *const *buffers, unsigned n, uint32_t view_offset,
		       void **ret_rest)
{
	unsigned n_rest = 0;

	for (unsigned i = 0; i < n; i++) {
		struct hg_pkt *view = view_offset > 0 ? view_at(buffers[i], view_offset) : NULL;

		/* What has no view may stand in the table, which is the owner's to look into. */
		if (view != NULL && view->tag.queue == 0) {
			ret_rest[n_rest++] = buffers[i];
			continue;
		}
		HG_HANDS_ON(hook->crossing);
		if (rte_ring_enqueue(hook->crossing, buffers[i]) == 0)
			continue;
		if (view != NULL) {
			view->tag.queue = 0;
			atomic_fetch_add(&hook->n_lost, 1u);
		}
		ret_rest[n_rest++] = buffers[i];
	}
	if (n_rest < n && hook->wake != NULL)
		hook->wake(hook->owner);
	return n_rest;
}

bool hg_hook_has_crossing(const struct hg_hook *hook)
{
	return !rte_ring_empty(hook->crossing);
}
