/* news: addresses that one worker learned, told to the others.
 *
 * Why        Each worker forwards by a MAC table of its own, so that nothing is shared for writing; but an
 *            address is only seen by the worker that polls its port.
 * Model      A ring from each worker to each other one. What does not fit is told again with a later frame
 *            of the same port; until then frames to the address take the way of unknown ones.
 * Threads    The worker's own. Cost: one comparison a frame of a port without a configured address.
 */
#ifndef HG_DATAPLANE_NEWS_H
#define HG_DATAPLANE_NEWS_H

#include "dataplane/worker.h"

#define HG_NEWS_PENDING 256u

struct hg_news {
	uint32_t port_slot;
	uint8_t mac[HG_MAC_BYTES];
	uint16_t vlan; /* of the frame's tag; 0: none */
	uint8_t reserved[4]; /* rings carry multiples of four bytes */
};

/* A frame of this port was forwarded: tells its source address if it is not the one told last. */
void hg_news_tell(struct hg_worker *w, struct hg_port *port, const struct hg_pkt *pkt);
void hg_news_hear(struct hg_worker *w);

#endif
