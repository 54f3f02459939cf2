/* simnic_line: when what has passed a line of a given rate, and the line that received packets pass.
 *
 * Why        Time stamps decide, not polling: whoever asks late finds what would have been there had it
 *            asked in time.
 * Model      A packet that may start at t starts at max(t, end of the one before) and ends when its wire
 *            bytes have passed. The remainder of the division is carried while the line stays busy, so that
 *            the rate does not drift. A clock may stand for the last stall_ns of every every_ns.
 * Units      wire bytes, ns. Time: an argument that must not go back.
 * Memory     clock: the caller's. line: allocated by init, forgotten by fini. Threads: one owner; the
 *            counts of a line may be read from any thread.
 * Cost       O(1) a packet, one division if its size is a rare one; with stalls two more.
 * Errors     init: -ENOMEM.
 * Used by    drivers/simnic.c, drivers/simnic_card.c.
 */
#ifndef HG_DRIVERS_SIMNIC_LINE_H
#define HG_DRIVERS_SIMNIC_LINE_H

#include "drivers/counts.h"
#include "drivers/wire.h"

/* How long packets of a size take, so that it is divided once for the few sizes that most traffic has. */
struct hg_simnic_size {
	uint64_t n_bytes; /* 0: none yet */
	uint64_t rest;
	hg_ns for_ns;
};

#define HG_SIMNIC_SIZES 8u

struct hg_simnic_clock {
	uint64_t bytes_per_s;
	uint64_t rest; /* of the last division, in byte-ns below bytes_per_s */
	hg_ns end_ns; /* of the last packet */
	hg_ns stall_ns, every_ns; /* stall_ns < every_ns; every_ns 0: it never stands */
	struct hg_simnic_size sizes[HG_SIMNIC_SIZES]; /* by the last bits of n_bytes */
};

/* When a packet of so many bytes (in [1, HG_WIRE_MAX_BYTES]) ends that may start at now_ns; the next one
 * starts there. */
hg_ns hg_simnic_clock_end(struct hg_simnic_clock *clock, uint32_t n_bytes, hg_ns now_ns);

struct hg_simnic_line_entry {
	struct hg_pkt *pkt;
	hg_ns end_ns;
	struct hg_wire wire;
};

/* First in, first out. Positions only grow: [head, ended) has passed, [ended, tail) has not. */
struct hg_simnic_line {
	struct hg_simnic_clock clock;
	struct hg_simnic_line_entry *entries;
	uint32_t mask;
	uint32_t head, ended, tail;
	uint32_t ring_size; /* wire packets */
	uint32_t used_pkts; /* wire packets that have not passed */
};

/* Room for ring_size wire packets that have not passed, and n_passed packets that have. */
HG_MUST_CHECK int hg_simnic_line_init(struct hg_simnic_line *line, uint64_t bytes_per_s,
				      uint32_t ring_size, uint32_t n_passed);
void hg_simnic_line_fini(struct hg_simnic_line *line);

bool hg_simnic_line_has_room(const struct hg_simnic_line *line);
/* Requires room. */
void hg_simnic_line_push(struct hg_simnic_line *line, struct hg_pkt *pkt, hg_ns now_ns);
void hg_simnic_line_advance(struct hg_simnic_line *line, hg_ns now_ns);
/* Takes up to n packets that have passed. Requires an advance to the present. */
unsigned hg_simnic_line_pop(struct hg_simnic_line *line, struct hg_pkt **pkts, unsigned n);
/* When the next packet has passed, or did if it was not taken yet; HG_NEVER. */
hg_ns hg_simnic_line_next_at(const struct hg_simnic_line *line);
/* Gives all back. */
void hg_simnic_line_drain(struct hg_simnic_line *line, struct hg_pool *pool);

#endif
