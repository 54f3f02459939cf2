/* path: the way of a packet through a worker.
 *
 * Why        One place shows in which order things happen to a packet.
 * Model      receive -> parse -> forward -> out tree -> uplink
 *                                             or -> in tree -> port
 *            Between the stages a packet is passed on with hg_path_*(); the worker that owns the next
 *            stage goes on with it, in the same turn if it is this one.
 * Promise    Every packet ends in a device or in a drop with a reason that is counted.
 * Threads    The worker's own. Cost: O(1) a packet and copy; no scan of ports, instances or tenants.
 */
#ifndef HG_DATAPLANE_PATH_H
#define HG_DATAPLANE_PATH_H

#include "dataplane/worker.h"

/* It will be received from this port soon: asks for what it and its instance lead to; and a port later for what these lead
 * to. Of a port that was asked for itself. Changes nothing. */
void hg_path_expect(const struct hg_worker *w, const struct hg_port *port);
void hg_path_expect_next(const struct hg_worker *w, const struct hg_port *port);

/* Receives one burst from a port and sends it on its way. Returns how many frames came. */
unsigned hg_path_receive(struct hg_worker *w, struct hg_port *port);

/* Goes on with packets that other workers passed over. Returns how many. */
unsigned hg_path_take_over(struct hg_worker *w);

/* Whether another worker has passed something over. */
bool hg_path_has_crossing(const struct hg_worker *w);

/* Hands out what the worker's trees allow now. Returns how many packets. */
unsigned hg_path_serve(struct hg_worker *w);

/* Gives staged packets to their devices, and crossing ones to their workers. */
void hg_path_transmit(struct hg_worker *w);

/* Before another snapshot: what is half on its way under the old one goes where it belongs. */
void hg_path_settle(struct hg_worker *w);
/* After it: packets staged for ports that are no more are released. */
void hg_path_forget(struct hg_worker *w);

/* When hg_path_serve() may find something next. */
hg_ns hg_path_next_at(const struct hg_worker *w);
/* The same, of the uplinks' trees alone. */
hg_ns hg_path_links_next_at(const struct hg_worker *w);

/* Counts and releases a packet that goes no further. */
void hg_path_drop_flow(struct hg_worker *w, struct hg_flow *flow, struct hg_pkt *pkt,
		       enum hg_drop reason);

#endif
