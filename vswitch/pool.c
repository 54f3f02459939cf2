#include "vswitch/pool.h"

/* A buffer and what the pool knows of it. */
struct slot {
	_Alignas(HG_CACHE_LINE_BYTES) struct hg_pkt pkt;
	bool is_free;
	_Alignas(HG_CACHE_LINE_BYTES) uint8_t bytes[HG_PKT_HEADROOM_BYTES + HG_PKT_ROOM_BYTES];
};

size_t hg_pool_arena_bytes(uint32_t n_pkts)
{
	return n_pkts * sizeof(struct slot) + HG_CACHE_LINE_BYTES;
}

static struct slot *slot_of(struct hg_pkt *pkt)
{
	return (struct slot *)(void *)pkt; /* its first member */
}

static unsigned get(struct hg_pool *pool, struct hg_pkt **pkts, unsigned n)
{
	struct hg_arena_pool *arena = (struct hg_arena_pool *)(void *)pool;

	if (n > arena->n_free)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		struct hg_pkt *pkt = arena->free_list;

		arena->free_list = pkt->next;
		slot_of(pkt)->is_free = false;
		hg_pkt_init(pkt, slot_of(pkt)->bytes);
		pkts[i] = pkt;
	}
	arena->n_free -= n;
	return n;
}

static bool is_ours(const struct hg_arena_pool *arena, const struct hg_pkt *pkt)
{
	uintptr_t first = (uintptr_t)arena->base, at = (uintptr_t)pkt;

	return at >= first && (at - first) % sizeof(struct slot) == 0 &&
	       (at - first) / sizeof(struct slot) < arena->n_pkts;
}

static void put(struct hg_pool *pool, struct hg_pkt **pkts, unsigned n)
{
	struct hg_arena_pool *arena = (struct hg_arena_pool *)(void *)pool;

	for (unsigned i = 0; i < n; i++) {
		struct hg_pkt *pkt = pkts[i];

		while (pkt != NULL) {
			struct hg_pkt *next;

			if (!is_ours(arena, pkt) || slot_of(pkt)->is_free) {
				arena->n_bad_puts++;
				break; /* its `next` is not to be trusted */
			}
			next = pkt->next;
			slot_of(pkt)->is_free = true;
			pkt->next = arena->free_list;
			arena->free_list = pkt;
			arena->n_free++;
			pkt = next;
		}
	}
}

static const struct hg_pool_ops arena_ops = {.name = "arena", .get = get, .put = put};

void hg_pool_arena_init(struct hg_arena_pool *arena, void *mem, uint32_t n_pkts)
{
	uintptr_t slack = -(uintptr_t)mem % HG_CACHE_LINE_BYTES;

	*arena = (struct hg_arena_pool){
		.pool.ops = &arena_ops,
		.base = (uint8_t *)mem + slack,
		.n_pkts = n_pkts,
		.n_free = n_pkts,
	};
	for (uint32_t i = n_pkts; i-- > 0;) {
		struct slot *slot = (struct slot *)(void *)(arena->base + i * sizeof(*slot));

		slot->is_free = true;
		slot->pkt.next = arena->free_list;
		arena->free_list = &slot->pkt;
	}
}
