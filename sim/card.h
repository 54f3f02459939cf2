/* card: the modelled card of a lane, the packets it is fed with, and the hook that sees their release.
 *
 * Why        What a driver and the packet lane do on a host, in virtual time: a pool whose put() collects the
 *            tags (core/tag.h), and drivers/simnic as it runs in front of real devices.
 * Model      simnic in front of a sink that gives each packet back to the pool at once, so that a release comes
 *            when simnic says so. Beside it a wire is computed: it tells at the hand-over when the last bit
 *            of a packet will have left, which no release tells.
 *              end = max(end of the one before, hand-over) + bytes / rate
 * Packets    have no bytes: their weight is said in wire_bytes and parts.
 * Faults     simnic's (hg_simnic_fault). The computed wire is right again after a pause.
 * Units      ns; wire bytes. Memory: allocated at open. Threads: one owner.
 * Cost       O(1) a packet. Errors: -ENOMEM, and what simnic refuses.
 * Used by    sim/lane.
 */
#ifndef HG_SIM_CARD_H
#define HG_SIM_CARD_H

#include "drivers/driver.h"
#include "drivers/simnic.h"
#include "vswitch/pkt.h"

#include <stdbool.h>

struct hg_card_cfg {
	uint64_t bytes_per_s;
	uint32_t ring_pkts;
	const char *params; /* of simnic, beside rate and ring: "complete=5us,batch=8"; "": none */
	uint32_t n_pkts; /* in the pool, in [1, 2^22] */
};

/* Aligned as the scheduler wants its packets. */
struct hg_card_slot {
	_Alignas(HG_CACHE_LINE_BYTES) struct hg_pkt pkt;
};

struct hg_card {
	struct hg_pool pool; /* first: put() finds the card by it */
	struct hg_dev *dev; /* simnic */
	struct hg_card_slot *pkts; /* all of the pool */
	struct hg_pkt *free_list;
	uint32_t n_pkts, n_free;
	/* Released since the owner last looked, oldest first; the owner sets n_released to 0. */
	struct hg_pkt **released;
	uint32_t n_released;
	uint64_t handed_pkts, handed_bytes; /* wire packets and bytes, ever */
	uint64_t released_pkts, released_bytes;
	/* The computed wire. */
	uint64_t bytes_per_s, rest;
	hg_ns end_ns;
};

HG_MUST_CHECK int hg_card_open(struct hg_card *card, const struct hg_card_cfg *cfg,
			       struct hg_error *reterr);
/* Whatever is in the card comes back through `released`, what it had lost, too. */
void hg_card_stop(struct hg_card *card);
void hg_card_close(struct hg_card *card); /* a zeroed or half-open card, too */

/* NULL: the pool is empty. */
struct hg_pkt *hg_card_get(struct hg_card *card);
void hg_card_put(struct hg_card *card,
		 struct hg_pkt *pkt); /* not a release: it never was in the card */

/* It was on its way to the card, which will not take it: it comes back through `released` all the same. */
void hg_card_abort(struct hg_card *card, struct hg_pkt *pkt);

/* Hands over; returns how many the card took. */
unsigned hg_card_tx(struct hg_card *card, struct hg_pkt **pkts, unsigned n, hg_ns now_ns);
/* When its last bit will have left. To be asked once for each packet taken, in order. */
hg_ns hg_card_wire_end(struct hg_card *card, uint32_t wire_bytes, hg_ns handed_ns);
hg_ns hg_card_progress(struct hg_card *card, hg_ns now_ns);
/* Wire packets that the ring has room for now. */
uint32_t hg_card_room(const struct hg_card *card);
HG_MUST_CHECK int hg_card_fault(struct hg_card *card, const struct hg_simnic_fault *fault,
				hg_ns now_ns);

#endif
