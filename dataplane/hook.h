/* hook: the releases of buffers that a card had, collected where the buffers go back to their pool.
 *
 * Why        S2.2: a driver that gives a buffer back says so to the buffer's pool and to nobody else. So the
 *            pool's own release call is where a transmission is seen, whatever the driver.
 * Model      A packet on its way to a card carries a tag: in its first buffer while it is here, in its last one
 *            while the card has it (a card gives the buffers of a chain back one by one, in order; the last one
 *            says that all is sent). The release call finds the tag, appends it to a list and clears it. The
 *            worker whose accounts these are, the owner, settles the list once per burst, or notes when the last
 *            burst came back and settles several later.
 *            On another thread a buffer with a tag is not released yet: it crosses to the owner, which collects
 *            the tag and then releases it.
 *            hg_pool_put() on the owner's thread sees tags in passing (dataplane/buffers), where it reads which part each
 *            buffer goes back to, and its release call looks at none again.
 *            What cannot carry a tag (a buffer without a packet view; one that carries a tag already, since it
 *            was handed over twice at once) is remembered by its address, in a table of fixed size.
 * Clones     carry tags of their own, in their own private area. A buffer that is referred to by several is
 *            released with the last reference, and its tag comes back then.
 * Promise    Each tag that was put on comes back from hg_hook_take() exactly once, after the release of its
 *            buffer, if the buffer is ever released. With no tag on any buffer a release costs one
 *            predictable branch.
 * List       It cannot overflow: a buffer carries one tag at most; whoever puts tags on settles first when half
 *            of the list is used (hg_hook_is_half_full), and each half holds as many tags as there are
 *            buffers and places in the table.
 * Memory     24 bytes a buffer, twice, mapped lazily; the table. No allocation after create.
 * Threads    The owner: everything. Others: release alone (hg_hook_cross).
 * Cost       A release: one line of the packet view, read and written. Errors: -ENOMEM.
 */
#ifndef HG_DATAPLANE_HOOK_H
#define HG_DATAPLANE_HOOK_H

#include "core/compiler.h"
#include "core/error.h"
#include "core/tag.h"
#include "vswitch/pkt.h"

#include <stdatomic.h>
#include <stdbool.h>

struct rte_ring;

/* Buffers that are tracked by address at a time. A power of two; more than the deepest common card queue. */
#define HG_HOOK_PLACES 8192u

struct hg_hook_place { /* of the table */
	const void *buffer; /* NULL: free */
	struct hg_tag tag;
};

struct hg_hook {
	/* Read by every thread. Set before the first tag is put on, cleared when none is on any buffer. */
	_Atomic bool is_armed;

	/* The owner's. */
	_Alignas(HG_CACHE_LINE_BYTES) struct hg_tag *list;
	uint32_t n, half; /* tags in the list; its length is twice the half */
	uint32_t n_marked; /* tags that had come back by marked_at_ns */
	uint32_t n_places; /* used in the table */
	uint64_t n_out; /* tags on buffers and in the table */
	struct hg_hook_place *places; /* [HG_HOOK_PLACES] */
	/* Packets that nothing could be put on since the table was full: not accounted. */
	uint64_t n_untracked;
	size_t list_bytes, places_bytes;
	hg_ns marked_at_ns; /* the last of them did so then */

	struct rte_ring *crossing; /* buffers released elsewhere, with their tags on */
	_Atomic uint64_t n_lost; /* tags that found no room in it */
	/* Says that something has crossed, from any thread; NULL: the owner looks by itself. Set before other threads
	 * release anything. */
	void (*wake)(void *owner);
	void *owner;
};

/* n_buffers: of all pools whose releases come here. */
HG_MUST_CHECK int hg_hook_create(struct hg_hook *hook, uint32_t n_buffers, struct hg_error *reterr);
/* Takes one that was zeroed and not created. */
void hg_hook_destroy(struct hg_hook *hook);

/* ---- the owner ---------------------------------------------------------------------------------- */

static inline bool hg_hook_is_half_full(const struct hg_hook *hook)
{
	return hook->n >= hook->half;
}

/* Counts tags that are put on now. */
static inline void hg_hook_arm(struct hg_hook *hook, unsigned n)
{
	hook->n_out += n;
	if (HG_UNLIKELY(!atomic_load_explicit(&hook->is_armed, memory_order_relaxed)))
		atomic_store(&hook->is_armed, true);
}

/* Puts a tag on a packet view that has none. */
static inline void hg_hook_put_on(struct hg_hook *hook, struct hg_pkt *pkt,
				  const struct hg_tag *tag)
{
	hg_hook_arm(hook, 1);
	pkt->tag = *tag;
}

/* Takes a tag off again: the packet goes on without it. */
static inline void hg_hook_take_off(struct hg_hook *hook, struct hg_tag *tag)
{
	tag->queue = 0;
	hook->n_out--;
}

/* The place of a packet's tag: its first buffer's, or its last one's while a card has it. */
struct hg_tag *hg_hook_tag_of(struct hg_pkt *pkt);
/* Moves the tag to the last buffer: the packet goes to a card. Returns its place. */
static inline struct hg_tag *hg_hook_send_off(struct hg_pkt *pkt)
{
	struct hg_pkt *last = pkt;

	if (HG_LIKELY(pkt->next == NULL))
		return &pkt->tag;
	if (pkt->tag.queue == 0)
		return hg_hook_tag_of(pkt);
	while (last->next != NULL)
		last = last->next;
	last->tag = pkt->tag;
	pkt->tag.queue = 0;
	return &last->tag;
}

/* Moves it back to the first buffer: the card has not taken the packet. Returns its place. */
struct hg_tag *hg_hook_call_back(struct hg_pkt *pkt);

/* Remembers a tag for a buffer that cannot carry it, by the address of its pool object. Returns false if there is
 * no room: it is counted in n_untracked, and the packet goes without. */
bool hg_hook_track(struct hg_hook *hook, const void *buffer, const struct hg_tag *tag);

/* Whether something has come back since the last mark. */
static inline bool hg_hook_has_unmarked(const struct hg_hook *hook)
{
	return hook->n > hook->n_marked;
}

/* Whether all in the list, of which there is some, is of one card queue, as far as its ends tell. */
static inline bool hg_hook_is_of_one_queue(const struct hg_hook *hook)
{
	return hook->list[0].queue == hook->list[hook->n - 1u].queue;
}

/* What has come back since the last mark did so now. */
static inline void hg_hook_mark(struct hg_hook *hook, hg_ns now_ns)
{
	hook->n_marked = hook->n;
	hook->marked_at_ns = now_ns;
}

/* The tags of buffers released since the last call; the array is good until the next release. */
static inline unsigned hg_hook_take(struct hg_hook *hook, const struct hg_tag **ret_tags)
{
	unsigned n = hook->n;

	*ret_tags = hook->list;
	hook->n = hook->n_marked = 0;
	return n;
}

/* Now and then: nothing is looked at any more once the last tag is back. */
static inline void hg_hook_rest(struct hg_hook *hook)
{
	if (hook->n_out == 0 && atomic_load_explicit(&hook->is_armed, memory_order_relaxed))
		atomic_store(&hook->is_armed, false);
}

/* ---- the release call --------------------------------------------------------------------------- */

static inline bool hg_hook_is_armed(const struct hg_hook *hook)
{
	return atomic_load_explicit(&hook->is_armed, memory_order_relaxed);
}

/* Whether something has crossed. Any thread. */
bool hg_hook_has_crossing(const struct hg_hook *hook);

/* On the owner's thread: collects a tag that was seen, of a buffer that goes back to its pool now. */
static inline void hg_hook_collect_one(struct hg_hook *hook, struct hg_tag *tag)
{
	hook->list[hook->n++] = *tag;
	hook->n_out--;
	tag->queue = 0;
}

/* On the owner's thread: collects the tags of n buffers. view_offset: from the object to its packet view; 0: it has
 * none. */
void hg_hook_collect(struct hg_hook *hook, void *const *buffers, unsigned n, uint32_t view_offset);
/* On any other: takes those of n buffers out that have to be seen by the owner, which releases them.
 * Returns how many are left, moved together in ret_rest. */
unsigned hg_hook_cross(struct hg_hook *hook, void *const *buffers, unsigned n, uint32_t view_offset,
		       void **ret_rest);

#endif
