#include "control/rows.h"

#include "control/names.h"

#include <stdlib.h>
#include <string.h>

void hg_rows_init(struct hg_rows *rows)
{
	*rows = (struct hg_rows){0};
}

void hg_rows_fini(struct hg_rows *rows)
{
	free(rows->rows);
	hg_rows_init(rows);
}

static bool is_same_policy(const struct hg_policy *a, const struct hg_policy *b)
{
	return a->min_bytes_per_s == b->min_bytes_per_s &&
	       a->max_bytes_per_s == b->max_bytes_per_s && a->max_pkts_per_s == b->max_pkts_per_s &&
	       a->burst_bytes == b->burst_bytes && a->reserve_bytes == b->reserve_bytes &&
	       a->idle_after_ns == b->idle_after_ns && a->weight == b->weight &&
	       a->accounting == b->accounting && a->priority == b->priority &&
	       a->behaviour == b->behaviour;
}

static bool is_same_contract(const struct hg_contract *a, const struct hg_contract *b)
{
	return a->mode == b->mode && is_same_policy(&a->dir[HG_OUT], &b->dir[HG_OUT]) &&
	       is_same_policy(&a->dir[HG_IN], &b->dir[HG_IN]);
}

/* A row for the contract: the old one carried on, or a new one. */
static void build_row(struct hg_row *row, const struct hg_row *old, const char *name,
		      const struct hg_contract *contract, hg_ns now_ns)
{
	if (old != NULL)
		*row = *old;
	else
		row->created_at_ns = now_ns;
	if (old == NULL || !is_same_contract(&old->contract, contract)) {
		row->has_changed = true;
		for (unsigned d = 0; d < HG_N_DIRS; d++)
			row->dir[d].proof = (struct hg_proof){0};
	}
	memcpy(row->name, name, sizeof(row->name));
	row->contract = *contract;
}

int hg_rows_build(const struct hg_rows *old, const struct hg_rows_source *source, hg_ns now_ns,
		  struct hg_rows *ret_rows, struct hg_error *reterr)
{
	struct hg_row *rows;
	struct hg_names names;
	int rc = hg_names_build(old->rows, sizeof(*old->rows), old->n_rows, &names, reterr);

	if (rc < 0)
		return rc;
	rows = calloc(source->n + 1u, sizeof(*rows));
	if (rows == NULL) {
		hg_names_fini(&names);
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for the measurements", NULL);
	}
	for (uint32_t i = 0; i < source->n; i++) {
		const char *item = (const char *)source->first + i * source->size;
		const void *contract = item + source->contract_offset;
		uint32_t found = hg_names_find(&names, item);

		build_row(&rows[i], found == HG_NAMES_NONE ? NULL : &old->rows[found], item,
			  contract, now_ns);
	}
	hg_names_fini(&names);
	*ret_rows = (struct hg_rows){.rows = rows, .n_rows = source->n};
	return 0;
}

/* T of this flow: by the times of its own samples where it has them. */
static hg_ns length_ns(const struct hg_dp_flow *from, const struct hg_dp_flow *to, hg_ns for_ns)
{
	hg_ns own_ns = to->at_ns - from->at_ns;

	return from->at_ns > 0 && own_ns > 0 ? own_ns : for_ns;
}

static void close_dir(struct hg_row *row, uint32_t idx, enum hg_dir dir,
		      const struct hg_rows_close *close)
{
	struct hg_row_dir *d = &row->dir[dir];
	const struct hg_policy *policy = &row->contract.dir[dir];
	struct hg_room room = {0};
	struct hg_dp_flow now;
	struct hg_span span;
	hg_ns for_ns;

	close->sample(close->dp, idx, dir, &now);
	for_ns = length_ns(&d->last, &now, close->now_ns - close->from_ns);
	hg_measure_span(&d->last, &now, for_ns, close->stolen_ns, &span);
	hg_measure_rates(&d->last, &now, for_ns, &d->second);
	if (close->instances == NULL)
		close->rooms[idx][dir] = hg_measure_room(policy, &span);
	else
		room = close->rooms[close->instances[idx].tenant_idx][dir];
	if (!row->has_changed)
		hg_measure_count(&d->proof, hg_measure_judge(policy, &span, room));
	d->last = now;
}

void hg_rows_close(struct hg_rows *rows, const struct hg_rows_close *close)
{
	for (uint32_t i = 0; i < rows->n_rows; i++) {
		close_dir(&rows->rows[i], i, HG_OUT, close);
		close_dir(&rows->rows[i], i, HG_IN, close);
		rows->rows[i].has_changed = false;
	}
}

void hg_rows_totals(const struct hg_row *row, const struct hg_dp_flow *last, hg_ns now_ns,
		    struct hg_totals *ret)
{
	*ret = row->carried;
	/* Of who came within the second that is still open nothing is known yet. */
	ret->age_ns = now_ns > row->created_at_ns ? now_ns - row->created_at_ns : 0;
	for (unsigned d = 0; d < HG_N_DIRS; d++) {
		const struct hg_dp_flow *flow = last != NULL ? &last[d] : &row->dir[d].last;
		const struct hg_proof *proof = &row->dir[d].proof;
		struct hg_totals_dir *to = &ret->dir[d];

		to->offered_bytes += flow->offered_bytes;
		to->offered_pkts += flow->offered_pkts;
		to->sent_bytes += flow->sent_bytes;
		to->sent_pkts += flow->sent_pkts;
		to->link_offered_bytes += flow->link_offered_bytes;
		to->link_sent_bytes += flow->link_bytes;
		to->marked_pkts += flow->marked_pkts;
		for (unsigned i = 0; i < HG_N_DROPS; i++)
			to->drops[i] += flow->drops[i];
		for (unsigned i = 0; i < HG_N_LIMITS; i++)
			to->held_ns[i] += flow->held_ns[i];
		to->kept = proof->kept;
		to->missed = proof->missed;
		to->stolen = proof->stolen;
		to->missed_min = proof->missed_min;
		to->missed_max = proof->missed_max;
		ret->cut_segments += d == HG_OUT ? flow->cut_segments : 0;
		ret->cut_pieces += d == HG_OUT ? flow->cut_pieces : 0;
	}
}

int hg_rows_adopt(const struct hg_rows *rows, const struct hg_row *old, uint32_t n_old,
		  hg_ns now_ns, struct hg_rows *ret_rows, struct hg_error *reterr)
{
	const struct hg_rows before = {.rows = (struct hg_row *)(uintptr_t)old, .n_rows = n_old};
	const struct hg_rows_source source = {
		.first = rows->rows,
		.size = sizeof(*rows->rows),
		.contract_offset = offsetof(struct hg_row, contract),
		.n = rows->n_rows,
	};

	return hg_rows_build(&before, &source, now_ns, ret_rows, reterr);
}

void hg_rows_carry(struct hg_row *row, const struct hg_totals *totals, hg_ns now_ns)
{
	row->carried = *totals;
	row->created_at_ns = now_ns - totals->age_ns;
	for (unsigned d = 0; d < HG_N_DIRS; d++) {
		const struct hg_totals_dir *from = &totals->dir[d];

		row->dir[d].proof = (struct hg_proof){
			.kept = from->kept,
			.missed = from->missed,
			.stolen = from->stolen,
			.missed_min = from->missed_min,
			.missed_max = from->missed_max,
		};
	}
}

/* The sample at the end of the last second, with what came along from elsewhere. */
static void whole_flow(const struct hg_row *row, const struct hg_totals *totals, unsigned d,
		       struct hg_dp_flow *ret)
{
	const struct hg_totals_dir *from = &totals->dir[d];

	*ret = row->dir[d].last;
	ret->offered_bytes = from->offered_bytes;
	ret->offered_pkts = from->offered_pkts;
	ret->sent_bytes = from->sent_bytes;
	ret->sent_pkts = from->sent_pkts;
	ret->link_offered_bytes = from->link_offered_bytes;
	ret->link_bytes = from->link_sent_bytes;
	ret->marked_pkts = from->marked_pkts;
	memcpy(ret->drops, from->drops, sizeof(ret->drops));
	memcpy(ret->held_ns, from->held_ns, sizeof(ret->held_ns));
	for (unsigned i = 0; i < HG_N_LIMITS; i++)
		ret->wait_ns += row->carried.dir[d].held_ns[i];
}

void hg_rows_status(const struct hg_row *row, hg_ns now_ns, struct hg_status_row *ret)
{
	static const struct hg_dp_flow nothing;
	struct hg_totals totals;

	hg_rows_totals(row, NULL, now_ns, &totals);
	for (unsigned d = 0; d < HG_N_DIRS; d++) {
		struct hg_dp_flow whole;

		whole_flow(row, &totals, d, &whole);
		ret->second[d] = row->dir[d].second;
		ret->proof[d] = row->dir[d].proof;
		hg_measure_rates(&nothing, &whole, totals.age_ns, &ret->total[d]);
		ret->counts[d] = (struct hg_counts){
			.offered_bytes = whole.offered_bytes,
			.offered_pkts = whole.offered_pkts,
			.sent_bytes = whole.sent_bytes,
			.sent_pkts = whole.sent_pkts,
			.link_sent_bytes = whole.link_bytes,
		};
		memcpy(ret->drops[d], whole.drops, sizeof(ret->drops[d]));
	}
	ret->card = (struct hg_status_row_card){
		.window = row->dir[HG_OUT].last.window,
		.behaviour = row->dir[HG_OUT].last.behaviour,
		.max_in_force_bytes_per_s = row->dir[HG_OUT].last.max_in_force_bytes_per_s,
		.cut_segments = totals.cut_segments,
		.cut_pieces = totals.cut_pieces,
	};
}
