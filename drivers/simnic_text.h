/* simnic_text: reads what stands in the brackets of simnic(...), and the file of a trace.
 *
 * Why        All that can be said about a modelled card, and all that is refused, in one place.
 * Model      The text itself is explained in drivers/simnic.h.
 * Promise    A struct that was filled is valid: all ranges hold, and what it may keep fits.
 * Memory     read_trace allocates, the caller frees; parse does not. Threads: any.
 * Units      wire bytes per second, ns, wire packets.
 * Errors     -EINVAL with the allowed range or words; read_trace: -ENOENT no such file, -EINVAL with file and
 *            line, -ENOMEM.
 * Used by    drivers/simnic.c.
 */
#ifndef HG_DRIVERS_SIMNIC_TEXT_H
#define HG_DRIVERS_SIMNIC_TEXT_H

#include "core/error.h"
#include "core/units.h"
#include "drivers/text.h"

#include <stdbool.h>

#define HG_SIMNIC_QUEUES_MAX 16u
#define HG_SIMNIC_TRACE_MAX (1u << 20) /* lines: 8 MiB */

enum hg_simnic_full { HG_SIMNIC_FULL_DROP, HG_SIMNIC_FULL_WAIT };
enum hg_simnic_in { HG_SIMNIC_IN_PACED, HG_SIMNIC_IN_FREE };
enum hg_simnic_arbitrate { HG_SIMNIC_RR, HG_SIMNIC_STRICT };

/* When a card says what it has sent. */
struct hg_simnic_model {
	bool is_there; /* else a buffer is released when it is handed to the inner device */
	bool is_never;
	hg_ns complete_ns, jitter_ns, coalesce_ns;
	uint32_t batch_pkts; /* packets, in [1, 4096] */
	uint32_t lose_ppm;
	uint64_t seed;
};

struct hg_simnic_text {
	uint64_t bytes_per_s, ring_size, n_queues;
	hg_ns delay_ns, stall_ns, every_ns;
	unsigned full, in, arbitrate; /* the enums above */
	struct hg_simnic_model model;
	char trace[HG_DEV_VALUE_BYTES]; /* the file; "" without */
	const char *inner; /* the device behind the plus sign, in the text that was parsed */
};

HG_MUST_CHECK int hg_simnic_text_parse(const char *device, struct hg_simnic_text *ret_text,
				       struct hg_error *reterr);

/* The completion delays of a file: *ret_delays_ns is malloc'd. */
HG_MUST_CHECK int hg_simnic_text_read_trace(const char *file, hg_ns **ret_delays_ns,
					    uint32_t *ret_n, struct hg_error *reterr);

/* Packets that the card may keep at the same time: those in the rings, those whose delays pass, and some
 * that the inner device keeps. Refuses more than 4 million. max_trace_ns: the longest of the trace. */
HG_MUST_CHECK int hg_simnic_text_count(const struct hg_simnic_text *text, hg_ns max_trace_ns,
				       uint32_t *ret_n_pkts, struct hg_error *reterr);

#endif
