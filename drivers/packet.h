/* packet: an interface that another manager made, taken over as it is.
 *
 * Why        A TAP of Proxmox, libvirt or Firecracker, a veth of Incus or Kubernetes: the guest must not
 *            notice, keeps its offloads, and loses no speed.
 * Text       packet:NAME. NAME is the host's end, in the namespace of cfg->netns.
 * Model      A raw packet socket with virtio-net headers: it gets what the guest sends, whole segments with
 *            the checksum left to do, and sends to the guest the same way. The host's own stack is cut off
 *            the interface meanwhile (drivers/cut.h). Tags that the kernel took out are put back.
 * Segments   of the kinds that the interface sends itself (ethtool -k; looked up when it is opened and with each sample,
 *            so once a second), up to 65,535 bytes with their headers; the packet lane splits what is longer, and
 *            the other kinds.
 * Life       open claims the interface (one headgate at a time), start cuts and receives. close(keep) leaves
 *            the cut for the next open, by this process or another, so that no other path opens in
 *            between; close without keep gives everything back as it was. MAC, MTU and state of the
 *            interface are never changed; promiscuous mode ends with the socket.
 * Pushing    An unread socket does not push back: when its buffer (16 MiB) is full the kernel drops, and
 * back       sample() says so as rx_dropped. tx takes fewer when the guest's side has no room (EAGAIN,
 *            ENOBUFS); larger than the MTU: too_big; down: port_down; others: tx_error.
 * Loss       The interface deleted, or its namespace: HG_DEV_GONE. Down: HG_DEV_DOWN until it is up.
 * Threads    As driver.h. Cost: rx one recvmsg a packet and one more that finds nothing, tx one call for up to 32.
 * Errors     -ENOENT no such interface or namespace, -EBUSY another headgate has it, -EPERM, -ENOTSUP.
 */
#ifndef HG_DRIVERS_PACKET_H
#define HG_DRIVERS_PACKET_H

#include "drivers/driver.h"

extern const struct hg_driver hg_driver_packet;

#endif
