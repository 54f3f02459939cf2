#include "drivers/vring.h"

#include "drivers/vnet.h"
#include "drivers/vring_chain.h"

/* Frames taken together. */
#define BURST HG_VRING_AHEAD
/* A call ends with the long frame that passes this: as much as a turn of the worker has time for. */
#define RECEIVE_BYTES (128u * 1024u)
/* Buffers of the guest that one frame is spread over at most. */
#define MERGED_MAX 512u

const char *hg_vring_fault_text(enum hg_vring_fault fault)
{
	static const char *const texts[] = {
#define X(id, text) text,
		HG_VRING_FAULTS(X)
#undef X
	};

	return texts[fault];
}

/* ---- life --------------------------------------------------------------------------------------- */

static bool is_placed(const struct hg_guest_memory *m, const void *at, uint64_t n_bytes,
		      unsigned alignment)
{
	return at != NULL && (uintptr_t)at % alignment == 0 && hg_guest_holds(m, at, n_bytes);
}

static bool areas_are_placed(const struct hg_vring_cfg *cfg)
{
	uint32_t n = cfg->n, event = cfg->has_event_idx ? 2 : 0;

	if (!is_placed(cfg->memory, cfg->descs, n * 16u, 16))
		return false;
	if (cfg->is_packed)
		return is_placed(cfg->memory, cfg->avail, 4, 4) &&
		       is_placed(cfg->memory, cfg->used, 4, 4);
	return is_placed(cfg->memory, cfg->avail, 4u + 2u * n + event, 2) &&
	       is_placed(cfg->memory, cfg->used, 4u + 8u * n + event, 4);
}

/* The place of the event index behind a split ring. */
static uint16_t *avail_event(struct hg_vring *ring)
{
	return (uint16_t *)(void *)&ring->used.split->ring[ring->n];
}

static void disarm(struct hg_vring *ring)
{
	ring->is_armed = false;
	if (ring->is_packed)
		__atomic_store_n(&ring->used.packed->flags, VRING_PACKED_EVENT_FLAG_DISABLE,
				 __ATOMIC_RELAXED);
	else if (ring->has_event_idx)
		/* It is behind, and stays there. */
		__atomic_store_n(avail_event(ring), (uint16_t)(ring->avail_at - 1u),
				 __ATOMIC_RELAXED);
	else
		__atomic_store_n(&ring->used.split->flags, VRING_USED_F_NO_NOTIFY,
				 __ATOMIC_RELAXED);
}

int hg_vring_begin(struct hg_vring *ring, const struct hg_vring_cfg *cfg, struct hg_error *reterr)
{
	bool is_power = cfg->n > 0 && (cfg->n & (cfg->n - 1u)) == 0;

	if (cfg->n == 0 || cfg->n > 32768u || (!cfg->is_packed && !is_power))
		return hg_error_set(reterr, -HG_EINVAL,
				    "a ring of the guest has a size that none "
				    "may have",
				    NULL);
	if (!areas_are_placed(cfg))
		return hg_error_set(reterr, -HG_EINVAL,
				    "a ring of the guest does not lie in its memory", NULL);
	if (cfg->is_packed &&
	    ((cfg->avail_at & 0x7fffu) >= cfg->n || (cfg->used_at & 0x7fffu) >= cfg->n))
		return hg_error_set(reterr, -HG_EINVAL,
				    "a ring of the guest is to go on behind its end", NULL);
	*ring = (struct hg_vring){
		.descs.split = cfg->descs,
		.avail.split = cfg->avail,
		.used.split = cfg->used,
		.memory = cfg->memory,
		.n = (uint16_t)cfg->n,
		.mask = (uint16_t)(cfg->n - 1u),
		.avail_at = cfg->avail_at,
		.avail_seen = cfg->avail_at,
		.used_at = cfg->used_at,
		.is_packed = cfg->is_packed,
		.has_event_idx = cfg->has_event_idx,
		.has_indirect = cfg->has_indirect,
		.may_merge = cfg->may_merge,
		.knows_csum = cfg->knows_csum,
		.header_bytes = cfg->header_bytes,
	};
	if (cfg->is_packed) {
		ring->avail_at &= 0x7fff;
		ring->used_at &= 0x7fff;
		ring->avail_wrap = cfg->avail_at >> 15;
		ring->used_wrap = cfg->used_at >> 15;
	}
	ring->told_at = ring->used_at;
	disarm(ring);
	return 0;
}

uint16_t hg_vring_avail_at(const struct hg_vring *ring)
{
	return (uint16_t)(ring->avail_at | (ring->is_packed && ring->avail_wrap ? 0x8000u : 0));
}

uint16_t hg_vring_used_at(const struct hg_vring *ring)
{
	return (uint16_t)(ring->used_at | (ring->is_packed && ring->used_wrap ? 0x8000u : 0));
}

/* ---- notifications ------------------------------------------------------------------------------ */

static bool needs_event(uint16_t event, uint16_t new_at, uint16_t old_at)
{
	return (uint16_t)(new_at - event - 1u) < (uint16_t)(new_at - old_at);
}

static bool packed_call_is_due(const struct hg_vring *ring, uint16_t old_at)
{
	uint16_t flags = __atomic_load_n(&ring->avail.packed->flags, __ATOMIC_ACQUIRE);
	uint16_t place = __atomic_load_n(&ring->avail.packed->off_wrap, __ATOMIC_RELAXED);
	uint16_t event = place & 0x7fffu;

	if (flags != VRING_PACKED_EVENT_FLAG_DESC || !ring->has_event_idx)
		return flags != VRING_PACKED_EVENT_FLAG_DISABLE;
	/* A place says nothing of how often we came by it. */
	if (HG_UNLIKELY(ring->n_untold >= ring->n))
		return true;
	if (ring->used_at <= old_at)
		old_at = (uint16_t)(old_at - ring->n);
	if ((place >> 15) != ring->used_wrap)
		event = (uint16_t)(event - ring->n);
	return needs_event(event, ring->used_at, old_at);
}

void hg_vring_told(struct hg_vring *ring)
{
	ring->n_untold = 0;
	ring->told_at = ring->used_at;
}

static bool wants_call(const struct hg_vring *ring)
{
	if (ring->is_packed)
		return packed_call_is_due(ring, ring->told_at);
	if (ring->has_event_idx)
		return needs_event(
			__atomic_load_n(&ring->avail.split->ring[ring->n], __ATOMIC_RELAXED),
			ring->used_at, ring->told_at);
	return !(__atomic_load_n(&ring->avail.split->flags, __ATOMIC_RELAXED) &
		 VRING_AVAIL_F_NO_INTERRUPT);
}

bool hg_vring_call_is_due(struct hg_vring *ring)
{
	if (ring->n_untold == 0)
		return false;
	/* What was used is seen before we look whether anybody sleeps. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (wants_call(ring))
		return true;
	hg_vring_told(ring);
	return false;
}

bool hg_vring_arm(struct hg_vring *ring)
{
	if (ring->fault != HG_VRING_NONE)
		return false;
	ring->is_armed = true;
	if (ring->is_packed)
		__atomic_store_n(&ring->used.packed->flags, VRING_PACKED_EVENT_FLAG_ENABLE,
				 __ATOMIC_RELAXED);
	else if (ring->has_event_idx)
		__atomic_store_n(avail_event(ring), ring->avail_at, __ATOMIC_RELAXED);
	else
		__atomic_store_n(&ring->used.split->flags, 0, __ATOMIC_RELAXED);
	/* It is seen before we look whether something came without a notification. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (ring->is_packed)
		return hg_packed_is_there(hg_packed_flags(ring, ring->avail_at), ring->avail_wrap);
	return __atomic_load_n(&ring->avail.split->idx, __ATOMIC_RELAXED) != ring->avail_at;
}

/* ---- copies ------------------------------------------------------------------------------------- */

/* Most frames are small, and a call of the library's copy costs more than what it does for them. */
static HG_ALWAYS_INLINE void copy(uint8_t *to, const uint8_t *from, uint32_t n)
{
	if (n > 128 || n < 32) {
		memcpy(to, from, n);
		return;
	}
	memcpy(to, from, 32);
	if (n > 64) {
		memcpy(to + 32, from + 32, 32);
		memcpy(to + n - 64, from + n - 64, 32);
	}
	memcpy(to + n - 32, from + n - 32, 32);
}

/* Goes through the pieces of a chain. */
struct cursor {
	const struct hg_chain *chain;
	unsigned piece;
	uint32_t offset; /* in it */
};

static uint32_t cursor_left(const struct cursor *c)
{
	return c->chain->pieces[c->piece].n - c->offset;
}

static uint8_t *cursor_at(const struct cursor *c)
{
	return c->chain->pieces[c->piece].at + c->offset;
}

static void cursor_skip(struct cursor *c, uint32_t n)
{
	c->offset += n;
	if (c->offset == c->chain->pieces[c->piece].n) {
		c->piece++;
		c->offset = 0;
	}
}

/* Reads n bytes; the chain has them. */
static void cursor_read(struct cursor *c, uint8_t *to, uint32_t n)
{
	while (n > 0) {
		uint32_t now = cursor_left(c) < n ? cursor_left(c) : n;

		memcpy(to, cursor_at(c), now);
		cursor_skip(c, now);
		to += now;
		n -= now;
	}
}

/* ---- receive ------------------------------------------------------------------------------------ */

static HG_ALWAYS_INLINE bool decode(const uint8_t *header, uint32_t n_header, struct hg_pkt *pkt)
{
	struct virtio_net_hdr_mrg_rxbuf copied = {0};

	memcpy(&copied, header, sizeof(struct virtio_net_hdr));
	(void)n_header;
	HG_READ_ONCE_BARRIER();
	if (HG_LIKELY((copied.hdr.flags | copied.hdr.gso_type) == 0)) {
		pkt->flags = 0;
		pkt->gso = HG_GSO_NONE;
		pkt->gso_bytes = 0;
		pkt->gso_ecn = false;
		return true;
	}
	return hg_vnet_decode(&copied, pkt);
}

static void drop(struct hg_pool *pool, struct hg_pkt *pkt, struct hg_dev_counts *counts,
		 enum hg_drop reason)
{
	if (pkt != NULL)
		hg_pool_put(pool, &pkt, 1);
	hg_count_add(&counts->drops[reason], 1);
}

/* One frame in a buffer of one descriptor. */
static HG_ALWAYS_INLINE bool take_simple(const struct hg_vring *ring,
					 const struct hg_vring_entry *entry, struct hg_pkt *pkt)
{
	uint32_t n = entry->n - ring->header_bytes;

	copy(pkt->data, entry->at + ring->header_bytes, n);
	pkt->n_bytes = (uint16_t)n;
	pkt->total_bytes = n;
	pkt->tailroom = (uint16_t)(HG_PKT_ROOM_BYTES - n);
	pkt->parts = 0;
	pkt->wire_bytes = 0;
	return decode(entry->at, ring->header_bytes, pkt);
}

/* Takes the simple ones at the head of the ring, up to n. Returns how many it is done with. */
static HG_ALWAYS_INLINE unsigned take_many(struct hg_vring *ring, bool is_packed,
					   struct hg_pool *pool, struct hg_pkt **pkts, unsigned n,
					   struct hg_dev_counts *counts, unsigned *n_got)
{
	unsigned n_seen = hg_look(ring, is_packed, 0, n), i;
	const struct hg_vring_entry *entries = &ring->ahead[ring->ahead_at];
	struct hg_pkt *fresh[BURST];

	for (i = 0; i < n_seen; i++) {
		if (HG_UNLIKELY(entries[i].n <= ring->header_bytes ||
				entries[i].n > ring->header_bytes + HG_PKT_ROOM_BYTES))
			break;
	}
	n_seen = i;
	if (n_seen == 0 || hg_pool_get(pool, fresh, n_seen) == 0)
		return 0;
	for (i = 0; i < n_seen; i++) {
		if (i + HG_FETCH_LEAD < ring->n_ahead)
			hg_fetch_buffer(ring, &entries[i + HG_FETCH_LEAD], 0);
		if (i + HG_FETCH_MORE_LEAD < n_seen)
			hg_fetch_more(&entries[i + HG_FETCH_MORE_LEAD],
				      entries[i + HG_FETCH_MORE_LEAD].n, 0);
		if (HG_LIKELY(take_simple(ring, &entries[i], fresh[i])))
			pkts[(*n_got)++] = fresh[i];
		else
			drop(pool, fresh[i], counts, HG_DROP_BAD_OFFLOAD);
		hg_use(ring, is_packed, entries[i].id, 0, 1);
	}
	hg_advance_known(ring, is_packed, (uint16_t)n_seen);
	return n_seen;
}

/* Copies a gathered frame. NULL: it was dropped; *is_short: the pool has not enough, nothing was done. */
static struct hg_pkt *take_chain(struct hg_vring *ring, const struct hg_chain *chain,
				 struct hg_pool *pool, struct hg_dev_counts *counts, bool *is_short)
{
	uint64_t n_bytes = chain->total - ring->header_bytes;
	struct cursor cursor = {.chain = chain};
	uint8_t header[HG_VNET_BYTES] = {0};
	struct hg_pkt *pkt;

	if (chain->total <= ring->header_bytes || n_bytes > HG_FRAME_MAX_BYTES) {
		drop(pool, NULL, counts,
		     chain->total <= ring->header_bytes ? HG_DROP_TRUNCATED : HG_DROP_TOO_BIG);
		return NULL;
	}
	pkt = hg_pkt_create_chain(pool, (uint32_t)n_bytes);
	if (pkt == NULL) {
		*is_short = true;
		return NULL;
	}
	cursor_read(&cursor, header, ring->header_bytes);
	for (struct hg_pkt *part = pkt; part != NULL; part = part->next)
		cursor_read(&cursor, part->data, part->n_bytes);
	if (decode(header, ring->header_bytes, pkt))
		return pkt;
	drop(pool, pkt, counts, HG_DROP_BAD_OFFLOAD);
	return NULL;
}

/* Takes one chain of any kind. Returns whether it is done with one. */
static HG_NOINLINE bool take_one(struct hg_vring *ring, struct hg_pool *pool, struct hg_pkt **pkts,
				 struct hg_dev_counts *counts, unsigned *n_got)
{
	struct hg_place place = hg_place_first(ring);
	bool is_packed = ring->is_packed, is_short = false;
	struct hg_chain chain;
	struct hg_pkt *pkt;

	if (!(is_packed ? hg_gather_packed(ring, place, 0, &chain)
			: hg_gather_split(ring, place, 0, &chain)))
		return false;
	pkt = take_chain(ring, &chain, pool, counts, &is_short);
	if (is_short)
		return false;
	if (pkt != NULL)
		pkts[(*n_got)++] = pkt;
	hg_use(ring, is_packed, chain.id, 0, chain.n_slots);
	hg_advance(ring, is_packed, chain.n_slots);
	return true;
}

static HG_ALWAYS_INLINE unsigned receive(struct hg_vring *ring, bool is_packed,
					 struct hg_pool *pool, struct hg_pkt **pkts, unsigned n,
					 struct hg_dev_counts *counts)
{
	unsigned n_done = 0, n_got = 0;
	uint32_t n_bytes = 0;
	bool is_known = false;

	while (n_done < n && n_bytes < RECEIVE_BYTES) {
		unsigned n_now = take_many(ring, is_packed, pool, pkts, n - n_done, counts, &n_got);

		is_known = n_now > 0;
		if (n_now == 0) {
			if (!take_one(ring, pool, pkts, counts, &n_got))
				break;
			n_now = 1;
			n_bytes += n_got > 0 ? pkts[n_got - 1]->total_bytes : 0;
		}
		n_done += n_now;
	}
	if (HG_UNLIKELY(ring->is_armed))
		disarm(ring);
	if (n_done > 0) {
		hg_show_used(ring, is_packed);
		if (HG_LIKELY(is_known)) {
			hg_look_ahead(ring, is_packed, 0);
			hg_fetch_used(ring, is_packed);
		}
	}
	return n_got;
}

unsigned hg_vring_receive(struct hg_vring *ring, struct hg_pool *pool, struct hg_pkt **pkts,
			  unsigned n, struct hg_dev_counts *counts, uint64_t *ret_bytes)
{
	uint64_t n_bytes = 0;
	unsigned n_got;

	*ret_bytes = 0;
	if (HG_UNLIKELY(ring->fault != HG_VRING_NONE))
		return 0;
	n_got = ring->is_packed ? receive(ring, true, pool, pkts, n, counts)
				: receive(ring, false, pool, pkts, n, counts);
	for (unsigned i = 0; i < n_got; i++)
		n_bytes += pkts[i]->total_bytes;
	*ret_bytes = n_bytes;
	return n_got;
}

/* ---- transmit ----------------------------------------------------------------------------------- */

static HG_ALWAYS_INLINE bool is_plain(const struct hg_vring *ring, const struct hg_pkt *pkt)
{
	return HG_LIKELY((pkt->flags | pkt->gso) == 0) || !ring->knows_csum;
}

static void encode(const struct hg_vring *ring, const struct hg_pkt *pkt,
		   struct virtio_net_hdr_mrg_rxbuf *ret_header)
{
	if (is_plain(ring, pkt))
		memset(ret_header, 0, sizeof(*ret_header));
	else
		hg_vnet_encode(pkt, ret_header);
}

static HG_NOINLINE void put_fields(const struct hg_pkt *pkt, uint8_t *at)
{
	struct virtio_net_hdr_mrg_rxbuf header;
	const volatile struct virtio_net_hdr *from = &header.hdr;
	uint16_t words[4];

	hg_vnet_encode(pkt, &header);
	at[0] = from->flags;
	at[1] = from->gso_type;
	words[0] = from->hdr_len;
	words[1] = from->gso_size;
	words[2] = from->csum_start;
	words[3] = from->csum_offset;
	for (unsigned i = 0; i < 4; i++)
		memcpy(at + 2 + 2 * i, &words[i], sizeof(words[i]));
}

static const struct virtio_net_hdr_mrg_rxbuf plain = {.num_buffers = 1};

/* Writes a constant, unless a line that holds nothing else says so already: then the guest's processor keeps the line, which
 * it reads now and when it sends from that buffer, and the trip of a line each way is saved, of two for a short frame. */
static HG_ALWAYS_INLINE void put_plain(const struct hg_vring *ring, uint32_t n_header, uint8_t *at)
{
	if (hg_has_header_apart(ring, at) && memcmp(at, &plain, n_header) == 0)
		return;
	memcpy(at, &plain, n_header);
}

/* Writes the header of a frame in one buffer. What was written in small pieces and is read in a large one is not read
 * before all stores up to there are done, those into lines that the guest's processor has as well: a plain header is
 * a constant, and the parts of another are copied one by one, which the volatile keeps the compiler from putting together. */
static HG_ALWAYS_INLINE void put_header(const struct hg_vring *ring, const struct hg_pkt *pkt,
					uint32_t n_header, uint8_t *at)
{
	const uint16_t one = 1;

	if (HG_LIKELY(is_plain(ring, pkt))) {
		if (HG_LIKELY(n_header == HG_VNET_BYTES))
			put_plain(ring, HG_VNET_BYTES, at);
		else
			put_plain(ring, sizeof(plain.hdr), at);
		return;
	}
	put_fields(pkt, at);
	if (HG_LIKELY(n_header == HG_VNET_BYTES))
		memcpy(at + sizeof(plain.hdr), &one, sizeof(one));
}

/* Copies simple frames into simple buffers, as long as both are. Returns how many. */
static HG_ALWAYS_INLINE unsigned put_many(struct hg_vring *ring, bool is_packed,
					  struct hg_pkt *const *pkts, unsigned n, uint64_t *n_bytes)
{
	const struct hg_vring_entry *entries;
	unsigned n_seen, i;

	if (pkts[0]->next != NULL)
		return 0;
	n_seen = hg_look(ring, is_packed, VRING_DESC_F_WRITE, n);
	entries = &ring->ahead[ring->ahead_at];
	for (i = 0; i < n_seen; i++) {
		const struct hg_pkt *pkt = pkts[i];
		uint32_t n_used = ring->header_bytes + pkt->total_bytes;

		if (HG_UNLIKELY(pkt->next != NULL || entries[i].n < n_used))
			break;
		if (i + HG_FETCH_LEAD < ring->n_ahead)
			hg_fetch_buffer(ring, &entries[i + HG_FETCH_LEAD], VRING_DESC_F_WRITE);
		if (i + HG_FETCH_MORE_LEAD < n_seen)
			hg_fetch_more(&entries[i + HG_FETCH_MORE_LEAD],
				      ring->header_bytes + pkts[i + HG_FETCH_MORE_LEAD]->n_bytes,
				      VRING_DESC_F_WRITE);
		put_header(ring, pkt, ring->header_bytes, entries[i].at);
		copy(entries[i].at + ring->header_bytes, pkt->data, pkt->n_bytes);
		hg_use(ring, is_packed, entries[i].id, n_used, 1);
		*n_bytes += pkt->total_bytes;
	}
	hg_advance_known(ring, is_packed, (uint16_t)i);
	return i;
}

struct head {
	uint16_t id, n_slots;
	uint32_t n_bytes;
};

/* A frame with its header, as it is read into one chain after the other. */
struct source {
	uint8_t header[HG_VNET_BYTES];
	uint32_t n_header, header_offset;
	const struct hg_pkt *part; /* NULL: all was read */
	uint32_t offset; /* in it */
	uint8_t *count_at[2]; /* where num_buffers lies in the guest */
};

/* Reads up to n bytes into a place; returns how many. */
static uint32_t source_read(struct source *s, uint8_t *to, uint32_t n)
{
	uint32_t left;

	if (s->header_offset < s->n_header) {
		left = s->n_header - s->header_offset;
		n = left < n ? left : n;
		memcpy(to, s->header + s->header_offset, n);
		for (uint32_t i = 0; i < n; i++) {
			if (s->header_offset + i >= sizeof(struct virtio_net_hdr))
				s->count_at[s->header_offset + i - sizeof(struct virtio_net_hdr)] =
					to + i;
		}
		s->header_offset += n;
		return n;
	}
	left = s->part->n_bytes - s->offset;
	n = left < n ? left : n;
	memcpy(to, s->part->data + s->offset, n);
	s->offset += n;
	if (s->offset == s->part->n_bytes) {
		s->part = s->part->next;
		s->offset = 0;
	}
	return n;
}

/* Fills a chain; returns how many bytes of it. */
static uint32_t fill(struct source *s, const struct hg_chain *chain)
{
	struct cursor cursor = {.chain = chain};
	uint32_t n_all = 0;

	while (s->part != NULL && cursor.piece < chain->n_pieces) {
		uint32_t n = source_read(s, cursor_at(&cursor), cursor_left(&cursor));

		cursor_skip(&cursor, n);
		n_all += n;
	}
	return n_all;
}

static void source_count(struct source *s, unsigned n_buffers)
{
	if (s->n_header <= sizeof(struct virtio_net_hdr))
		return;
	*s->count_at[0] = (uint8_t)n_buffers;
	*s->count_at[1] = (uint8_t)(n_buffers >> 8);
}

enum outcome { NO_ROOM, IS_SENT, IS_DROPPED };

/* Takes the buffers that a frame was copied into. */
static void use_all(struct hg_vring *ring, const struct head *heads, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		hg_use(ring, ring->is_packed, heads[i].id, heads[i].n_bytes, heads[i].n_slots);
		hg_advance(ring, ring->is_packed, heads[i].n_slots);
	}
}

/* One frame of any kind into as many chains as it needs. */
static HG_NOINLINE enum outcome put_one(struct hg_vring *ring, const struct hg_pkt *pkt)
{
	struct hg_place place = hg_place_first(ring);
	struct source source = {.n_header = ring->header_bytes, .part = pkt};
	unsigned n_max = ring->may_merge ? MERGED_MAX : 1, n = 0;
	struct virtio_net_hdr_mrg_rxbuf header;
	struct head heads[MERGED_MAX];
	struct hg_chain chain;

	encode(ring, pkt, &header);
	memcpy(source.header, &header, HG_VNET_BYTES);
	while (source.part != NULL) {
		if (n == n_max)
			return IS_DROPPED;
		if (!(ring->is_packed ? hg_gather_packed(ring, place, VRING_DESC_F_WRITE, &chain)
				      : hg_gather_split(ring, place, VRING_DESC_F_WRITE, &chain)))
			return NO_ROOM;
		heads[n++] = (struct head){chain.id, chain.n_slots, fill(&source, &chain)};
		place = hg_place_behind(ring, ring->is_packed, place, chain.n_slots);
	}
	source_count(&source, n);
	use_all(ring, heads, n);
	return IS_SENT;
}

static HG_ALWAYS_INLINE unsigned transmit(struct hg_vring *ring, bool is_packed,
					  struct hg_pkt *const *pkts, unsigned n,
					  struct hg_dev_counts *counts, unsigned *n_sent,
					  uint64_t *n_bytes)
{
	unsigned n_done = 0;
	bool is_known = false;

	while (n_done < n) {
		unsigned n_now = put_many(ring, is_packed, pkts + n_done, n - n_done, n_bytes);
		enum outcome outcome;

		is_known = n_now > 0;
		*n_sent += n_now;
		n_done += n_now;
		if (n_now > 0)
			continue;
		outcome = put_one(ring, pkts[n_done]);
		if (outcome == NO_ROOM)
			break;
		if (outcome == IS_SENT) {
			*n_bytes += pkts[n_done]->total_bytes;
			(*n_sent)++;
		} else {
			hg_count_add(&counts->drops[HG_DROP_TOO_BIG], 1);
		}
		n_done++;
	}
	if (*n_sent > 0) {
		hg_show_used(ring, is_packed);
		if (HG_LIKELY(is_known)) {
			hg_look_ahead(ring, is_packed, VRING_DESC_F_WRITE);
			hg_fetch_used(ring, is_packed);
		}
	}
	return n_done;
}

unsigned hg_vring_transmit(struct hg_vring *ring, struct hg_pkt *const *pkts, unsigned n,
			   struct hg_dev_counts *counts, unsigned *ret_sent, uint64_t *ret_bytes)
{
	*ret_sent = 0;
	*ret_bytes = 0;
	if (HG_UNLIKELY(ring->fault != HG_VRING_NONE))
		return 0;
	return ring->is_packed ? transmit(ring, true, pkts, n, counts, ret_sent, ret_bytes)
			       : transmit(ring, false, pkts, n, counts, ret_sent, ret_bytes);
}
