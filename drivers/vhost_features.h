/* vhost_features: what a guest is offered, and what its choice makes its card.
 *
 * Source     OASIS virtio 1.2, chapters 5.1.3 (network device) and 6 (reserved bits); QEMU, docs/interop/vhost-user.rst.
 * Used by    drivers/vhost_link.c. Cost: some comparisons. Cannot fail.
 */
#ifndef HG_DRIVERS_VHOST_FEATURES_H
#define HG_DRIVERS_VHOST_FEATURES_H

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <rte_vhost.h>

#include <stdint.h>

/* Newer than Debian 12's headers: segments of UDP, virtio 1.2. */
#define VIRTIO_NET_F_GUEST_USO4 54
#define VIRTIO_NET_F_GUEST_USO6 55
#define VIRTIO_NET_F_HOST_USO 56
#ifndef VIRTIO_F_IN_ORDER
#define VIRTIO_F_IN_ORDER 35
#endif

#define HG_VHOST_BIT(n) (UINT64_C(1) << (n))

/* What the rings here can do. */
#define HG_VHOST_FEATURES                                                                \
	(HG_VHOST_BIT(VIRTIO_NET_F_CSUM) | HG_VHOST_BIT(VIRTIO_NET_F_GUEST_CSUM) |       \
	 HG_VHOST_BIT(VIRTIO_NET_F_MTU) | HG_VHOST_BIT(VIRTIO_NET_F_GSO) |               \
	 HG_VHOST_BIT(VIRTIO_NET_F_GUEST_TSO4) | HG_VHOST_BIT(VIRTIO_NET_F_GUEST_TSO6) | \
	 HG_VHOST_BIT(VIRTIO_NET_F_GUEST_ECN) | HG_VHOST_BIT(VIRTIO_NET_F_GUEST_USO4) |  \
	 HG_VHOST_BIT(VIRTIO_NET_F_GUEST_USO6) | HG_VHOST_BIT(VIRTIO_NET_F_HOST_TSO4) |  \
	 HG_VHOST_BIT(VIRTIO_NET_F_HOST_TSO6) | HG_VHOST_BIT(VIRTIO_NET_F_HOST_ECN) |    \
	 HG_VHOST_BIT(VIRTIO_NET_F_HOST_USO) | HG_VHOST_BIT(VIRTIO_NET_F_MRG_RXBUF) |    \
	 HG_VHOST_BIT(VIRTIO_NET_F_CTRL_VQ) | HG_VHOST_BIT(VIRTIO_NET_F_CTRL_RX) |       \
	 HG_VHOST_BIT(VIRTIO_NET_F_GUEST_ANNOUNCE) | HG_VHOST_BIT(VIRTIO_NET_F_MQ) |     \
	 HG_VHOST_BIT(VIRTIO_F_ANY_LAYOUT) | HG_VHOST_BIT(VIRTIO_RING_F_INDIRECT_DESC) | \
	 HG_VHOST_BIT(VIRTIO_RING_F_EVENT_IDX) | HG_VHOST_BIT(VIRTIO_F_VERSION_1) |      \
	 HG_VHOST_BIT(VIRTIO_F_RING_PACKED) | HG_VHOST_BIT(VIRTIO_F_IN_ORDER) |          \
	 HG_VHOST_BIT(VHOST_USER_F_PROTOCOL_FEATURES))

#define HG_VHOST_PROTOCOL_FEATURES                                                                \
	(HG_VHOST_BIT(VHOST_USER_PROTOCOL_F_MQ) | HG_VHOST_BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK) | \
	 HG_VHOST_BIT(VHOST_USER_PROTOCOL_F_NET_MTU))

/* HG_DEV_* (drivers/driver.h) of a guest that took these features. */
uint32_t hg_vhost_caps(uint64_t features);

#endif
