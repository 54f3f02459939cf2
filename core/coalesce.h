/* coalesce: until when a guest need not be told that its frames were taken.
 *
 * Why        Who has sent a frame wants its buffer back some time, and asks to be told. To be told costs an interrupt, which by
 *            emulation is some ten microseconds of the processor that the machines share. Told a moment later it has mostly
 *            found out by itself: whatever else reaches it makes it look, as what comes to who acknowledges a stream.
 *            Who asks one question, or answers one, has nothing else before the next: told later, it goes idle in
 *            between, and to go idle and come back may cost it more than the interrupt. But whom it asks comes first: where
 *            both share a processor, or the line to it, the answer waits for whatever is done for who has asked.
 * Source     Cards do so: ethtool(8), tx-usecs and tx-frames; virtio 1.3, 5.1.6.5.7 (VIRTIO_NET_F_NOTF_COAL). Who is told at
 *            once, and who first: by what machines under emulation took (docs/speed.md, between guests).
 * Model      What was taken since the guest was last told waits, and is told at once when there is more of it than the guest
 *            may need: a part of its ring, since Linux's virtio_net stops its queue when that is full; or so many bytes, since
 *            a flow of TCP has no more than two segments, or a millisecond of its rate, below it that were not given back
 *            (net/ipv4/tcp_output.c, tcp_small_queue_check), and one of UDP no more than its socket's buffer. A question or
 *            an answer by itself is told as soon as it was handed on: not more than HG_COALESCE_SHORT_BYTES, after not more
 *            than that the other way since what was taken before.
 * Promise    It is told no later than HG_COALESCE_NS after the first frame that waits was taken, if its owner keeps to
 *            by_ns; what follows does not put that off.
 * Units      ns, from 1 on; bytes; descriptors. Memory: plain struct, all zero at first. Threads: one owner. Cost: O(1).
 * Errors     none.
 * Used by    drivers/vhost, for each ring that a guest sends by.
 */
#ifndef HG_CORE_COALESCE_H
#define HG_CORE_COALESCE_H

#include "core/compiler.h"
#include "core/units.h"

#include <stdbool.h>
#include <stdint.h>

/* No longer: a flow of TCP has a millisecond of its rate under way. */
#define HG_COALESCE_NS (1 * HG_NS_PER_MS)
/* Of a ring: with this, what is left lasts longer than to be told takes. */
#define HG_COALESCE_PART 4u
/* Half of a long segment. */
#define HG_COALESCE_BYTES (32u * 1024u)
/* The longest frame of Ethernet: what is acknowledged as a stream is longer. */
#define HG_COALESCE_SHORT_BYTES 1514u

struct hg_coalesce {
	hg_ns by_ns; /* when it is to be told at the latest; 0: nothing waits */
	uint32_t n_bytes; /* taken since */
	uint64_t handed_bytes; /* the other way, of all time, when something was last taken */
};

/* n_bytes were taken, more than 0, when so many had gone the other way, of all time. Returns whether that is a question or an
 * answer by itself. To be asked before the next. */
static inline bool hg_coalesce_is_exchange(struct hg_coalesce *c, uint64_t n_bytes,
					   uint64_t handed_bytes)
{
	uint64_t n_handed = handed_bytes - c->handed_bytes;

	c->handed_bytes = handed_bytes;
	return c->by_ns == 0 && n_bytes <= HG_COALESCE_SHORT_BYTES &&
	       n_handed <= HG_COALESCE_SHORT_BYTES;
}

/* It is to be told when what was taken has been handed on: after now_ns, which is as long as that takes. */
static inline void hg_coalesce_soon(struct hg_coalesce *c, hg_ns now_ns)
{
	*c = (struct hg_coalesce){.by_ns = now_ns + 1, .handed_bytes = c->handed_bytes};
}

/* Another n_bytes were taken, or none; n_untold of the n_ring descriptors were since it was told. Returns whether it is
 * to be told now; if not, by_ns says by when. */
static inline bool hg_coalesce_took(struct hg_coalesce *c, uint32_t n_untold, uint32_t n_ring,
				    uint64_t n_bytes, hg_ns now_ns)
{
	if (c->by_ns == 0)
		*c = (struct hg_coalesce){.by_ns = now_ns + HG_COALESCE_NS,
					  .handed_bytes = c->handed_bytes};
	if (n_bytes >= HG_COALESCE_BYTES - c->n_bytes)
		return true;
	c->n_bytes += (uint32_t)n_bytes;
	return n_untold >= n_ring / HG_COALESCE_PART || now_ns >= c->by_ns;
}

/* It was told, or knows. */
static inline void hg_coalesce_told(struct hg_coalesce *c)
{
	c->by_ns = 0;
}

#endif
