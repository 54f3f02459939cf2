/* path_impl: what the parts of the way of a packet share: path.c (up to the schedulers), serve.c (out of them),
 * transmit.c (into devices), carry.c (out of it all, and back). Internal to these.
 */
#ifndef HG_DATAPLANE_PATH_IMPL_H
#define HG_DATAPLANE_PATH_IMPL_H

#include "dataplane/path.h"
#include "vswitch/classify.h"

struct hg_run;

/* Wire bytes that are collected before they are queued: the bound of a hold queue does not see them, so
 * that it may be passed by so much, and one packet. */
#define HG_PATH_BATCH_BYTES (64u * 1024u)

/* What happens to a packet next. */
enum hg_stage { HG_STAGE_OUT, HG_STAGE_IN, HG_STAGE_TX };

/* Counts and releases a packet that no flow is charged with. port: NULL if it is not this worker's. */
void hg_path_drop_port(struct hg_worker *w, struct hg_port *port, struct hg_pkt *pkt,
		       enum hg_drop reason);
/* Goes on with a packet at a stage, here or at the worker whose stage it is. */
void hg_path_stage(struct hg_worker *w, struct hg_pkt *pkt, enum hg_stage stage);
/* Who carries out a stage of a packet. */
uint32_t hg_path_owner(const struct hg_worker *w, const struct hg_pkt *pkt, enum hg_stage stage);
/* Stages n packets, from 1, for a port of this worker. */
void hg_path_stage_all(struct hg_worker *w, struct hg_port *port, struct hg_pkt *const *pkts,
		       unsigned n);
/* Queues what was collected for the tree. */
void hg_path_push_batch(struct hg_worker *w, struct hg_tree *tree);
/* Goes on with a packet behind its scheduler. */
void hg_path_go_on(struct hg_worker *w, struct hg_pkt *pkt, enum hg_dir dir);
/* Passes over what was collected for another worker. */
void hg_path_flush_outbox(struct hg_worker *w, uint32_t to);

/* Gives a packet of headgate's own, which no instance is charged with, to the port or uplink that it is for. */
void hg_path_send_own(struct hg_worker *w, struct hg_pkt *pkt);

/* Goes on with a copy that a mirror made, as what the destination's instance receives. */
void hg_path_send_copy(struct hg_worker *w, struct hg_pkt *copy);

/* Gives what is staged for a port to its device, as far as it takes it. */
void hg_path_transmit_port(struct hg_worker *w, struct hg_port *port);
/* Gives a whole burst that went by its scheduler to the uplink's device without staging it; what the device does not take
 * is staged. Nothing is refused. Returns false if it has to be staged, with nothing changed. */
bool hg_path_transmit_run(struct hg_worker *w, struct hg_port *uplink, struct hg_run *run);
/* Devices whose own time goes on (a modelled wire, a completion ring) are looked at when they say so. */
void hg_path_note_progress(struct hg_worker *w, struct hg_port *port);

/* A packet that was taken out waits again where it did, in front of the stage, and its time goes on. The stage is
 * this worker's; the packet's instance and its way out exist. */
void hg_path_put_back(struct hg_worker *w, struct hg_pkt *pkt, enum hg_stage stage);
/* Takes the next packet out that is staged for any port; NULL: none is left. */
struct hg_pkt *hg_path_unstage(struct hg_worker *w);

static inline struct hg_port *hg_path_port(const struct hg_worker *w, uint32_t slot)
{
	return slot < w->snapshot->n_port_slots ? w->snapshot->ports[slot] : NULL;
}

/* The port that the packet goes to; NULL: its device is missing, or its slot is someone else's by now. */
static inline struct hg_port *hg_path_out_port(const struct hg_worker *w, const struct hg_pkt *pkt)
{
	uint32_t since = w->snapshot->port_since[pkt->out_port_idx];

	/* Generations are compared modulo 2^32. */
	if (HG_UNLIKELY((int32_t)(pkt->generation - since) < 0))
		return NULL;
	return w->snapshot->ports[pkt->out_port_idx];
}

/* A copy for a mirror: no other packet leaves by the port that it came from. */
static inline bool hg_path_is_copy(const struct hg_pkt *pkt)
{
	return pkt->in_port_idx == pkt->out_port_idx;
}

/* Why a packet is dropped that found no room. */
static inline enum hg_drop hg_path_full(const struct hg_pkt *pkt, enum hg_drop reason)
{
	return hg_path_is_copy(pkt) ? HG_DROP_MIRROR_FULL : reason;
}

static inline struct hg_flow *hg_path_flow(const struct hg_worker *w, uint32_t instance_slot,
					   enum hg_dir dir)
{
	return &w->lane->flows[instance_slot * HG_N_DIRS + dir];
}

/* Which class of its instance a packet belongs to; HG_CLASS_NONE: it has none. */
static inline uint8_t hg_path_class_of(const struct hg_worker *w, const struct hg_pkt *pkt,
				       enum hg_dir dir)
{
	const struct hg_class_set *set = w->snapshot->instances[pkt->instance_idx].classes[dir];

	return HG_LIKELY(set == NULL) ? HG_CLASS_NONE : (uint8_t)hg_classify(set, pkt);
}

/* Wire bytes in the hold queue that it stands in, or is to: each class has its own, so that no bulk drops a call. */
uint32_t hg_path_queued_bytes(const struct hg_tree *tree, const struct hg_pkt *pkt,
			      uint8_t class_idx);

/* Buffers of a chain, near enough; the same number as long as it is queued. */
static inline uint32_t hg_path_n_buffers(const struct hg_pkt *pkt)
{
	return 1u + pkt->total_bytes / HG_PKT_ROOM_BYTES;
}

/* Whether a segment has to go in pieces. */
static inline bool hg_path_is_too_long(const struct hg_pkt *pkt, const struct hg_cut *cut)
{
	return pkt->parts > 1 && (pkt->wire_bytes > cut->wire_bytes || pkt->parts > cut->parts);
}

static inline struct hg_sched_item hg_path_item(struct hg_pkt *pkt)
{
	return (struct hg_sched_item){
		.pkt = pkt,
		.instance_idx = pkt->instance_idx,
		.wire_bytes = pkt->wire_bytes & HG_WIRE_MAX_BYTES,
		.parts = pkt->parts & 0xfffu,
	};
}

static inline void hg_path_count_sent(struct hg_flow *flow, struct hg_pkt *pkt)
{
	pkt->is_counted = true;
	HG_COUNT(flow->sent_bytes, pkt->wire_bytes);
	HG_COUNT(flow->sent_pkts, pkt->parts);
	if (pkt->is_link)
		HG_COUNT(flow->link_bytes, pkt->wire_bytes);
}

#endif
