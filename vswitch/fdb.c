#include "vswitch/fdb.h"

#include "vswitch/bytes.h"

#include <string.h>

#define WAYS 4u
/* Set in every key, so that 0 is free for "empty"; VLAN identifiers have 12 bits. */
#define KEY_USED UINT64_C(0x8000)
/* Set in the port word of a learned entry. */
#define LEARNED (UINT32_C(1) << 31)
/* And of one that repeats another, which is the one that is counted. */
#define BESIDE (UINT32_C(1) << 30)
#define PORT_MASK (BESIDE - 1u)

struct entry {
	uint64_t mac_vlan; /* 0: empty */
	uint32_t scope;
	uint32_t port; /* index, LEARNED, BESIDE */
};

struct hg_fdb_bucket {
	struct entry ways[WAYS]; /* one cache line */
};

static uint32_t count_buckets(const struct hg_fdb_cfg *cfg)
{
	uint32_t n = 2;

	while (n * WAYS < 2u * cfg->max_entries)
		n *= 2;
	return n;
}

size_t hg_fdb_bytes(const struct hg_fdb_cfg *cfg)
{
	size_t n = count_buckets(cfg);

	return n * sizeof(struct hg_fdb_bucket) + n * WAYS * sizeof(hg_ns) +
	       3u * cfg->max_ports * sizeof(uint32_t) + HG_CACHE_LINE_BYTES;
}

void hg_fdb_init(struct hg_fdb *fdb, const struct hg_fdb_cfg *cfg, void *mem)
{
	uintptr_t slack = -(uintptr_t)mem % HG_CACHE_LINE_BYTES;
	uint8_t *base = (uint8_t *)mem + slack;
	uint32_t n = count_buckets(cfg);

	memset(mem, 0, hg_fdb_bytes(cfg));
	*fdb = (struct hg_fdb){.cfg = *cfg, .n_buckets = n};
	fdb->buckets = (struct hg_fdb_bucket *)(void *)base;
	fdb->seen_at_ns = (hg_ns *)(void *)(fdb->buckets + n);
	fdb->n_learned_of = (uint32_t *)(void *)(fdb->seen_at_ns + (size_t)n * WAYS);
	fdb->max_learned_of = fdb->n_learned_of + cfg->max_ports;
	fdb->n_refused_of = fdb->max_learned_of + cfg->max_ports;
	for (uint32_t i = 0; i < cfg->max_ports; i++)
		fdb->max_learned_of[i] = cfg->max_learned;
}

struct hg_fdb_key hg_fdb_key(uint32_t scope, uint16_t vlan, const uint8_t *mac)
{
	return (struct hg_fdb_key){
		.mac_vlan = hg_bytes_get48(mac) << 16 | KEY_USED | (vlan & 0x0fffu),
		.scope = scope,
	};
}

/* The two buckets of a key: both halves of one mix (the finaliser of MurmurHash3, A. Appleby). */
static inline void buckets_of(const struct hg_fdb *fdb, struct hg_fdb_key key, uint32_t idx[2])
{
	uint64_t h =
		key.mac_vlan ^ fdb->cfg.seed ^ (uint64_t)key.scope * UINT64_C(0x9e3779b97f4a7c15);

	h = (h ^ (h >> 33)) * UINT64_C(0xff51afd7ed558ccd);
	h = (h ^ (h >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
	h ^= h >> 33;
	idx[0] = (uint32_t)h & (fdb->n_buckets - 1u);
	idx[1] = (uint32_t)(h >> 32) & (fdb->n_buckets - 1u);
}

static struct entry *entry_at(const struct hg_fdb *fdb, uint32_t slot)
{
	return &fdb->buckets[slot / WAYS].ways[slot % WAYS];
}

static inline uint32_t find(const struct hg_fdb *fdb, struct hg_fdb_key key)
{
	uint32_t idx[2];

	buckets_of(fdb, key, idx);
	for (unsigned b = 0; b < 2; b++) {
		const struct entry *ways = fdb->buckets[idx[b]].ways;

		for (uint32_t w = 0; w < WAYS; w++) {
			if (ways[w].mac_vlan == key.mac_vlan && ways[w].scope == key.scope)
				return idx[b] * WAYS + w;
		}
	}
	return HG_FDB_NONE;
}

static inline bool is_learned(const struct entry *e)
{
	return (e->port & LEARNED) != 0;
}

static inline bool is_dead(const struct hg_fdb *fdb, uint32_t slot, hg_ns now_ns)
{
	return is_learned(entry_at(fdb, slot)) && now_ns - fdb->seen_at_ns[slot] >= fdb->cfg.age_ns;
}

uint32_t hg_fdb_lookup(const struct hg_fdb *fdb, struct hg_fdb_key key, hg_ns now_ns)
{
	uint32_t slot = find(fdb, key);

	if (slot == HG_FDB_NONE || is_dead(fdb, slot, now_ns))
		return HG_FDB_NONE;
	return entry_at(fdb, slot)->port & PORT_MASK;
}

void hg_fdb_expect(const struct hg_fdb *fdb, struct hg_fdb_key key)
{
	uint32_t idx[2];

	buckets_of(fdb, key, idx);
	HG_PREFETCH_TO_READ(&fdb->buckets[idx[0]]);
}

/* Others read it meanwhile. */
static void set_count(uint32_t *count, uint32_t value)
{
	__atomic_store_n(count, value, __ATOMIC_RELAXED);
}

static void clear(struct hg_fdb *fdb, uint32_t slot)
{
	struct entry *e = entry_at(fdb, slot);

	if (is_learned(e)) {
		uint32_t *n = &fdb->n_learned_of[e->port & PORT_MASK];

		if ((e->port & BESIDE) == 0)
			set_count(n, *n - 1u);
		fdb->n_learned--;
	} else {
		fdb->n_configured--;
	}
	*e = (struct entry){0};
}

/* An empty slot for the key, in the emptier of its buckets; HG_FDB_NONE if both are full. */
static uint32_t empty_slot(const struct hg_fdb *fdb, struct hg_fdb_key key)
{
	uint32_t idx[2], free_in[2] = {0, 0}, slot[2] = {HG_FDB_NONE, HG_FDB_NONE};

	buckets_of(fdb, key, idx);
	for (unsigned b = 0; b < 2; b++) {
		for (uint32_t w = 0; w < WAYS; w++) {
			if (fdb->buckets[idx[b]].ways[w].mac_vlan == 0) {
				free_in[b]++;
				slot[b] = idx[b] * WAYS + w;
			}
		}
	}
	return slot[free_in[1] > free_in[0]];
}

/* A learned entry in the key's buckets that was seen at or before `seen_by_ns`, cleared. */
static uint32_t reclaim_slot(struct hg_fdb *fdb, struct hg_fdb_key key, hg_ns seen_by_ns)
{
	uint32_t idx[2];

	buckets_of(fdb, key, idx);
	for (uint32_t i = 0; i < 2 * WAYS; i++) {
		uint32_t slot = idx[i / WAYS] * WAYS + i % WAYS;

		if (is_learned(entry_at(fdb, slot)) && fdb->seen_at_ns[slot] <= seen_by_ns) {
			clear(fdb, slot);
			return slot;
		}
	}
	return HG_FDB_NONE;
}

int hg_fdb_configure(struct hg_fdb *fdb, struct hg_fdb_key key, uint32_t port_idx,
		     struct hg_error *reterr)
{
	uint32_t slot = find(fdb, key);

	if (slot != HG_FDB_NONE && !is_learned(entry_at(fdb, slot))) {
		if (entry_at(fdb, slot)->port == port_idx)
			return 0;
		return hg_error_set(
			reterr, -HG_EEXIST,
			"the MAC address is configured for another port of the same VLAN", NULL);
	}
	if (slot != HG_FDB_NONE)
		clear(fdb, slot);
	else
		slot = empty_slot(fdb, key);
	if (slot == HG_FDB_NONE)
		slot = reclaim_slot(fdb, key, INT64_MAX);
	if (slot == HG_FDB_NONE)
		return hg_error_set(reterr, -HG_ENOSPC, "the MAC table is full", NULL);
	*entry_at(fdb, slot) = (struct entry){key.mac_vlan, key.scope, port_idx};
	fdb->n_configured++;
	return 0;
}

static bool refuse(struct hg_fdb *fdb, uint32_t port_idx)
{
	set_count(&fdb->n_refused_of[port_idx], fdb->n_refused_of[port_idx] + 1u);
	fdb->n_refused++;
	return false;
}

/* flags: BESIDE, or 0. */
static inline bool learn(struct hg_fdb *fdb, struct hg_fdb_key key, uint32_t port_idx,
			 uint32_t flags, hg_ns now_ns)
{
	uint32_t slot = find(fdb, key), *n = &fdb->n_learned_of[port_idx];

	if (HG_LIKELY(slot != HG_FDB_NONE)) {
		struct entry *e = entry_at(fdb, slot);

		if (!is_learned(e))
			return e->port == port_idx;
		if (HG_LIKELY(e->port == (port_idx | LEARNED | flags))) {
			fdb->seen_at_ns[slot] = now_ns;
			return true;
		}
	}
	if (flags == 0 && *n >= fdb->max_learned_of[port_idx])
		return refuse(fdb, port_idx);
	if (slot != HG_FDB_NONE)
		clear(fdb, slot);
	else
		slot = empty_slot(fdb, key);
	if (slot == HG_FDB_NONE)
		slot = reclaim_slot(fdb, key, now_ns - fdb->cfg.age_ns);
	if (slot == HG_FDB_NONE)
		return refuse(fdb, port_idx);
	*entry_at(fdb, slot) = (struct entry){key.mac_vlan, key.scope, port_idx | LEARNED | flags};
	fdb->seen_at_ns[slot] = now_ns;
	if (flags == 0)
		set_count(n, *n + 1u);
	fdb->n_learned++;
	return true;
}

bool hg_fdb_learn(struct hg_fdb *fdb, struct hg_fdb_key key, uint32_t port_idx, hg_ns now_ns)
{
	return learn(fdb, key, port_idx, 0, now_ns);
}

bool hg_fdb_learn_beside(struct hg_fdb *fdb, struct hg_fdb_key key, uint32_t port_idx, hg_ns now_ns)
{
	return learn(fdb, key, port_idx, BESIDE, now_ns);
}

void hg_fdb_set_limit(struct hg_fdb *fdb, uint32_t port_idx, uint32_t max_learned)
{
	fdb->max_learned_of[port_idx] = max_learned;
	set_count(&fdb->n_refused_of[port_idx], 0);
}

bool hg_fdb_forget(struct hg_fdb *fdb, struct hg_fdb_key key)
{
	uint32_t slot = find(fdb, key);

	if (slot == HG_FDB_NONE)
		return false;
	clear(fdb, slot);
	return true;
}

uint32_t hg_fdb_forget_port(struct hg_fdb *fdb, uint32_t port_idx)
{
	uint32_t n = 0;

	for (uint32_t slot = 0; slot < fdb->n_buckets * WAYS; slot++) {
		const struct entry *e = entry_at(fdb, slot);

		if (e->mac_vlan != 0 && (e->port & PORT_MASK) == port_idx) {
			clear(fdb, slot);
			n++;
		}
	}
	return n;
}

static void tell_of(const struct hg_fdb *fdb, uint32_t slot, hg_ns now_ns, hg_fdb_learned_fn tell,
		    void *user)
{
	const struct entry *e = entry_at(fdb, slot);
	struct hg_fdb_learned learned = {
		.vlan = (uint16_t)(e->mac_vlan & 0x0fffu),
		.scope = e->scope,
		.port_idx = e->port & PORT_MASK,
		.seen_ago_ns = now_ns - fdb->seen_at_ns[slot],
	};

	hg_bytes_put16(learned.mac, (uint32_t)(e->mac_vlan >> 48));
	hg_bytes_put32(learned.mac + 2, (uint32_t)(e->mac_vlan >> 16));
	tell(user, &learned);
}

uint32_t hg_fdb_walk(const struct hg_fdb *fdb, uint32_t first, uint32_t n_buckets, hg_ns now_ns,
		     hg_fdb_learned_fn tell, void *user)
{
	uint32_t left = fdb->n_buckets - first;
	uint32_t end = first + (n_buckets < left ? n_buckets : left);

	for (uint32_t slot = first * WAYS; slot < end * WAYS; slot++) {
		if (is_learned(entry_at(fdb, slot)) && !is_dead(fdb, slot, now_ns))
			tell_of(fdb, slot, now_ns, tell, user);
	}
	return end;
}

uint32_t hg_fdb_advance(struct hg_fdb *fdb, uint32_t n_buckets, hg_ns now_ns)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < n_buckets; i++) {
		for (uint32_t w = 0; w < WAYS; w++) {
			uint32_t slot = fdb->advance_idx * WAYS + w;

			if (is_dead(fdb, slot, now_ns)) {
				clear(fdb, slot);
				n++;
			}
		}
		fdb->advance_idx = (fdb->advance_idx + 1u) & (fdb->n_buckets - 1u);
	}
	return n;
}
