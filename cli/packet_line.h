/* packet_line: a packet in a few words.
 *
 * Why        A glance at what a port carries needs no other program. Whoever wants more writes a file.
 * Model      "10.0.0.11:443 > 10.0.0.1:50112 tcp": addresses and ports of IPv4, IPv6 and ARP, behind up to two
 *            VLAN tags; of all else the MAC addresses and the type.
 * Memory     The caller's buffer. Threads: any. Errors: none; a frame that is cut short says less.
 */
#ifndef HG_CLI_PACKET_LINE_H
#define HG_CLI_PACKET_LINE_H

#include <stddef.h>
#include <stdint.h>

#define HG_PACKET_LINE_BYTES 192u

/* Returns buf, of HG_PACKET_LINE_BYTES. */
char *hg_packet_line(char *buf, const uint8_t *frame, size_t n_bytes);

#endif
