/* capture: what is asked of a capture, and what it delivers.
 *
 * Why        The same words are used by who asks (api), who passes on (control) and who looks (dataplane).
 * Model      A filter is a program of classic BPF, as libpcap compiles it for Ethernet (DLT_EN10MB) and as the
 *            Linux kernel runs it for sockets: it is run on each packet, in the packet lane. Packets come in
 *            order, as they were at the port: segments of up to 64 KiB whole, checksums as they were left.
 * Units      bytes; ns of real time (since 1970).
 * Memory     Plain values. Threads: any. Errors: none.
 */
#ifndef HG_CORE_CAPTURE_H
#define HG_CORE_CAPTURE_H

#include "core/units.h"
#include "core/watch.h"

/* Captures at once: each costs the packet lane time, and memory for what is not fetched yet. */
#define HG_CAPTURES_MAX 4u
/* A filter runs for each packet of the port: at 1 to 2 ns an instruction that is 1 us. libpcap's for an address
 * and a port is 20 to 30 long. */
#define HG_CAPTURE_INSNS_MAX 512u
/* "process 4711 of user 0" */
#define HG_CAPTURE_WHO_BYTES 64u

/* As struct bpf_insn of libpcap and struct sock_filter of Linux. */
struct hg_capture_insn {
	uint16_t code;
	uint8_t jump_true, jump_false;
	uint32_t k;
};

struct hg_capture_cfg {
	enum hg_watch watch;
	uint32_t snap_bytes; /* of each packet at most; in [1, HG_FRAME_MAX_BYTES] */
	uint32_t n_insns; /* 0: no filter, everything */
	struct hg_capture_insn insns[HG_CAPTURE_INSNS_MAX];
	char who[HG_CAPTURE_WHO_BYTES]; /* who reads it; for who is refused */
};

struct hg_capture_pkt {
	hg_ns at_ns; /* real time; of the turn in which it was seen */
	uint32_t total_bytes, n_bytes; /* of the frame; of it in `bytes` */
	enum hg_dir dir;
	bool needs_csum; /* its checksum is left to do */
	uint32_t gso_bytes; /* of a segment: payload of one part; 0: one packet */
	const uint8_t *bytes; /* valid until the packet is taken */
};

struct hg_capture_stats {
	/* Packets that passed the filter: all of them, and those that were not kept, since too many bytes came at
	 * once or nobody fetched them. */
	uint64_t passed_pkts, missed_pkts;
	const char *ended; /* why no more will come; NULL: it goes on */
	hg_ns real_ns; /* how far real time is ahead of the lanes' clock */
};

#endif
