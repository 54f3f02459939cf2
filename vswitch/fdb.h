/* fdb: which port a MAC address lies behind.
 *
 * Why        S5.1: learning and static MAC tables, with a bound on what a guest can make the switch learn.
 * Model      Key (scope, vlan, mac) -> port. A scope is a number of the caller's: addresses of different
 *            scopes never meet. Two buckets of four entries for each key (two-choice hashing), the
 *            lesser filled one taken, so a lookup reads at most two cache lines and never probes on.
 * Promise    A configured entry never ages, never moves, and gives way to nothing that is learned.
 *            A learned entry is found while it was seen less than age_ns ago. It moves when the
 *            address is learned behind another port. No port has more entries than its limit, dead
 *            ones included until hg_fdb_advance() or a newcomer clears them; entries learned
 *            beside others (hg_fdb_learn_beside) are not among them. A lower limit forgets nothing.
 * Limits     Sized for max_entries at half load; then no bucket pair is ever full in practice, whatever
 *            addresses guests choose, since the hash is seeded. Where it is: configure says -ENOSPC (after
 *            putting out a learned entry, if there is one), learn says false.
 * Stable     scope and port_idx are kept here over snapshots: a port that goes must be forgotten
 *            before its index is given to another.
 * Time       now_ns is an argument and must not go backwards.
 * Memory     The caller's, hg_fdb_bytes(). Threads: one owner; lookup alone changes nothing.
 * Cost       lookup, learn, configure: O(1). forget_port: the whole table. advance: what it is asked for.
 */
#ifndef HG_VSWITCH_FDB_H
#define HG_VSWITCH_FDB_H

#include "core/error.h"
#include "core/units.h"

#include <stdbool.h>

#define HG_FDB_NONE UINT32_MAX /* no port */

/* 300 s: IEEE 802.1D's recommended ageing time; what every bridge does. */
#define HG_FDB_AGE_NS (300 * HG_NS_PER_S)

struct hg_fdb_cfg {
	uint32_t max_entries; /* in [1, 2^24] */
	uint32_t max_ports; /* port_idx in [0, max_ports) */
	uint32_t max_learned; /* for each port, until hg_fdb_set_limit() */
	hg_ns age_ns;
	uint64_t seed; /* random, unknown to guests */
};

struct hg_fdb_key {
	uint64_t mac_vlan; /* made by hg_fdb_key(); 0: nothing */
	uint32_t scope;
};

struct hg_fdb {
	struct hg_fdb_cfg cfg;
	struct hg_fdb_bucket *buckets;
	hg_ns *seen_at_ns; /* of each entry */
	uint32_t *n_learned_of; /* of each port, as the two below; read by others as it is */
	uint32_t *max_learned_of;
	uint32_t *n_refused_of; /* learn said false */
	uint32_t n_buckets; /* a power of two */
	uint32_t advance_idx; /* the bucket that advance looks at next */
	uint32_t n_configured;
	uint32_t n_learned;
	uint64_t n_refused; /* learn said false */
};

size_t hg_fdb_bytes(const struct hg_fdb_cfg *cfg);
/* mem has hg_fdb_bytes(cfg) bytes, any alignment. */
void hg_fdb_init(struct hg_fdb *fdb, const struct hg_fdb_cfg *cfg, void *mem);

struct hg_fdb_key hg_fdb_key(uint32_t scope, uint16_t vlan, const uint8_t *mac);

/* The port, or HG_FDB_NONE. */
uint32_t hg_fdb_lookup(const struct hg_fdb *fdb, struct hg_fdb_key key, hg_ns now_ns);

/* The key is about to be looked up: asks for the line in which it most likely lies. Changes nothing. */
void hg_fdb_expect(const struct hg_fdb *fdb, struct hg_fdb_key key);

/* Makes the entry a configured one; what was learned for the key gives way.
 * -EEXIST: configured for another port. -ENOSPC: see Limits. */
HG_MUST_CHECK int hg_fdb_configure(struct hg_fdb *fdb, struct hg_fdb_key key, uint32_t port_idx,
				   struct hg_error *reterr);

/* The key was seen as a source at the port. Returns whether the entry is now this port's. */
bool hg_fdb_learn(struct hg_fdb *fdb, struct hg_fdb_key key, uint32_t port_idx, hg_ns now_ns);

/* The same for an entry that repeats one just learned, in another scope: what is counted is that one. */
bool hg_fdb_learn_beside(struct hg_fdb *fdb, struct hg_fdb_key key, uint32_t port_idx,
			 hg_ns now_ns);

/* How many addresses may be learned behind the port from now on; what it was refused is counted anew. */
void hg_fdb_set_limit(struct hg_fdb *fdb, uint32_t port_idx, uint32_t max_learned);

/* Removes the entry of this key, of either kind. Returns whether there was one. */
bool hg_fdb_forget(struct hg_fdb *fdb, struct hg_fdb_key key);

/* Removes all entries of a port, of either kind. Returns how many. */
uint32_t hg_fdb_forget_port(struct hg_fdb *fdb, uint32_t port_idx);

/* Clears dead entries from the next n_buckets buckets, round and round: a little in each turn of
 * housekeeping. Returns how many. */
uint32_t hg_fdb_advance(struct hg_fdb *fdb, uint32_t n_buckets, hg_ns now_ns);

/* Tells of each learned entry that is found now, in n_buckets buckets from `first` on. Returns where to go on;
 * fdb->n_buckets: that was all. */
struct hg_fdb_learned {
	uint8_t mac[6];
	uint16_t vlan;
	uint32_t scope, port_idx;
	hg_ns seen_ago_ns;
};
typedef void (*hg_fdb_learned_fn)(void *user, const struct hg_fdb_learned *learned);
uint32_t hg_fdb_walk(const struct hg_fdb *fdb, uint32_t first, uint32_t n_buckets, hg_ns now_ns,
		     hg_fdb_learned_fn tell, void *user);

/* These two from any thread. */
static inline uint32_t hg_fdb_learned_of(const struct hg_fdb *fdb, uint32_t port_idx)
{
	return __atomic_load_n(&fdb->n_learned_of[port_idx], __ATOMIC_RELAXED);
}

static inline uint32_t hg_fdb_refused_of(const struct hg_fdb *fdb, uint32_t port_idx)
{
	return __atomic_load_n(&fdb->n_refused_of[port_idx], __ATOMIC_RELAXED);
}

#endif
