/* units: the quantities of headgate, their types, their limits, and their text.
 *
 * Why        A rate read as bits by one part and as bytes by another is the classic defect of this
 *            field. Inside, there is one unit for each quantity; at the edge, text always says it.
 * Units      instants and durations: ns, signed, on one monotonic clock (hg_ns).
 *            sizes: bytes. rates: bytes per second. packet rates: packets per second.
 *            bits exist only in text ("10Gbit"), and only for rates.
 * Wire bytes What a frame occupies of a link: its bytes plus HG_WIRE_OVERHEAD_BYTES for each packet
 *            that it will be on the wire. A segment of 64 KiB weighs what its parts will.
 * Text       rate: NUMBER(bit|Kbit|Mbit|Gbit|Tbit), SI, or Kibit..., IEC.
 *            size: NUMBER(B|KB|MB|GB|KiB|MiB|GiB). time: NUMBER(ns|us|ms|s|m|h).
 *            packet rate: NUMBER(pps|Kpps|Mpps). NUMBER may have a decimal point. A bare number is an
 *            error (but for 0), and so are `bps` and `MB/s`, with a hint at what is meant. What is no
 *            whole number of inner units is rounded to the nearest; what would round to 0 is an error.
 * Memory     No allocation; text is written to the caller's buffer, always terminated.
 * Threads    Any.
 * Errors     parse: -EINVAL with reterr (sentence says what is allowed); outputs then untouched.
 */
#ifndef HG_CORE_UNITS_H
#define HG_CORE_UNITS_H

#include "core/compiler.h"

#include <stddef.h>
#include <stdint.h>

struct hg_error;

typedef int64_t hg_ns;

#define HG_NEVER INT64_MAX
#define HG_NS_PER_US INT64_C(1000)
#define HG_NS_PER_MS INT64_C(1000000)
#define HG_NS_PER_S INT64_C(1000000000)

/* Preamble and start (8), gap (12), check sequence (4): what Ethernet adds to each packet. */
#define HG_WIRE_OVERHEAD_BYTES 24u

/* The largest frame carried whole: an IP packet of 65,535 bytes, Ethernet header, two VLAN tags. */
#define HG_FRAME_MAX_BYTES (65535u + 14u + 8u)

/* A segment may become this many wire packets; more means a lying header. Linux cuts at 48 bytes
 * (TCP_MIN_GSO_SIZE), 65,535 / 48 = 1,366. */
#define HG_PARTS_MAX 1366u

/* Most wire bytes that one packet can weigh: HG_PARTS_MAX parts with 48 bytes, headers of up to
 * 14 + 8 + 60 + 60 and overhead each, rounded up; fits in the 20 bits that core/sched keeps. */
#define HG_WIRE_MAX_BYTES ((1u << 20) - 1u)

/* Rates that a contract or a link may have. */
#define HG_RATE_MIN_BYTES_PER_S UINT64_C(1000) /* 8 Kbit/s */
#define HG_RATE_MAX_BYTES_PER_S UINT64_C(125000000000) /* 1 Tbit/s */

HG_MUST_CHECK int hg_rate_parse(const char *text, uint64_t *ret_bytes_per_s,
				struct hg_error *reterr);
HG_MUST_CHECK int hg_size_parse(const char *text, uint64_t *ret_bytes, struct hg_error *reterr);
HG_MUST_CHECK int hg_time_parse(const char *text, hg_ns *ret_ns, struct hg_error *reterr);
HG_MUST_CHECK int hg_pkt_rate_parse(const char *text, uint64_t *ret_pkts_per_s,
				    struct hg_error *reterr);

/* Text that the parser above reads back to the same value, as short as it can be with a unit: "10Gbit",
 * "256KiB", "1.5ms", "0s". Returns buf. 32 bytes always suffice. Durations are >= 0. */
char *hg_rate_format(char *buf, size_t size, uint64_t bytes_per_s);
char *hg_size_format(char *buf, size_t size, uint64_t bytes);
char *hg_time_format(char *buf, size_t size, hg_ns ns);
char *hg_pkt_rate_format(char *buf, size_t size, uint64_t pkts_per_s);

#endif
