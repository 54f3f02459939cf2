/* window: how much of a card queue each instance may fill.
 *
 * Why        S2.5: what is in the card can be overtaken by nobody. So it may hold no more than keeps the link
 *            busy (MAX), and none may fill it with its own packets alone while others want to send.
 * Model      A row for each instance: what it has outstanding, in wire bytes and packets. Active is who has
 *            something queued in front of this card queue, or outstanding in it. MAX less the room is
 *            divided among the active: first among their tenants by weight, inside a tenant by weight;
 *            nobody's share is less than what its guarantee needs of the link.
 *              share(i) = max((MAX - room) * tenant weight / sum of active tenants'
 *                                          * weight / sum of active in the tenant,
 *                             MAX * guarantee / link rate)
 *            Who is active of a lower priority (S2.6) does not count: the scheduler leaves it but a few
 *            packets beside a higher one.
 *            The room is one largest packet while somebody is idle who might wake, else 0; never more than
 *            half of MAX.
 *            Shares are not stored: each question is answered from the sums as they are, so that every
 *            arrival, departure, waking and change of weight divides anew at once (S2.11).
 *            A packet may go while less than MAX is outstanding in all, and less than its share of the
 *            instance's (the rule of a bucket: what may begin may pass by less than a packet). By the whole
 *            packet, as "would pass" has it, weights of 4 to 1 would become 1 to 1 where MAX is two packets.
 *            Shares that pass by less than a packet each would fill the room, too: so MAX less the room
 *            binds the sum, for all but the first packet of whoever has just become active.
 *            Packets: the same part of MAX in packets. Where MAX is bounded in packets alone, there are no
 *            shares.
 * Lost       taken = given + lost + outstanding in all at any time. A row follows when it is touched, or
 *            by hg_window_sweep(): until then it counts as active.
 * Promise    0 <= outstanding <= MAX + one packet; taken = given + lost + outstanding, in all and for each
 *            instance. An instance with nothing outstanding is held by no share. With nothing outstanding
 *            in all, anybody may go. Whoever wakes finds less than MAX outstanding, unless another has just
 *            woken.
 * Units      wire bytes; packets: wire packets (parts). Weight in [1, HG_WEIGHT_MAX], times a factor.
 * Memory     Caller's: hg_window_size(), 64-byte aligned, zeroed, may be lazily mapped.
 * Threads    One owner. Cost: O(1), no scan; a question divides once after a change, else not at all.
 * Errors     none: indices are the caller's promise.
 * Used by    core/sched (may, take, active), core/inflight (give).
 */
#ifndef HG_CORE_WINDOW_H
#define HG_CORE_WINDOW_H

#include "core/contract.h"
#include "core/units.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hg_window;

enum hg_window_answer {
	HG_WINDOW_OPEN, /* it may go */
	HG_WINDOW_SHARE, /* the instance's share is outstanding: wait for a release of its own */
	HG_WINDOW_FULL, /* MAX is outstanding, or all but the room for wakers: wait for any release */
};

size_t hg_window_size(uint32_t max_tenants, uint32_t max_instances);
struct hg_window *hg_window_init(void *memory, uint32_t max_tenants, uint32_t max_instances);

/* 0, 0: unbounded, but still counted. Live; what is outstanding stays so. */
void hg_window_set_max(struct hg_window *w, uint64_t max_bytes, uint32_t max_pkts);
/* What the guarantees are a part of. */
void hg_window_set_link(struct hg_window *w, uint64_t bytes_per_s, uint32_t largest_bytes);

void hg_window_set_tenant(struct hg_window *w, uint32_t tenant_idx, uint32_t weight);
/* Adds or changes an instance. depth_shift: its weight counts as weight * 2^depth_shift here, in [-3, 1]:
 * what its behaviour earned (core/behaviour). */
void hg_window_set_instance(struct hg_window *w, uint32_t instance_idx, uint32_t tenant_idx,
			    uint32_t weight, uint64_t min_bytes_per_s);
/* enum hg_priority; until told, normal. Told by the scheduler. */
void hg_window_set_priority(struct hg_window *w, uint32_t instance_idx, unsigned priority);
void hg_window_set_depth_shift(struct hg_window *w, uint32_t instance_idx, int depth_shift);
/* What it has outstanding becomes nobody's, and still counts in all until it is released. */
void hg_window_remove_instance(struct hg_window *w, uint32_t instance_idx);

/* Something is queued for this card queue, or nothing any more. Told by the scheduler. */
void hg_window_wants(struct hg_window *w, uint32_t instance_idx, bool wants);

enum hg_window_answer hg_window_may(struct hg_window *w, uint32_t instance_idx);
void hg_window_take(struct hg_window *w, uint32_t instance_idx, uint32_t wire_bytes,
		    uint32_t parts);
/* What instances of a priority have outstanding; 0 while MAX is unbounded. */
uint32_t hg_window_priority_pkts(const struct hg_window *w, unsigned priority);
/* Returns the generation and epoch that belong into the tag of what is taken now. */
uint16_t hg_window_generation(const struct hg_window *w, uint32_t instance_idx);
uint8_t hg_window_epoch(const struct hg_window *w);
/* Switched off, take does nothing: what is handed out then is not followed. Gives settle what is still out.
 * It is on after init. */
void hg_window_set_counting(struct hg_window *w, bool is_on);
uint64_t hg_window_outstanding_bytes(const struct hg_window *w);
uint32_t hg_window_outstanding_pkts(const struct hg_window *w);
/* A release. Returns false if it had been written off: then nothing changes. */
bool hg_window_give(struct hg_window *w, uint32_t instance_idx, uint16_t generation, uint8_t epoch,
		    uint32_t wire_bytes, uint32_t parts);

/* An epoch begins. What was taken before the last one began and is not back is lost: it is written off, and
 * returned. Epochs are numbered modulo 256 in tags. */
uint64_t hg_window_next_epoch(struct hg_window *w, uint32_t *ret_lost_pkts);
/* Everything outstanding is written off at once: the card was reset, or tells nothing. */
uint64_t hg_window_write_off(struct hg_window *w, uint32_t *ret_lost_pkts);
/* After something was lost: brings some of the rows that count it up to date, a few microseconds a call.
 * Returns whether there are more. */
bool hg_window_sweep(struct hg_window *w);

/* Whether somebody who was refused may be let through by now for another reason than a release: MAX was
 * raised, an active one has left, a weight has changed, something was written off. Asking clears it. */
bool hg_window_has_grown(struct hg_window *w);

struct hg_window_stats {
	uint64_t taken_bytes, given_bytes, lost_bytes;
	uint64_t taken_pkts, given_pkts, lost_pkts;
	uint64_t max_bytes, outstanding_bytes, peak_bytes; /* peak: since the last sample */
	uint32_t max_pkts, outstanding_pkts;
	uint32_t n_active;
};
struct hg_window_row {
	uint64_t outstanding_bytes, share_bytes;
	uint32_t outstanding_pkts;
	int depth_shift;
	bool is_active;
};
void hg_window_sample(struct hg_window *w, struct hg_window_stats *ret_stats);
void hg_window_sample_instance(struct hg_window *w, uint32_t instance_idx,
			       struct hg_window_row *ret_row);

#endif
