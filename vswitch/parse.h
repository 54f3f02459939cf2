/* parse: what a frame is, found once, before anything else looks at it.
 *
 * Why        Forwarding, weighing, splitting and marking need the same few offsets; a guest may write
 *            anything into a frame and into the virtio-net header that describes it.
 * Model      One pass over Ethernet, up to two tags (802.1Q, 802.1ad), ARP, IPv4 with options, IPv6 with
 *            up to HG_PARSE_EXTENSIONS_MAX extension headers, TCP, UDP, ICMP, neighbour discovery; then
 *            the offload description is held against what was found.
 * Promise    Never reads past data + n_bytes of the first buffer. On true: every header lies in the first
 *            buffer, and ends at most HG_PARSE_HEADERS_MAX_BYTES behind the tags, whatever the buffer; l3_offset <= l4_offset <= payload_offset <= total_bytes where they are not 0; ARP has
 *            28 bytes, a neighbour solicitation or advertisement 24; with NEEDS_CSUM the sum's
 *            place lies within the same bounds, at or behind the transport header; with gso the type
 *            is that of the frame, the frame ends where IP says, 48 <= gso_bytes <= payload, at most
 *            HG_PARTS_MAX parts, and a checksum is asked for.
 *            On false: the reason says what is wrong, and the parsed fields mean nothing.
 * Lenient    Padding behind IP is kept (Ethernet pads to 60 bytes). Ethertypes and transports not listed pass:
 *            HG_L3_OTHER; ip_proto set with payload_offset = l4_offset. An IPv4 header checksum is
 *            the receiver's to judge, as it is for every switch.
 * Not here   Who may send it, and where it goes (forward).
 * Memory     none. Threads: any, one owner of the packet. Cost: no loop for Ethernet/IPv4/TCP.
 * Errors     TRUNCATED BAD_LENGTH BAD_HEADER BAD_OFFLOAD.
 */
#ifndef HG_VSWITCH_PARSE_H
#define HG_VSWITCH_PARSE_H

#include "core/verdict.h"
#include "vswitch/pkt.h"

/* RFC 8200 lists six kinds, one of them twice; a longer chain only serves to hide what follows. */
#define HG_PARSE_EXTENSIONS_MAX 7u

/* Behind the Ethernet header and its tags: with two tags in front still inside HG_PKT_HEADERS_BYTES, so
 * that a tag pushed, or a copy into other buffers, keeps the headers in the first one. */
#define HG_PARSE_HEADERS_MAX_BYTES (HG_PKT_HEADERS_BYTES - 22u)

/* Least payload of one part: Linux cuts no finer (TCP_MIN_GSO_SIZE), so less is a lie. */
#define HG_PARSE_GSO_MIN_BYTES 48u

/* Fills the parsed fields of pkt; on false sets *ret_reason (which is untouched on true). */
HG_MUST_CHECK bool hg_parse(struct hg_pkt *pkt, enum hg_drop *ret_reason);

#endif
