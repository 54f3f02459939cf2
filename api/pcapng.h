/* pcapng: the blocks of a capture file.
 *
 * Why        What a capture delivers is read by tcpdump, tshark and everything else that reads packets.
 * Model      PCAP Next Generation (draft-ietf-opsawg-pcapng): a section header and one interface in front,
 *            a block for each packet, and statistics with the reason at the end. Numbers are in this machine's
 *            order, as the format allows; instants are real time in ns.
 *            A packet's flags say its direction: outbound is what the instance sends (of an uplink: what leaves
 *            the host), inbound what it receives. What headgate knows of an offload stands in a comment: a
 *            checksum that is left to do, a segment that is left to split.
 * Promise    What is written can be read up to the last whole block.
 * Memory     The caller's buffer, of at least HG_PCAPNG_MAX_BYTES. Threads: any. Errors: none.
 * Used by    api/capture.c.
 */
#ifndef HG_API_PCAPNG_H
#define HG_API_PCAPNG_H

#include "core/capture.h"

#include <stddef.h>

/* The largest block: a whole frame with its head, flags and comment; and the two first blocks together, with
 * texts cut after HG_PCAPNG_TEXT_BYTES. */
#define HG_PCAPNG_MAX_BYTES (HG_FRAME_MAX_BYTES + 512u)
#define HG_PCAPNG_TEXT_BYTES 192u

struct hg_pcapng_head {
	const char *version; /* of headgate */
	const char *name; /* of the port or uplink */
	const char *device; /* "tap:web1-0" */
	uint32_t snap_bytes;
};

struct hg_pcapng_end {
	hg_ns began_at_ns, ended_at_ns; /* real time */
	uint64_t passed_pkts; /* that passed the filter */
	uint64_t missed_pkts; /* of them, not kept for want of room */
	uint64_t written_pkts;
	const char *why; /* one sentence */
};

/* Each writes its blocks to buf and returns how many bytes they are: a multiple of 4. */
size_t hg_pcapng_begin(uint8_t *buf, const struct hg_pcapng_head *head);
size_t hg_pcapng_packet(uint8_t *buf, const struct hg_capture_pkt *pkt);
size_t hg_pcapng_finish(uint8_t *buf, const struct hg_pcapng_end *end);

#endif
