/* offloads: which segments an interface sends whole.
 *
 * Why        A packet socket that passes the queueing discipline loses a segment which its interface cannot take: the
 *            kernel would have to cut it, and does so only on the way that is passed.
 * Model      The names of the interface's features that are on (ethtool -k), as capabilities of a device. Checksums the
 *            kernel completes where it has to, so they are always among them.
 * Promise    What cannot be found out is not claimed.
 * Where      The namespace of the socket. Threads: control lane. Memory: none kept. Cost: three system calls.
 * Errors     none. Used by drivers/packet.c.
 */
#ifndef HG_DRIVERS_OFFLOADS_H
#define HG_DRIVERS_OFFLOADS_H

#include <stdint.h>

/* fd: any socket. Returns enum hg_dev_cap. */
uint32_t hg_offloads_of(int fd, const char *interface);

#endif
