#include "dataplane/news.h"

#include <rte_ring_elem.h>

#include <string.h>

/* Other workers forget what they do not hear of for HG_FDB_AGE_NS. */
#define TELL_AGAIN_NS (HG_FDB_AGE_NS / 4)

void hg_news_tell(struct hg_worker *w, struct hg_port *port, const struct hg_pkt *pkt)
{
	const uint8_t *source = pkt->data + HG_MAC_BYTES;
	struct hg_news news = {.port_slot = port->slot, .vlan = pkt->vlan};

	if (port->is_uplink || w->snapshot->switch_ports[port->slot].has_mac ||
	    (pkt->vlan == port->told_vlan && memcmp(source, port->told_mac, HG_MAC_BYTES) == 0 &&
	     w->now_ns < port->told_at_ns + TELL_AGAIN_NS))
		return;
	memcpy(news.mac, source, HG_MAC_BYTES);
	for (uint32_t to = 0; to < w->lane->n_workers; to++) {
		if (to != w->idx &&
		    rte_ring_sp_enqueue_elem(w->lane->news[w->idx][to], &news, sizeof(news)) != 0)
			return;
	}
	memcpy(port->told_mac, source, HG_MAC_BYTES);
	port->told_vlan = pkt->vlan;
	port->told_at_ns = w->now_ns;
}

static void learn(struct hg_worker *w, const struct hg_news *news)
{
	uint8_t addresses[2 * HG_MAC_BYTES] = {0};
	const struct hg_pkt seen = {.data = addresses, .vlan = news->vlan};

	if (news->port_slot >= w->snapshot->n_port_slots ||
	    w->snapshot->ports[news->port_slot] == NULL)
		return;
	memcpy(addresses + HG_MAC_BYTES, news->mac, HG_MAC_BYTES);
	hg_forward_learn(&w->snapshot->view, &w->fdb, &seen, news->port_slot, w->now_ns);
}

void hg_news_hear(struct hg_worker *w)
{
	struct hg_news news;

	for (uint32_t from = 0; from < w->lane->n_workers; from++) {
		if (from == w->idx)
			continue;
		while (rte_ring_sc_dequeue_elem(w->lane->news[from][w->idx], &news, sizeof(news)) ==
		       0)
			learn(w, &news);
	}
}
