/* Packets that wait, and learned addresses, out of one packet lane and into another.
 *
 * The text: a head, names, learned addresses, packets. Numbers are the machine's own: both sides run on one host. A packet names its
 * instance and its ports by their place among the names; each name says under whom it stands, so that a frame
 * never reaches another tenant because a name was given away in between. */
#include "dataplane/buffers.h"
#include "dataplane/dp.h"
#include "dataplane/path_impl.h"
#include "dataplane/publish.h"
#include "vswitch/parse.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC 0x68676361u /* "hgca" */
#define FORMAT 1u
/* Rounds of all workers: what crosses from one to the next arrives. */
#define CROSSINGS_MAX 4u
#define NAME_NONE UINT32_MAX

struct head {
	uint32_t magic, format;
	uint32_t n_uplinks, n_ports, n_instances; /* names, in this order */
	uint32_t n_learned;
	uint64_t n_pkts;
	uint64_t n_bytes; /* of all, this head included */
};

struct name {
	char name[HG_NAME_BYTES];
	char instance[HG_NAME_BYTES]; /* of a port; else empty */
	char tenant[HG_NAME_BYTES]; /* of a port or an instance; else empty */
};

/* Without it what only listens would be unknown to the switch until it speaks. */
struct learned {
	uint8_t mac[HG_MAC_BYTES];
	uint16_t vlan;
	uint32_t port; /* name */
	uint32_t reserved;
};

/* Followed by the frame, and filled up to a multiple of ALIGNMENT. */
struct record {
	hg_ns at_ns, queued_at_ns;
	uint32_t n_bytes, wire_bytes;
	uint32_t instance, in_port, out_port; /* names; ports: uplinks first */
	uint16_t csum_start, csum_offset, gso_bytes, parts;
	uint8_t flags, gso, gso_ecn, stage, is_link, is_counted;
	uint8_t reserved[6];
};

#define ALIGNMENT 8u
static_assert(sizeof(struct head) % ALIGNMENT == 0 && sizeof(struct name) % ALIGNMENT == 0 &&
		      sizeof(struct learned) % ALIGNMENT == 0 &&
		      sizeof(struct record) % ALIGNMENT == 0,
	      "what follows is aligned, too");

static uint32_t n_names(const struct hg_desired *d)
{
	return d->n_uplinks + d->n_ports + d->n_instances;
}

static size_t filled_up(size_t n_bytes)
{
	return (n_bytes + ALIGNMENT - 1u) & ~(size_t)(ALIGNMENT - 1u);
}

/* In the place of a worker that stands still. */
static void sit(struct hg_dp *dp, struct hg_worker *w)
{
	hg_buffers_sit(dp->lane.pool, w->idx, w->owns_cards);
	w->now_ns = hg_dp_clock_ns();
}

/* ---- names -------------------------------------------------------------------------------------- */

static void copy_name(char *to, const char *from)
{
	memcpy(to, from, strnlen(from, HG_NAME_BYTES - 1u));
}

static void name_of(const struct hg_desired *d, uint32_t idx, struct name *ret)
{
	const struct hg_desired_instance *instance;

	memset(ret, 0, sizeof(*ret));
	if (idx < d->n_uplinks) {
		copy_name(ret->name, d->uplinks[idx].name);
		return;
	}
	idx -= d->n_uplinks;
	if (idx < d->n_ports) {
		instance = &d->instances[d->ports[idx].instance_idx];
		copy_name(ret->name, d->ports[idx].name);
		copy_name(ret->instance, instance->name);
	} else {
		instance = &d->instances[idx - d->n_ports];
		copy_name(ret->name, instance->name);
	}
	copy_name(ret->tenant, d->tenants[instance->tenant_idx].name);
}

static uint32_t slot_of(const struct hg_dp *dp, uint32_t idx)
{
	const struct hg_desired *d = &dp->desired;

	if (idx < d->n_uplinks)
		return dp->uplinks.slots[idx];
	idx -= d->n_uplinks;
	return idx < d->n_ports ? dp->ports.slots[idx] : dp->instances.slots[idx - d->n_ports];
}

/* What names [first, first + n) of the lane are called in `from`, by slot; the caller frees it. */
static uint32_t *names_by_slot(const struct hg_dp *dp, uint32_t n_slots, uint32_t first, uint32_t n)
{
	uint32_t *names = malloc((n_slots + 1u) * sizeof(*names));

	if (names == NULL)
		return NULL;
	memset(names, 0xff, (n_slots + 1u) * sizeof(*names));
	for (uint32_t i = first; i < first + n; i++)
		names[slot_of(dp, i)] = i;
	return names;
}

/* The slot of a name among [first, first + n) of the lane's own. `near`: where it is if nothing changed. */
static uint32_t find_slot(const struct hg_dp *dp, const struct name *wanted, uint32_t first,
			  uint32_t n, uint32_t near)
{
	struct name own;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t idx = first + (near + i) % n;

		name_of(&dp->desired, idx, &own);
		if (memcmp(&own, wanted, sizeof(own)) == 0)
			return slot_of(dp, idx);
	}
	return HG_SLOT_NONE;
}

/* ---- out ---------------------------------------------------------------------------------------- */

struct writer {
	struct hg_dp *dp;
	uint8_t *at;
	const uint32_t *port_names, *instance_names; /* by slot */
	struct hg_dp_carried *carried;
	uint32_t n_learned;
};

size_t hg_dp_carry_size(const struct hg_dp *dp)
{
	size_t n_buffers = hg_buffers_size(dp->lane.pool) - hg_buffers_free(dp->lane.pool);
	size_t n_longs = hg_buffers_longs_in_use(dp->lane.pool);

	return sizeof(struct head) + n_names(&dp->desired) * sizeof(struct name) +
	       dp->lane.workers[dp->lane.out_owner]->fdb.n_learned * sizeof(struct learned) +
	       n_buffers * (sizeof(struct record) + HG_PKT_HEADROOM_BYTES + HG_PKT_ROOM_BYTES +
			    ALIGNMENT) +
	       n_longs * HG_PKT_LONG_ROOM_BYTES;
}

static void write_packet(struct writer *writer, struct hg_pkt *pkt, enum hg_stage stage)
{
	const struct record record = {
		.at_ns = pkt->at_ns,
		.queued_at_ns = pkt->queued_at_ns,
		.n_bytes = pkt->total_bytes,
		.wire_bytes = pkt->wire_bytes,
		.instance = writer->instance_names[pkt->instance_idx],
		.in_port = writer->port_names[pkt->in_port_idx],
		.out_port = writer->port_names[pkt->out_port_idx],
		.csum_start = pkt->csum_start,
		.csum_offset = pkt->csum_offset,
		.gso_bytes = pkt->gso_bytes,
		.parts = pkt->parts,
		.flags = pkt->flags,
		.gso = pkt->gso,
		.gso_ecn = pkt->gso_ecn,
		.stage = (uint8_t)stage,
		.is_link = pkt->is_link,
		.is_counted = pkt->is_counted,
	};
	size_t n_bytes = filled_up(pkt->total_bytes);

	memcpy(writer->at, &record, sizeof(record));
	writer->at += sizeof(record);
	hg_pkt_read(pkt, 0, writer->at, pkt->total_bytes);
	memset(writer->at + pkt->total_bytes, 0, n_bytes - pkt->total_bytes);
	writer->at += n_bytes;
	writer->carried->n_pkts++;
	writer->carried->n_bytes += pkt->total_bytes;
	hg_pool_put(writer->dp->lane.pool, &pkt, 1);
}

static void write_tree(struct writer *writer, struct hg_worker *w, struct hg_tree *tree)
{
	struct hg_sched_item items[HG_BURST_PKTS];
	unsigned n;

	hg_path_push_batch(w, tree);
	for (uint32_t slot = 0; slot < writer->dp->instance_slots.n_high; slot++) {
		struct hg_flow *flow = hg_path_flow(w, slot, tree->dir);

		if (hg_sched_instance_queued_bytes(tree->sched, slot) == 0)
			continue;
		while ((n = hg_sched_drain(tree->sched, slot, items, HG_BURST_PKTS, w->now_ns)) >
		       0) {
			for (unsigned i = 0; i < n; i++) {
				flow->held_buffers -= hg_path_n_buffers(items[i].pkt);
				write_packet(writer, items[i].pkt,
					     tree->dir == HG_IN ? HG_STAGE_IN : HG_STAGE_OUT);
			}
		}
		hg_publish_mark(w, flow);
	}
}

static void write_learned(void *user, const struct hg_fdb_learned *one)
{
	struct writer *writer = user;
	struct learned learned = {.vlan = one->vlan};

	/* In the scopes of uplinks each of them is a second time. */
	if ((one->scope & hg_forward_uplink_scope(0)) != 0)
		return;
	learned.port = writer->port_names[one->port_idx];
	if (learned.port == NAME_NONE)
		return;
	memcpy(learned.mac, one->mac, HG_MAC_BYTES);
	memcpy(writer->at, &learned, sizeof(learned));
	writer->at += sizeof(learned);
	writer->n_learned++;
}

/* First what its schedulers have let through already. */
static void write_worker(struct writer *writer, struct hg_worker *w)
{
	struct hg_pkt *pkt;

	sit(writer->dp, w);
	while ((pkt = hg_path_unstage(w)) != NULL)
		write_packet(writer, pkt, HG_STAGE_TX);
	if (w->idx == w->lane->out_owner) {
		for (uint32_t i = 0; i < w->snapshot->n_uplink_trees; i++)
			write_tree(writer, w, w->snapshot->uplink_trees[i]);
		write_tree(writer, w, w->lane->local_tree);
	}
	if (w->idx == w->lane->in_owner)
		write_tree(writer, w, w->lane->in_tree);
}

/* What workers have for one another goes to where it waits next. */
static void settle_crossings(struct hg_dp *dp)
{
	for (unsigned round = 0; round < CROSSINGS_MAX; round++) {
		for (uint32_t i = 0; i < dp->lane.n_workers; i++) {
			struct hg_worker *w = dp->lane.workers[i];

			sit(dp, w);
			(void)hg_path_take_over(w);
			for (uint32_t to = 0; to < dp->lane.n_workers; to++) {
				if (w->n_outbox[to] > 0)
					hg_path_flush_outbox(w, to);
			}
		}
	}
}

size_t hg_dp_carry_out(struct hg_dp *dp, void *memory, struct hg_dp_carried *ret)
{
	const struct hg_desired *d = &dp->desired;
	struct head head = {
		.magic = MAGIC,
		.format = FORMAT,
		.n_uplinks = d->n_uplinks,
		.n_ports = d->n_ports,
		.n_instances = d->n_instances,
	};
	uint32_t *port_names =
		names_by_slot(dp, dp->port_slots.n_high, 0, d->n_uplinks + d->n_ports);
	uint32_t *instance_names = names_by_slot(dp, dp->instance_slots.n_high,
						 d->n_uplinks + d->n_ports, d->n_instances);
	struct writer writer = {
		dp, (uint8_t *)memory + sizeof(head), port_names, instance_names, ret, 0};
	struct hg_worker *w = dp->lane.workers[dp->lane.out_owner];

	*ret = (struct hg_dp_carried){0};
	for (uint32_t i = 0; i < n_names(d); i++) {
		struct name name;

		name_of(d, i, &name);
		memcpy(writer.at, &name, sizeof(name));
		writer.at += sizeof(name);
	}
	settle_crossings(dp);
	/* Every worker is told of what another learns. */
	if (port_names != NULL)
		(void)hg_fdb_walk(&w->fdb, 0, w->fdb.n_buckets, hg_dp_clock_ns(), write_learned,
				  &writer);
	for (uint32_t i = 0; port_names != NULL && instance_names != NULL && i < dp->lane.n_workers;
	     i++)
		write_worker(&writer, dp->lane.workers[i]);
	hg_buffers_stand_up();
	free(port_names);
	free(instance_names);
	head.n_learned = writer.n_learned;
	head.n_pkts = ret->n_pkts;
	head.n_bytes = (uint64_t)(writer.at - (uint8_t *)memory);
	memcpy(memory, &head, sizeof(head));
	return head.n_bytes;
}

/* ---- in ----------------------------------------------------------------------------------------- */

static int refuse(struct hg_error *reterr, const char *why)
{
	return hg_error_set(reterr, -HG_EINVAL, "the packets that were handed over ", why, NULL);
}

static bool is_sound(const struct record *record, const struct head *head)
{
	uint32_t n_ports = head->n_uplinks + head->n_ports;

	return record->n_bytes > 0 && record->n_bytes <= HG_FRAME_MAX_BYTES &&
	       record->wire_bytes > 0 && record->wire_bytes <= HG_WIRE_MAX_BYTES &&
	       record->parts > 0 && record->parts <= HG_PARTS_MAX && record->gso <= HG_GSO_UDP &&
	       record->stage <= HG_STAGE_TX &&
	       (record->instance == NAME_NONE ||
		(record->instance >= n_ports && record->instance < n_ports + head->n_instances)) &&
	       (record->in_port == NAME_NONE || record->in_port < n_ports) &&
	       (record->out_port == NAME_NONE || record->out_port < n_ports);
}

/* The whole of it, before any of it is believed. */
static int check(const uint8_t *bytes, size_t n_bytes, struct head *ret_head,
		 struct hg_error *reterr)
{
	struct head head;
	struct record record;
	size_t at = sizeof(head);

	if (n_bytes < sizeof(head))
		return refuse(reterr, "end too early");
	memcpy(&head, bytes, sizeof(head));
	if (head.magic != MAGIC)
		return refuse(reterr, "are something else");
	if (head.format != FORMAT)
		return refuse(reterr, "are written in another way than this version reads");
	if (head.n_bytes > n_bytes)
		return refuse(reterr, "end too early");
	n_bytes = head.n_bytes;
	at += ((uint64_t)head.n_uplinks + head.n_ports + head.n_instances) * sizeof(struct name) +
	      (uint64_t)head.n_learned * sizeof(struct learned);
	for (uint64_t i = 0; i < head.n_pkts; i++) {
		if (at > n_bytes || n_bytes - at < sizeof(record))
			return refuse(reterr, "end too early");
		memcpy(&record, bytes + at, sizeof(record));
		at += sizeof(record);
		if (!is_sound(&record, &head))
			return refuse(reterr, "have one that cannot be");
		if (filled_up(record.n_bytes) > n_bytes - at)
			return refuse(reterr, "end too early");
		at += filled_up(record.n_bytes);
	}
	if (at != n_bytes)
		return refuse(reterr, "do not end where they should");
	*ret_head = head;
	return 0;
}

struct reader {
	struct hg_dp *dp;
	const uint8_t *at;
	uint32_t *slots; /* by name */
	struct hg_dp_carried *carried;
};

static uint32_t *find_slots(const struct hg_dp *dp, const struct head *head, const uint8_t *names)
{
	const struct hg_desired *d = &dp->desired;
	uint32_t n_ports = head->n_uplinks + head->n_ports, n = n_ports + head->n_instances;
	uint32_t *slots = malloc((n + 1u) * sizeof(*slots));

	for (uint32_t i = 0; slots != NULL && i < n; i++) {
		struct name name;

		memcpy(&name, names + (size_t)i * sizeof(name), sizeof(name));
		if (i < head->n_uplinks)
			slots[i] = find_slot(dp, &name, 0, d->n_uplinks, i);
		else if (i < n_ports)
			slots[i] =
				find_slot(dp, &name, d->n_uplinks, d->n_ports, i - head->n_uplinks);
		else
			slots[i] = find_slot(dp, &name, d->n_uplinks + d->n_ports, d->n_instances,
					     i - n_ports);
	}
	return slots;
}

/* As if the port had just been heard with it, by every worker. */
static void learn(struct hg_dp *dp, uint32_t slot, const struct learned *learned)
{
	uint8_t addresses[2 * HG_MAC_BYTES] = {0};
	const struct hg_pkt heard = {.data = addresses, .vlan = learned->vlan};

	memcpy(addresses + HG_MAC_BYTES, learned->mac, HG_MAC_BYTES);
	for (uint32_t i = 0; i < dp->lane.n_workers; i++)
		hg_forward_learn(&dp->snapshot->view, &dp->lane.workers[i]->fdb, &heard, slot,
				 hg_dp_clock_ns());
}

static void read_learned(struct reader *reader, const struct head *head)
{
	for (uint32_t i = 0; i < head->n_learned; i++) {
		struct learned learned;
		uint32_t slot = HG_SLOT_NONE;

		memcpy(&learned, reader->at, sizeof(learned));
		reader->at += sizeof(learned);
		if (learned.port >= head->n_uplinks &&
		    learned.port < head->n_uplinks + head->n_ports)
			slot = reader->slots[learned.port];
		if (slot != HG_SLOT_NONE)
			learn(reader->dp, slot, &learned);
	}
}

static struct hg_pkt *make_packet(struct hg_pool *pool, const struct record *record,
				  const uint8_t *frame)
{
	struct hg_pkt *pkt = hg_pkt_create_chain(pool, record->n_bytes);

	if (pkt == NULL)
		return NULL;
	for (struct hg_pkt *buf = pkt; buf != NULL; buf = buf->next) {
		memcpy(buf->data, frame, buf->n_bytes);
		frame += buf->n_bytes;
	}
	pkt->at_ns = record->at_ns;
	pkt->queued_at_ns = record->queued_at_ns;
	pkt->csum_start = record->csum_start;
	pkt->csum_offset = record->csum_offset;
	pkt->gso_bytes = record->gso_bytes;
	pkt->flags = record->flags;
	pkt->gso = record->gso;
	pkt->gso_ecn = record->gso_ecn != 0;
	return pkt;
}

/* Without a device to stage it for, it waits for one in front of its scheduler, and is charged twice. */
static enum hg_stage stage_of(const struct hg_dp *dp, const struct record *record,
			      uint32_t out_port)
{
	if (record->stage != HG_STAGE_TX || dp->snapshot->ports[out_port] != NULL)
		return (enum hg_stage)record->stage;
	return dp->snapshot->port_instance[out_port] == HG_SLOT_NONE ? HG_STAGE_OUT : HG_STAGE_IN;
}

static struct hg_worker *worker_of(struct hg_dp *dp, enum hg_stage stage, uint32_t out_port)
{
	if (stage == HG_STAGE_TX)
		return dp->lane.workers[dp->snapshot->ports[out_port]->worker];
	return dp->lane.workers[stage == HG_STAGE_OUT ? dp->lane.out_owner : dp->lane.in_owner];
}

static uint32_t slot_at(const struct reader *reader, uint32_t name)
{
	return name == NAME_NONE ? HG_SLOT_NONE : reader->slots[name];
}

/* In place of a port that is gone; not the one it leaves by, or it would be a mirror's copy. */
static uint32_t another_port(const struct hg_dp *dp, uint32_t out_port)
{
	uint32_t uplink = dp->uplinks.slots[0];

	return uplink != out_port || dp->desired.n_ports == 0 ? uplink : dp->ports.slots[0];
}

/* Returns whether the packet is in its place; else *ret_reason says why not. */
static bool read_packet(struct reader *reader, const struct record *record,
			enum hg_drop *ret_reason)
{
	struct hg_dp *dp = reader->dp;
	uint32_t instance = slot_at(reader, record->instance);
	uint32_t in_port = slot_at(reader, record->in_port);
	uint32_t out_port = slot_at(reader, record->out_port);
	enum hg_stage stage;
	struct hg_worker *w;
	struct hg_pkt *pkt;

	*ret_reason = HG_DROP_REMOVED;
	if (instance == HG_SLOT_NONE || out_port == HG_SLOT_NONE)
		return false;
	stage = stage_of(dp, record, out_port);
	w = worker_of(dp, stage, out_port);
	sit(dp, w);
	*ret_reason = HG_DROP_NO_BUFFER;
	pkt = make_packet(dp->lane.pool, record, reader->at);
	if (pkt == NULL)
		return false;
	if (!hg_parse(pkt, ret_reason)) {
		hg_pool_put(dp->lane.pool, &pkt, 1);
		return false;
	}
	pkt->instance_idx = instance;
	pkt->in_port_idx = in_port == HG_SLOT_NONE ? another_port(dp, out_port) : in_port;
	pkt->out_port_idx = out_port;
	pkt->generation = (uint32_t)dp->snapshot->generation;
	pkt->parts = record->parts;
	pkt->wire_bytes = record->wire_bytes;
	pkt->is_link = record->is_link != 0;
	pkt->is_counted = record->is_counted != 0;
	hg_path_put_back(w, pkt, stage);
	return true;
}

static void push_batches(struct hg_dp *dp)
{
	struct hg_lane *lane = &dp->lane;

	sit(dp, lane->workers[lane->out_owner]);
	for (uint32_t i = 0; i < dp->snapshot->n_uplink_trees; i++)
		hg_path_push_batch(lane->workers[lane->out_owner], dp->snapshot->uplink_trees[i]);
	hg_path_push_batch(lane->workers[lane->out_owner], lane->local_tree);
	sit(dp, lane->workers[lane->in_owner]);
	hg_path_push_batch(lane->workers[lane->in_owner], lane->in_tree);
}

static void read_all(struct reader *reader, uint64_t n_pkts)
{
	for (uint64_t i = 0; i < n_pkts; i++) {
		enum hg_drop reason;
		struct record record;

		memcpy(&record, reader->at, sizeof(record));
		reader->at += sizeof(record);
		if (read_packet(reader, &record, &reason)) {
			reader->carried->n_pkts++;
			reader->carried->n_bytes += record.n_bytes;
		} else {
			reader->carried->n_lost++;
			reader->carried->drops[reason]++;
			HG_COUNT(reader->dp->lane.workers[0]->drops[reason], 1u);
		}
		reader->at += filled_up(record.n_bytes);
	}
	push_batches(reader->dp);
	hg_buffers_stand_up();
}

int hg_dp_carry_in(struct hg_dp *dp, const void *memory, size_t n_bytes, struct hg_dp_carried *ret,
		   struct hg_error *reterr)
{
	const uint8_t *bytes = memory;
	struct reader reader = {.dp = dp, .carried = ret};
	struct head head = {0};
	int r = check(bytes, n_bytes, &head, reterr);

	if (r != 0)
		return r;
	reader.slots = find_slots(dp, &head, bytes + sizeof(head));
	if (reader.slots == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "out of memory for what was handed over",
				    NULL);
	reader.at =
		bytes + sizeof(head) +
		((size_t)head.n_uplinks + head.n_ports + head.n_instances) * sizeof(struct name);
	*ret = (struct hg_dp_carried){0};
	read_learned(&reader, &head);
	read_all(&reader, head.n_pkts);
	free(reader.slots);
	return 0;
}
