#include "dataplane/flight.h"

#include "dataplane/lifo.h"
#include "dataplane/publish.h"
#include "dataplane/run.h"

/* Between two questions to a card that has to be asked: far below what a packet of full size takes at 1 Gbit/s,
 * and the cost of a question (some 50 ns) does not show. */
#define ASK_NS (2 * HG_NS_PER_US)
/* A sleeping worker asks so often. */
#define ASK_ASLEEP_NS (100 * HG_NS_PER_US)

void hg_flight_note_held(struct hg_tree *tree)
{
	bool by_root = hg_sched_was_held_by_root(tree->sched);

	if (hg_sched_was_held_by_window(tree->sched))
		tree->held = HG_HELD_MAX;
	else if (by_root && tree->held == HG_HELD_NOT && !tree->is_paced)
		tree->held = HG_HELD_LEAD;
}

static struct hg_tree *tree_of(const struct hg_worker *w, uint8_t queue)
{
	return atomic_load_explicit(&w->lane->cards[queue - 1u], memory_order_acquire);
}

/* ---- on the way to the card --------------------------------------------------------------------- */

/* Packets of a run that have one tag together. */
struct piece {
	unsigned n;
	uint32_t bytes, parts;
};

static struct piece piece_from(const struct hg_run *run, unsigned first, uint32_t most_bytes)
{
	struct piece piece = {.n = run->n, .bytes = run->bytes, .parts = run->parts};

	if (first == 0 && piece.bytes <= most_bytes)
		return piece;
	piece = (struct piece){
		.n = 1,
		.bytes = hg_load_bytes(run->loads[first]),
		.parts = hg_load_parts(run->loads[first]),
	};
	while (first + piece.n < run->n) {
		uint32_t load = run->loads[first + piece.n];

		if (piece.bytes + hg_load_bytes(load) > most_bytes)
			break;
		piece.bytes += hg_load_bytes(load);
		piece.parts += hg_load_parts(load);
		piece.n++;
	}
	return piece;
}

static inline void make_room(struct hg_worker *w)
{
	if (HG_UNLIKELY(hg_hook_is_half_full(w->lane->hook)))
		hg_flight_settle_list(w);
}

/* A tag for each piece of a run. */
void hg_flight_tag_run(struct hg_worker *w, struct hg_tree *tree, const struct hg_run *run)
{
	const uint32_t most_bytes = hg_flight_run_bytes(tree);
	unsigned n_tags = 0;

	make_room(w);
	for (unsigned at = 0; at < run->n;) {
		const struct piece piece = piece_from(run, at, most_bytes);

		at += piece.n;
		n_tags += hg_inflight_put_tag(tree->inflight, run->from_instance,
					      hg_load(piece.bytes, piece.parts),
					      &run->pkts[at - 1u]->tag);
	}
	hg_hook_arm(w->lane->hook, n_tags);
}

static HG_NOINLINE void hand_pieces(struct hg_worker *w, struct hg_tree *tree,
				    const struct hg_run *run)
{
	struct hg_pkt *tagged[HG_BURST_PKTS];
	unsigned n_tagged = 0;

	hg_flight_tag_run(w, tree, run);
	for (unsigned i = 0; i < run->n; i++) {
		tagged[n_tagged] = run->pkts[i];
		n_tagged += run->pkts[i]->tag.queue != 0;
	}
	hg_flight_hand(w, tree, tagged, n_tagged);
}

void hg_flight_hand_run(struct hg_worker *w, struct hg_tree *tree, const struct hg_run *run)
{
	const struct hg_inflight_sum sum = {.bytes = run->bytes, .parts = run->parts};
	struct hg_pkt *last = run->pkts[run->n - 1u];

	if (HG_UNLIKELY(run->bytes > hg_flight_run_bytes(tree))) {
		hand_pieces(w, tree, run);
		return;
	}
	make_room(w);
	while (HG_UNLIKELY(last->next != NULL))
		last = last->next;
	if (!hg_inflight_send(tree->inflight, run->from_instance, sum, tree->held, w->now_ns,
			      &last->tag))
		return;
	tree->held = HG_HELD_NOT;
	hg_hook_arm(w->lane->hook, 1);
}

static void take(struct hg_worker *w, struct hg_tree *tree, struct hg_pkt *pkt)
{
	const struct hg_sched_item item = {.wire_bytes = pkt->wire_bytes & HG_WIRE_MAX_BYTES,
					   .parts = pkt->parts & 0xfffu};
	struct hg_tag tag = hg_inflight_take(tree->inflight, pkt->instance_idx, item.load);

	if (tag.queue == 0)
		return;
	hg_hook_put_on(w->lane->hook, pkt, &tag);
	hg_publish_mark(w, &w->lane->flows[pkt->instance_idx * HG_N_DIRS + HG_OUT]);
}

unsigned hg_flight_take(struct hg_worker *w, struct hg_tree *tree, struct hg_pkt *const *pkts,
			unsigned n, struct hg_pkt **ret_tagged)
{
	unsigned n_tagged = 0;

	for (unsigned i = 0; i < n; i++) {
		if (!pkts[i]->is_counted && pkts[i]->tag.queue == 0)
			take(w, tree, pkts[i]);
		if (pkts[i]->tag.queue != 0)
			ret_tagged[n_tagged++] = pkts[i];
	}
	return n_tagged;
}

void hg_flight_refused(struct hg_worker *w, struct hg_tree *tree, struct hg_pkt *const *pkts,
		       unsigned n, unsigned n_new)
{
	/* The last one first, as they were handed. */
	for (unsigned i = n; i-- > 0;) {
		struct hg_tag *tag = hg_hook_call_back(pkts[i]);

		if (tag->queue != 0)
			hg_inflight_unhand(tree->inflight, tag, w->now_ns);
	}
	if (n_new > 0)
		hg_inflight_refused(tree->inflight, n_new, w->now_ns);
}

void hg_flight_split(struct hg_worker *w, struct hg_pkt *segment, struct hg_pkt *part, bool is_last)
{
	struct hg_tag *from = &segment->tag, tag = *from; /* it has not been sent off */
	struct hg_sched_item left = {.load = from->load}, here = left;

	if (from->queue == 0)
		return;
	if (!is_last) {
		here.wire_bytes = part->wire_bytes < left.wire_bytes
					  ? part->wire_bytes & HG_WIRE_MAX_BYTES
					  : left.wire_bytes;
		here.parts = left.parts > 0;
	}
	left.wire_bytes -= here.wire_bytes;
	left.parts -= here.parts;
	tag.load = here.load;
	from->load = left.load;
	hg_hook_put_on(w->lane->hook, part, &tag);
	if (is_last)
		hg_hook_take_off(w->lane->hook, from);
}

/* ---- releases ----------------------------------------------------------------------------------- */

/* A little under the link's rate while its queue must stand here for lack of releases to believe; else at its full
 * rate, and the lead ahead of it. */
static void set_root(struct hg_worker *w, struct hg_tree *tree)
{
	uint64_t link_bytes_per_s = tree->link_bytes_per_s;

	if (tree->is_paced || link_bytes_per_s == 0)
		hg_sched_set_root(tree->sched, tree->root_bytes_per_s, tree->root_burst_bytes,
				  w->now_ns);
	else
		hg_sched_set_root(tree->sched, tree->lead_ns == HG_NEVER ? 0 : link_bytes_per_s, 0,
				  w->now_ns);
	hg_sched_set_lead(tree->sched,
			  tree->is_paced || tree->lead_ns == HG_NEVER ? 0 : tree->lead_ns);
}

static void pace(struct hg_worker *w, struct hg_tree *tree)
{
	bool is_paced = tree->inflight == NULL || hg_inflight_is_paced(tree->inflight);
	hg_ns lead_ns = is_paced ? 0 : hg_inflight_lead_ns(tree->inflight);

	if (is_paced == tree->is_paced && lead_ns == tree->lead_ns)
		return;
	__atomic_store_n(&tree->is_paced, is_paced, __ATOMIC_RELAXED); /* read by who samples */
	tree->lead_ns = lead_ns;
	w->may_settle_late = false; /* until all links are looked at */
	set_root(w, tree);
}

static void changed(struct hg_worker *w, struct hg_tree *tree, bool has_grown)
{
	if (has_grown)
		hg_sched_window_changed(tree->sched, w->now_ns);
	pace(w, tree);
}

static void advance(struct hg_worker *w, struct hg_tree *tree)
{
	changed(w, tree, hg_inflight_advance(tree->inflight, w->now_ns));
}

static void follow(struct hg_worker *w, struct hg_tree *tree)
{
	changed(w, tree, hg_inflight_follow(tree->inflight, w->now_ns));
}

/* What is settled at one instant. Whoever has something in a card is on the list of those that are published. */
static void settle(struct hg_worker *w, const struct hg_tag *tags, unsigned n, hg_ns at_ns,
		   bool is_late)
{
	while (n > 0) {
		struct hg_tree *tree = tree_of(w, tags[0].queue);
		unsigned n_run = 1;

		while (n_run < n && tags[n_run].queue == tags[0].queue)
			n_run++;
		/* NULL: of an uplink that is gone with its accounts. */
		if (tree != NULL) {
			if (is_late)
				hg_inflight_settle_together(tree->inflight, tags, n_run, at_ns);
			else
				hg_inflight_settle(tree->inflight, tags, n_run, at_ns);
			hg_sched_window_settled(tree->sched, tags, n_run, w->now_ns);
			follow(w, tree);
		}
		tags += n_run;
		n -= n_run;
	}
}

/* There is something in it. */
void hg_flight_settle_list(struct hg_worker *w)
{
	struct hg_hook *hook = w->lane->hook;
	const bool is_of_one_queue = hg_hook_is_of_one_queue(hook);
	const hg_ns marked_at_ns = hook->marked_at_ns;
	const struct hg_tag *tags;
	const uint32_t n_marked = hook->n_marked;
	const unsigned n = hg_hook_take(hook, &tags);

	/* All as if it had come with the last. */
	if (n_marked > 0 && n_marked < n && is_of_one_queue) {
		settle(w, tags, n, w->now_ns, /* is_late= */ true);
		return;
	}
	settle(w, tags, n_marked, marked_at_ns, /* is_late= */ true);
	settle(w, tags + n_marked, n - n_marked, w->now_ns, /* is_late= */ false);
}

void hg_flight_was_away(struct hg_worker *w, hg_ns from_ns)
{
	for (uint32_t i = 0; w->owns_cards && i < w->snapshot->n_uplink_trees; i++) {
		if (w->snapshot->uplink_trees[i]->inflight != NULL)
			hg_inflight_was_away(w->snapshot->uplink_trees[i]->inflight, from_ns,
					     w->now_ns);
	}
}

/* A card without a clock of its own says what it has sent when it is asked. */
static bool has_to_be_asked(const struct hg_worker *w, const struct hg_tree *tree)
{
	const struct hg_port *port = tree->port;

	/* What has come back and is not settled is not asked for. */
	return w->lane->hook->n_out > 0 && port != NULL && port->dev->driver->progress == NULL &&
	       hg_inflight_next_at(tree->inflight) != HG_NEVER;
}

static void look_at(struct hg_worker *w, struct hg_tree *tree, bool is_due)
{
	if (has_to_be_asked(w, tree) && w->now_ns >= tree->ask_at_ns) {
		tree->ask_at_ns = w->now_ns + ASK_NS;
		(void)tree->port->dev->driver->tx(tree->port->dev, 0, NULL, 0, w->now_ns);
		hg_flight_settle(w);
	}
	/* While each link is paced, what is due may wait until housekeeping: it judges releases, and holds nobody. */
	if (is_due || (!w->may_settle_late && hg_inflight_next_at(tree->inflight) <= w->now_ns))
		advance(w, tree);
}

/* Nobody waits for a release while each link is paced: MAX is not in force. */
static bool does_nobody_wait(const struct hg_worker *w)
{
	for (uint32_t i = 0; i < w->snapshot->n_uplink_trees; i++) {
		if (!w->snapshot->uplink_trees[i]->is_paced)
			return false;
	}
	return true;
}

/* Behind what devices and releases had to say in this turn: after a pause of the worker itself no card looks
 * silent. */
void hg_flight_look(struct hg_worker *w)
{
	bool is_due = w->now_ns >= w->flight_at_ns;

	if (!w->owns_cards)
		return;
	if (is_due)
		w->flight_at_ns = w->now_ns + HG_HOUSEKEEPING_NS;
	hg_lifo_hear(w->lane->hook);
	if (is_due)
		hg_flight_settle_now(w);
	else
		hg_flight_settle(w);
	for (uint32_t i = 0; i < w->snapshot->n_uplink_trees; i++) {
		if (w->snapshot->uplink_trees[i]->inflight != NULL)
			look_at(w, w->snapshot->uplink_trees[i], is_due);
	}
	if (is_due) {
		hg_hook_rest(w->lane->hook);
		w->may_settle_late = does_nobody_wait(w);
	}
}

void hg_flight_publish(struct hg_worker *w)
{
	for (uint32_t i = 0; w->owns_cards && i < w->snapshot->n_uplink_trees; i++) {
		if (w->snapshot->uplink_trees[i]->inflight != NULL)
			hg_inflight_publish(w->snapshot->uplink_trees[i]->inflight);
	}
}

hg_ns hg_flight_next_at(const struct hg_worker *w, const struct hg_tree *tree)
{
	hg_ns at_ns, card_at_ns;

	if (tree->inflight == NULL)
		return HG_NEVER;
	at_ns = hg_inflight_next_at(tree->inflight);
	if (at_ns == HG_NEVER || tree->port == NULL)
		return at_ns;
	card_at_ns =
		tree->port->is_ticking ? tree->port->progress_at_ns : w->now_ns + ASK_ASLEEP_NS;
	return card_at_ns < at_ns ? card_at_ns : at_ns;
}

/* ---- changes ------------------------------------------------------------------------------------ */

void hg_flight_follow(struct hg_worker *w, const struct hg_snapshot *s)
{
	if (!w->owns_cards)
		return;
	hg_flight_settle_now(w);
	for (uint32_t i = 0; i < s->n_uplink_trees; i++) {
		struct hg_tree *tree = s->uplink_trees[i];
		struct hg_port *port = s->ports[tree->uplink_slot];

		if (tree->port == port)
			continue;
		if (tree->port != NULL && tree->inflight != NULL) {
			hg_inflight_reset(tree->inflight, w->now_ns);
			hg_sched_window_changed(tree->sched, w->now_ns);
		}
		tree->port = port;
	}
}

void hg_flight_configure(struct hg_worker *w, const struct hg_op *op)
{
	struct hg_tree *tree = op->tree;

	if (tree->inflight != NULL)
		hg_inflight_configure(tree->inflight, &op->inflight, w->now_ns);
	tree->is_on = tree->inflight != NULL && op->inflight.is_on;
	tree->root_bytes_per_s = op->root_bytes_per_s;
	tree->root_burst_bytes = op->root_burst_bytes;
	tree->link_bytes_per_s = op->inflight.depth.bytes_per_s;
	w->may_settle_late = false; /* until all links are looked at */
	__atomic_store_n(&tree->is_paced,
			 tree->inflight == NULL || hg_inflight_is_paced(tree->inflight),
			 __ATOMIC_RELAXED);
	tree->lead_ns = tree->is_paced ? 0 : hg_inflight_lead_ns(tree->inflight);
	set_root(w, tree);
	hg_sched_window_changed(tree->sched, w->now_ns);
}
