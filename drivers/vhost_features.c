#include "drivers/vhost_features.h"

#include "drivers/driver.h"

uint32_t hg_vhost_caps(uint64_t features)
{
	const uint64_t uso =
		HG_VHOST_BIT(VIRTIO_NET_F_GUEST_USO4) | HG_VHOST_BIT(VIRTIO_NET_F_GUEST_USO6);
	uint32_t caps = HG_DEV_RX_PUSHES_BACK;

	if (!(features & HG_VHOST_BIT(VIRTIO_NET_F_GUEST_CSUM)))
		return caps;
	caps |= HG_DEV_TX_CSUM;
	if (features & HG_VHOST_BIT(VIRTIO_NET_F_GUEST_TSO4))
		caps |= HG_DEV_TX_TSO4;
	if (features & HG_VHOST_BIT(VIRTIO_NET_F_GUEST_TSO6))
		caps |= HG_DEV_TX_TSO6;
	if (features & HG_VHOST_BIT(VIRTIO_NET_F_GUEST_ECN))
		caps |= HG_DEV_TX_ECN;
	if ((features & uso) == uso)
		caps |= HG_DEV_TX_USO;
	return caps;
}
