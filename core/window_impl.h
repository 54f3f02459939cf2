/* window_impl: the struct of core/window.h, and what is asked of it for each packet, inline.
 *
 * Why runs   The scheduler takes packets of one instance in runs, and a card releases them in runs. Within one nothing
 *            changes in the window but what the run itself takes: so one answer is good for all of it, and one
 *            account is written for all of it.
 * Memory     A row is one line, and so is the part of a tenant that a question reads. Of what is outstanding only
 *            the accounts by epoch are kept; all else is a sum of them.
 * Used by    core/window.c, and those who ask and give for each run: core/sched.c, core/inflight*.c.
 * Not here   Nothing else includes this.
 */
#ifndef HG_CORE_WINDOW_IMPL_H
#define HG_CORE_WINDOW_IMPL_H

#include "core/window.h"

/* What one unit of weight may have outstanding, in 2^-20 bytes: a million units of weight share one frame
 * with an error below a thousandth. */
#define HG_WINDOW_UNIT_SHIFT 20u

enum { /* flags of a row */
       ROW_SET = 1u << 0,
       ROW_WANTS = 1u << 1, /* something is queued */
       ROW_ACTIVE = 1u << 2, /* its weight is in the sums */
       ROW_FRESH = 1u << 3, /* active, and nothing taken since it became so */
};

/* What was answered since the owner asked hg_window_has_grown(). */
enum {
	HELD_BY_SHARE = 1u << 0,
	HELD_BY_MAX = 1u << 1,
	HAS_GROWN = 1u << 2,
};

struct hg_window_out { /* by the parity of the epoch in which it was taken */
	uint64_t bytes[2];
	uint32_t pkts[2];
};

struct hg_window_account { /* the row of an instance */
	_Alignas(HG_CACHE_LINE_BYTES) struct hg_window_out out;
	uint64_t min_bytes_per_s;
	uint32_t epoch; /* that the account is of */
	uint32_t link_version; /* that min_q32 is of */
	uint32_t min_q32; /* its guarantee as a part of the link, times 2^32 */
	uint32_t tenant_idx;
	uint16_t generation;
	uint16_t weight;
	uint16_t scaled_weight; /* weight * 2^(depth_shift + 3) */
	int8_t depth_shift;
	uint8_t flags;
	uint8_t priority;
	uint8_t level; /* of the priority, highest first */
};

/* A tenant's instances of a priority and of those above it: they alone count in their shares. */
struct hg_window_part {
	uint64_t
		unit; /* bytes << HG_WINDOW_UNIT_SHIFT that one unit of weight may have outstanding */
	uint64_t version; /* that unit was computed for; 0: for none */
	uint64_t sum; /* of the active instances' scaled weights */
	uint32_t n_active;
};

struct hg_window_tenant {
	_Alignas(HG_CACHE_LINE_BYTES) struct hg_window_part parts[HG_N_PRIORITIES]; /* by level */
	uint32_t weight;
};

struct hg_window {
	/* What each question reads, and what a packet writes. */
	uint64_t max_bytes; /* 0: unbounded */
	uint64_t open_bytes; /* max_bytes less the room */
	uint32_t max_pkts; /* 0: unbounded */
	uint32_t open_pkts;
	struct hg_window_out out; /* all */
	uint32_t epoch;
	uint32_t link_version; /* from 1 */
	uint64_t version; /* of what is divided and among which tenants; from 1 */
	struct hg_window_tenant *tenants;
	struct hg_window_account *rows;
	uint32_t priority_pkts[HG_N_PRIORITIES][2]; /* outstanding, by the parity of the epoch */
	bool is_off; /* nothing is counted */
	uint64_t taken_bytes, given_bytes, lost_bytes;
	uint64_t taken_pkts, given_pkts, lost_pkts;
	uint64_t peak_bytes; /* up to the last release */

	uint64_t *active; /* a bit for each row */
	uint64_t
		sum[HG_N_PRIORITIES]; /* weights of the tenants with an active instance, by level */
	uint32_t n_active, n_set;
	uint32_t largest_bytes;
	uint64_t link_bytes_per_s;
	uint32_t n_words; /* of active */
	uint32_t sweep_word; /* from here on rows may still count what is lost */
	uint32_t notes; /* HELD_BY_SHARE... */
};

/* After what a row has outstanding, or whether it wants, changed from or to nothing. */
void hg_window_refresh(struct hg_window *w, struct hg_window_account *row);
/* To the epoch that runs. */
void hg_window_bring_forward(struct hg_window *w, struct hg_window_account *row);
/* After the window, or what is active, changed. */
void hg_window_divide(struct hg_window *w, struct hg_window_account *row);

static inline uint64_t window_bytes(const struct hg_window_out *out)
{
	return out->bytes[0] + out->bytes[1];
}

static inline uint32_t window_pkts(const struct hg_window_out *out)
{
	return out->pkts[0] + out->pkts[1];
}

static inline struct hg_window_account *window_touch(struct hg_window *w, uint32_t instance_idx)
{
	struct hg_window_account *row = &w->rows[instance_idx];

	if (HG_UNLIKELY(row->epoch != w->epoch))
		hg_window_bring_forward(w, row);
	return row;
}

static inline uint64_t window_share_bytes(struct hg_window *w, struct hg_window_account *row)
{
	const struct hg_window_part *part = &w->tenants[row->tenant_idx].parts[row->level];
	uint64_t share, guaranteed;

	if (HG_UNLIKELY(part->version != w->version || row->link_version != w->link_version))
		hg_window_divide(w, row);
	share = (part->unit * row->scaled_weight) >> HG_WINDOW_UNIT_SHIFT;
	guaranteed = (w->max_bytes * row->min_q32) >> 32;
	return share > guaranteed ? share : guaranteed;
}

/* ---- packets ------------------------------------------------------------------------------------ */

/* A run of one instance's packets, of which the first was let go: what may be taken without asking again. */
struct window_run {
	uint64_t left_bytes; /* another may begin while less than this was taken, */
	uint32_t left_pkts; /* less than so many, */
	uint64_t left_cost, pkt_cost; /* and their number times pkt_cost is less than left_cost */
};

static inline bool window_run_goes_on(const struct window_run *run, uint32_t taken_bytes,
				      uint32_t taken_pkts)
{
	return taken_bytes < run->left_bytes && taken_pkts < run->left_pkts &&
	       taken_pkts * run->pkt_cost < run->left_cost;
}

static inline uint64_t window_less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* What the instance's share leaves; returns whether it leaves anything. Both bounds in one measure: its part of MAX
 * in packets is its part in bytes. */
static inline bool window_narrow(struct hg_window *w, struct hg_window_account *row,
				 struct window_run *run)
{
	uint64_t share_bytes = window_share_bytes(w, row);
	uint64_t left_bytes = window_less(share_bytes, window_bytes(&row->out));

	if (left_bytes < run->left_bytes)
		run->left_bytes = left_bytes;
	if (w->max_pkts > 0) {
		run->pkt_cost = w->max_bytes;
		run->left_cost = window_less(share_bytes * w->max_pkts,
					     window_pkts(&row->out) * w->max_bytes);
	}
	return left_bytes > 0 && run->left_cost > 0;
}

/* Whether a packet may go, and if so, what may follow it. */
static inline enum hg_window_answer window_ask(struct hg_window *w, uint32_t instance_idx,
					       struct window_run *ret_run)
{
	struct hg_window_account *row = window_touch(w, instance_idx);
	uint64_t out_bytes = window_bytes(&w->out);
	uint32_t out_pkts = window_pkts(&w->out);
	bool is_fresh = (row->flags & ROW_FRESH) != 0, is_full = false;

	*ret_run = (struct window_run){
		.left_bytes = UINT64_MAX, .left_pkts = UINT32_MAX, .left_cost = 1};
	if (w->max_bytes > 0) {
		ret_run->left_bytes = window_less(w->open_bytes, out_bytes);
		is_full = out_bytes >= (is_fresh ? w->max_bytes : w->open_bytes);
	}
	if (w->max_pkts > 0) {
		ret_run->left_pkts = (uint32_t)window_less(w->open_pkts, out_pkts);
		is_full |= out_pkts >= (is_fresh ? w->max_pkts : w->open_pkts);
	}
	if (is_full && out_pkts > 0) {
		w->notes |= HELD_BY_MAX;
		return HG_WINDOW_FULL;
	}
	if (w->max_bytes == 0 || window_narrow(w, row, ret_run) || window_pkts(&row->out) == 0)
		return HG_WINDOW_OPEN;
	w->notes |= HELD_BY_SHARE;
	return HG_WINDOW_SHARE;
}

/* What was let go, of one packet or a run. */
static inline void window_take(struct hg_window *w, uint32_t instance_idx, uint32_t wire_bytes,
			       uint32_t parts)
{
	struct hg_window_account *row = window_touch(w, instance_idx);
	unsigned slot = w->epoch & 1u;

	if (HG_UNLIKELY(w->is_off))
		return;
	row->out.bytes[slot] += wire_bytes;
	row->out.pkts[slot] += parts;
	w->priority_pkts[row->priority][slot] += parts;
	if (HG_UNLIKELY(!(row->flags & ROW_ACTIVE)))
		hg_window_refresh(w, row);
	row->flags &= (uint8_t)~ROW_FRESH;

	w->out.bytes[slot] += wire_bytes;
	w->out.pkts[slot] += parts;
	w->taken_bytes += wire_bytes;
	w->taken_pkts += parts;
}

/* What is outstanding only grows between two releases. */
static inline void window_note_peak(struct hg_window *w)
{
	uint64_t out_bytes = window_bytes(&w->out);

	if (out_bytes > w->peak_bytes)
		w->peak_bytes = out_bytes;
}

/* A release of one packet, or of a run that was taken in one epoch. */
static inline bool window_give(struct hg_window *w, uint32_t instance_idx, uint16_t generation,
			       uint8_t epoch, uint32_t wire_bytes, uint32_t parts)
{
	unsigned age = (uint8_t)(w->epoch - epoch), slot = epoch & 1u;
	struct hg_window_account *row = window_touch(w, instance_idx);

	/* The second half: a tag that comes back twice, or 256 epochs late, takes nothing from others. */
	if (HG_UNLIKELY(age > 1u || w->out.pkts[slot] < parts || w->out.bytes[slot] < wire_bytes))
		return false;
	window_note_peak(w);
	if (HG_LIKELY(row->generation == generation)) {
		if (HG_UNLIKELY(row->out.pkts[slot] < parts || row->out.bytes[slot] < wire_bytes))
			return false;
		row->out.bytes[slot] -= wire_bytes;
		row->out.pkts[slot] -= parts;
		w->priority_pkts[row->priority][slot] -= parts;
		if (window_pkts(&row->out) == 0 && !(row->flags & ROW_WANTS))
			hg_window_refresh(w, row);
	}
	w->out.bytes[slot] -= wire_bytes;
	w->out.pkts[slot] -= parts;
	w->given_bytes += wire_bytes;
	w->given_pkts += parts;
	return true;
}

#endif
