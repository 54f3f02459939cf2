#include "core/window_impl.h"

/* Weights are kept times 8, so that a behaviour of -3 still leaves a weight of 1 one eighth. */
#define DEPTH_SHIFT_MIN (-3)
#define DEPTH_SHIFT_MAX 1
/* (2^30 << HG_WINDOW_UNIT_SHIFT) * HG_WEIGHT_MAX still fits in 64 bits. */
#define MAX_LIMIT_BYTES (UINT64_C(1) << 30)
/* Rows that one call of sweep brings forward, and words of the map that it reads: a few microseconds. */
#define SWEEP_ROWS 64u
#define SWEEP_WORDS 256u

_Static_assert(sizeof(struct hg_window_account) == HG_CACHE_LINE_BYTES,
	       "a decision touches one line of a row");

/* ---- memory ------------------------------------------------------------------------------------- */

static size_t lines(size_t n, size_t size)
{
	return (n * size + HG_CACHE_LINE_BYTES - 1u) & ~(size_t)(HG_CACHE_LINE_BYTES - 1u);
}

size_t hg_window_size(uint32_t max_tenants, uint32_t max_instances)
{
	return lines(1, sizeof(struct hg_window)) +
	       lines(max_tenants, sizeof(struct hg_window_tenant)) +
	       lines(max_instances, sizeof(struct hg_window_account)) +
	       lines((max_instances + 63u) / 64u, sizeof(uint64_t));
}

struct hg_window *hg_window_init(void *memory, uint32_t max_tenants, uint32_t max_instances)
{
	struct hg_window *w = memory;
	char *at = memory;

	at += lines(1, sizeof(*w));
	w->tenants = (struct hg_window_tenant *)(void *)at;
	at += lines(max_tenants, sizeof(struct hg_window_tenant));
	w->rows = (struct hg_window_account *)(void *)at;
	at += lines(max_instances, sizeof(struct hg_window_account));
	w->active = (uint64_t *)(void *)at;
	w->n_words = (max_instances + 63u) / 64u;
	w->sweep_word = w->n_words;
	w->largest_bytes = HG_BURST_MIN_BYTES;
	w->link_version = 1;
	w->version = 1;
	return w;
}

/* ---- who is active ------------------------------------------------------------------------------ */

/* The room may take no more than half: a depth of one packet still passes one packet after the other. */
static void divide_anew(struct hg_window *w)
{
	bool has_idle = w->n_active < w->n_set;
	uint64_t room = has_idle ? w->largest_bytes : 0;

	if (room > w->max_bytes / 2u)
		room = w->max_bytes / 2u;
	w->open_bytes = w->max_bytes - room;
	w->open_pkts = has_idle && w->max_pkts > 1u ? w->max_pkts - 1u : w->max_pkts;
	w->version++;
}

/* Somebody held by its share may find it larger now. */
static void note_growth(struct hg_window *w, uint32_t held_by)
{
	if (w->notes & held_by)
		w->notes |= HAS_GROWN;
}

/* Highest first. */
static unsigned level_of(unsigned priority)
{
	static const uint8_t levels[HG_N_PRIORITIES] = {1, 0, 2}; /* normal, high, low */

	return levels[priority];
}

/* An instance of this weight counts from now on with those of its priority and of lower ones. */
static void add_weight(struct hg_window *w, const struct hg_window_account *row)
{
	struct hg_window_tenant *t = &w->tenants[row->tenant_idx];

	for (unsigned level = row->level; level < HG_N_PRIORITIES; level++) {
		struct hg_window_part *part = &t->parts[level];

		part->sum += row->scaled_weight;
		part->version = 0;
		if (part->n_active++ == 0) {
			w->sum[level] += t->weight;
			w->version++;
		}
	}
}

static void remove_weight(struct hg_window *w, const struct hg_window_account *row)
{
	struct hg_window_tenant *t = &w->tenants[row->tenant_idx];

	for (unsigned level = row->level; level < HG_N_PRIORITIES; level++) {
		struct hg_window_part *part = &t->parts[level];

		part->sum -= row->scaled_weight;
		part->version = 0;
		if (--part->n_active == 0) {
			w->sum[level] -= t->weight;
			w->version++;
		}
	}
}

static void activate(struct hg_window *w, struct hg_window_account *row)
{
	uint32_t idx = (uint32_t)(row - w->rows);

	row->flags |= ROW_ACTIVE | ROW_FRESH;
	w->active[idx / 64u] |= UINT64_C(1) << (idx % 64u);
	add_weight(w, row);
	w->n_active++;
	if (w->n_active == w->n_set) {
		divide_anew(w); /* nobody idle is left: there is no room to be kept */
		note_growth(w, HELD_BY_SHARE);
	}
}

static void deactivate(struct hg_window *w, struct hg_window_account *row)
{
	uint32_t idx = (uint32_t)(row - w->rows);
	bool was_room = w->n_active < w->n_set;

	row->flags &= (uint8_t) ~(ROW_ACTIVE | ROW_FRESH);
	w->active[idx / 64u] &= ~(UINT64_C(1) << (idx % 64u));
	remove_weight(w, row);
	w->n_active--;
	if (!was_room)
		divide_anew(w);
	note_growth(w, HELD_BY_SHARE);
}

void hg_window_refresh(struct hg_window *w, struct hg_window_account *row)
{
	bool is_active =
		(row->flags & ROW_SET) && ((row->flags & ROW_WANTS) || window_pkts(&row->out) > 0);

	if (is_active == ((row->flags & ROW_ACTIVE) != 0))
		return;
	if (is_active)
		activate(w, row);
	else
		deactivate(w, row);
}

/* What the row still counts of epochs that were written off since it was touched. */
void hg_window_bring_forward(struct hg_window *w, struct hg_window_account *row)
{
	uint32_t n_epochs = w->epoch - row->epoch;
	unsigned slot = w->epoch & 1u;

	row->epoch = w->epoch;
	row->out.bytes[slot] = 0; /* the slot of the epoch before the last, used anew */
	row->out.pkts[slot] = 0;
	if (n_epochs > 1u) {
		row->out.bytes[slot ^ 1u] = 0;
		row->out.pkts[slot ^ 1u] = 0;
	}
	hg_window_refresh(w, row);
}

/* ---- what was asked for ------------------------------------------------------------------------- */

/* Of two bounds where 0 is none. */
static bool is_wider(uint64_t bound, uint64_t than)
{
	return than != 0 && (bound == 0 || bound > than);
}

void hg_window_set_max(struct hg_window *w, uint64_t max_bytes, uint32_t max_pkts)
{
	bool is_growth = is_wider(max_bytes, w->max_bytes) || is_wider(max_pkts, w->max_pkts);

	if (max_bytes > MAX_LIMIT_BYTES)
		max_bytes = MAX_LIMIT_BYTES;
	if (max_bytes == w->max_bytes && max_pkts == w->max_pkts)
		return;
	w->max_bytes = max_bytes;
	w->max_pkts = max_pkts;
	divide_anew(w);
	if (is_growth)
		note_growth(w, HELD_BY_SHARE | HELD_BY_MAX);
}

void hg_window_set_link(struct hg_window *w, uint64_t bytes_per_s, uint32_t largest_bytes)
{
	if (bytes_per_s == w->link_bytes_per_s && largest_bytes == w->largest_bytes)
		return;
	w->link_bytes_per_s = bytes_per_s;
	w->largest_bytes = largest_bytes;
	w->link_version++;
	divide_anew(w);
	note_growth(w, HELD_BY_SHARE | HELD_BY_MAX);
}

void hg_window_set_tenant(struct hg_window *w, uint32_t tenant_idx, uint32_t weight)
{
	struct hg_window_tenant *t = &w->tenants[tenant_idx];

	for (unsigned level = 0; level < HG_N_PRIORITIES; level++)
		if (t->parts[level].n_active > 0)
			w->sum[level] = w->sum[level] - t->weight + weight;
	t->weight = weight;
	w->version++;
	note_growth(w, HELD_BY_SHARE);
}

/* Changes what the sums count of a row that is active. */
static void set_weight(struct hg_window *w, struct hg_window_account *row, uint32_t weight,
		       int depth_shift)
{
	uint16_t scaled = (uint16_t)(weight << (unsigned)(depth_shift - DEPTH_SHIFT_MIN));

	if (row->flags & ROW_ACTIVE)
		remove_weight(w, row);
	row->weight = (uint16_t)weight;
	row->depth_shift = (int8_t)depth_shift;
	row->scaled_weight = scaled;
	if (row->flags & ROW_ACTIVE) {
		add_weight(w, row);
		note_growth(w, HELD_BY_SHARE);
	}
}

void hg_window_set_priority(struct hg_window *w, uint32_t instance_idx, unsigned priority)
{
	struct hg_window_account *row = window_touch(w, instance_idx);

	if (row->priority == priority)
		return;
	if (row->flags & ROW_ACTIVE)
		remove_weight(w, row);
	for (unsigned slot = 0; slot < 2; slot++) {
		w->priority_pkts[row->priority][slot] -= row->out.pkts[slot];
		w->priority_pkts[priority][slot] += row->out.pkts[slot];
	}
	row->priority = (uint8_t)priority;
	row->level = (uint8_t)level_of(priority);
	if (row->flags & ROW_ACTIVE) {
		add_weight(w, row);
		note_growth(w, HELD_BY_SHARE);
	}
}

uint32_t hg_window_priority_pkts(const struct hg_window *w, unsigned priority)
{
	if (w->max_bytes == 0 && w->max_pkts == 0)
		return 0;
	return w->priority_pkts[priority][0] + w->priority_pkts[priority][1];
}

void hg_window_set_instance(struct hg_window *w, uint32_t instance_idx, uint32_t tenant_idx,
			    uint32_t weight, uint64_t min_bytes_per_s)
{
	struct hg_window_account *row = window_touch(w, instance_idx);
	bool is_moved = (row->flags & ROW_ACTIVE) && row->tenant_idx != tenant_idx;
	uint8_t fresh = row->flags & ROW_FRESH;

	if (is_moved)
		deactivate(w, row);
	row->tenant_idx = tenant_idx;
	row->level = (uint8_t)level_of(row->priority);
	set_weight(w, row, weight, row->depth_shift);
	row->min_bytes_per_s = min_bytes_per_s;
	row->link_version = 0;
	if (!(row->flags & ROW_SET)) {
		row->flags |= ROW_SET;
		w->n_set++;
		divide_anew(w);
	}
	hg_window_refresh(w, row);
	if (is_moved) /* moving is not waking */
		row->flags = (uint8_t)((row->flags & ~ROW_FRESH) | fresh);
}

void hg_window_set_depth_shift(struct hg_window *w, uint32_t instance_idx, int depth_shift)
{
	struct hg_window_account *row = window_touch(w, instance_idx);

	if (depth_shift < DEPTH_SHIFT_MIN)
		depth_shift = DEPTH_SHIFT_MIN;
	if (depth_shift > DEPTH_SHIFT_MAX)
		depth_shift = DEPTH_SHIFT_MAX;
	if (depth_shift != row->depth_shift)
		set_weight(w, row, row->weight, depth_shift);
}

void hg_window_remove_instance(struct hg_window *w, uint32_t instance_idx)
{
	struct hg_window_account *row = window_touch(w, instance_idx);
	uint16_t generation = (uint16_t)(row->generation + 1u);

	if (!(row->flags & ROW_SET))
		return;
	if (row->flags & ROW_ACTIVE)
		deactivate(w, row);
	for (unsigned slot = 0; slot < 2; slot++)
		w->priority_pkts[row->priority][slot] -= row->out.pkts[slot];
	w->n_set--;
	divide_anew(w);
	*row = (struct hg_window_account){.generation = generation, .epoch = w->epoch};
	note_growth(w, HELD_BY_SHARE);
}

void hg_window_wants(struct hg_window *w, uint32_t instance_idx, bool wants)
{
	struct hg_window_account *row = window_touch(w, instance_idx);

	row->flags = (uint8_t)(wants ? row->flags | ROW_WANTS : row->flags & ~ROW_WANTS);
	hg_window_refresh(w, row);
}

/* ---- packets ------------------------------------------------------------------------------------ */

static void compute_unit(struct hg_window *w, const struct hg_window_tenant *t, unsigned level,
			 struct hg_window_part *part)
{
	uint64_t divisor = w->sum[level] * part->sum;

	/* At most 2^20 instances and so many tenants: each side stays below 2^62. */
	part->unit = divisor ? (w->open_bytes << HG_WINDOW_UNIT_SHIFT) * t->weight / divisor : 0;
	part->version = w->version;
}

static void compute_min(struct hg_window *w, struct hg_window_account *row)
{
	uint64_t min = row->min_bytes_per_s, link = w->link_bytes_per_s;

	row->link_version = w->link_version;
	if (min == 0 || link == 0)
		row->min_q32 = 0;
	else if (min >= link)
		row->min_q32 = UINT32_MAX;
	else /* rates are below 2^37 */
		row->min_q32 = (uint32_t)(((min << 26) / link) << 6);
}

void hg_window_divide(struct hg_window *w, struct hg_window_account *row)
{
	struct hg_window_tenant *t = &w->tenants[row->tenant_idx];

	if (t->parts[row->level].version != w->version)
		compute_unit(w, t, row->level, &t->parts[row->level]);
	if (row->link_version != w->link_version)
		compute_min(w, row);
}

enum hg_window_answer hg_window_may(struct hg_window *w, uint32_t instance_idx)
{
	struct window_run run;

	return window_ask(w, instance_idx, &run);
}

void hg_window_take(struct hg_window *w, uint32_t instance_idx, uint32_t wire_bytes, uint32_t parts)
{
	window_take(w, instance_idx, wire_bytes, parts);
}

bool hg_window_give(struct hg_window *w, uint32_t instance_idx, uint16_t generation, uint8_t epoch,
		    uint32_t wire_bytes, uint32_t parts)
{
	return window_give(w, instance_idx, generation, epoch, wire_bytes, parts);
}

void hg_window_set_counting(struct hg_window *w, bool is_on)
{
	w->is_off = !is_on;
}

uint64_t hg_window_outstanding_bytes(const struct hg_window *w)
{
	return window_bytes(&w->out);
}

uint32_t hg_window_outstanding_pkts(const struct hg_window *w)
{
	return window_pkts(&w->out);
}

uint16_t hg_window_generation(const struct hg_window *w, uint32_t instance_idx)
{
	return w->rows[instance_idx].generation;
}

uint8_t hg_window_epoch(const struct hg_window *w)
{
	return (uint8_t)w->epoch;
}

/* ---- what does not come back -------------------------------------------------------------------- */

static uint64_t write_off_slot(struct hg_window *w, unsigned slot, uint32_t *ret_lost_pkts)
{
	uint64_t bytes = w->out.bytes[slot];
	uint32_t pkts = w->out.pkts[slot];

	window_note_peak(w);
	w->out.bytes[slot] = 0;
	w->out.pkts[slot] = 0;
	for (unsigned priority = 0; priority < HG_N_PRIORITIES; priority++)
		w->priority_pkts[priority][slot] = 0;
	w->lost_bytes += bytes;
	w->lost_pkts += pkts;
	if (pkts > 0) {
		w->sweep_word = 0;
		note_growth(w, HELD_BY_SHARE | HELD_BY_MAX);
	}
	*ret_lost_pkts += pkts;
	return bytes;
}

uint64_t hg_window_next_epoch(struct hg_window *w, uint32_t *ret_lost_pkts)
{
	w->epoch++;
	*ret_lost_pkts = 0;
	return write_off_slot(w, w->epoch & 1u, ret_lost_pkts);
}

uint64_t hg_window_write_off(struct hg_window *w, uint32_t *ret_lost_pkts)
{
	uint64_t bytes;

	*ret_lost_pkts = 0;
	bytes = write_off_slot(w, 0, ret_lost_pkts);
	bytes += write_off_slot(w, 1, ret_lost_pkts);
	w->epoch += 2u;
	return bytes;
}

bool hg_window_sweep(struct hg_window *w)
{
	unsigned n_rows = 0, n_words = 0;

	while (w->sweep_word < w->n_words && n_rows < SWEEP_ROWS && n_words++ < SWEEP_WORDS) {
		uint64_t bits = w->active[w->sweep_word];
		uint32_t first = w->sweep_word++ * 64u;

		for (; bits != 0; bits &= bits - 1u, n_rows++)
			window_touch(w, first + hg_log2_u64(bits & (~bits + 1u)));
	}
	return w->sweep_word < w->n_words;
}

bool hg_window_has_grown(struct hg_window *w)
{
	if (!(w->notes & HAS_GROWN))
		return false;
	w->notes = 0;
	return true;
}

/* ---- samples ------------------------------------------------------------------------------------ */

void hg_window_sample(struct hg_window *w, struct hg_window_stats *ret_stats)
{
	window_note_peak(w);
	*ret_stats = (struct hg_window_stats){
		.taken_bytes = w->taken_bytes,
		.given_bytes = w->given_bytes,
		.lost_bytes = w->lost_bytes,
		.taken_pkts = w->taken_pkts,
		.given_pkts = w->given_pkts,
		.lost_pkts = w->lost_pkts,
		.max_bytes = w->max_bytes,
		.outstanding_bytes = window_bytes(&w->out),
		.peak_bytes = w->peak_bytes,
		.max_pkts = w->max_pkts,
		.outstanding_pkts = window_pkts(&w->out),
		.n_active = w->n_active,
	};
	w->peak_bytes = window_bytes(&w->out);
}

void hg_window_sample_instance(struct hg_window *w, uint32_t instance_idx,
			       struct hg_window_row *ret_row)
{
	struct hg_window_account *row = window_touch(w, instance_idx);
	bool is_active = (row->flags & ROW_ACTIVE) != 0;

	*ret_row = (struct hg_window_row){
		.outstanding_bytes = window_bytes(&row->out),
		.outstanding_pkts = window_pkts(&row->out),
		.share_bytes = is_active && w->max_bytes > 0 ? window_share_bytes(w, row) : 0,
		.depth_shift = row->depth_shift,
		.is_active = is_active,
	};
}
