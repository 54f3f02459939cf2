#include "drivers/vnet.h"

#include "core/compiler.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Newer than Debian 12's headers: UDP segmentation, virtio 1.2. */
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

static bool decode_gso(const struct virtio_net_hdr *header, struct hg_pkt *pkt)
{
	switch (header->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		pkt->gso = HG_GSO_TCP4;
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		pkt->gso = HG_GSO_TCP6;
		break;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		pkt->gso = HG_GSO_UDP;
		break;
	default:
		return false;
	}
	pkt->gso_bytes = header->gso_size;
	pkt->gso_ecn = (header->gso_type & VIRTIO_NET_HDR_GSO_ECN) != 0;
	return header->gso_size > 0 && (pkt->flags & HG_PKT_NEEDS_CSUM) != 0;
}

bool hg_vnet_decode(const struct virtio_net_hdr_mrg_rxbuf *mrg, struct hg_pkt *pkt)
{
	const struct virtio_net_hdr *header = &mrg->hdr;
	uint32_t sum_at = (uint32_t)header->csum_start + header->csum_offset;

	pkt->flags = 0;
	pkt->gso = HG_GSO_NONE;
	pkt->gso_bytes = 0;
	pkt->gso_ecn = false;
	if (header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		if (sum_at + 2u > pkt->n_bytes || sum_at + 2u > HG_PKT_HEADERS_BYTES)
			return false;
		pkt->flags = HG_PKT_NEEDS_CSUM;
		pkt->csum_start = header->csum_start;
		pkt->csum_offset = header->csum_offset;
	} else if (header->flags & VIRTIO_NET_HDR_F_DATA_VALID) {
		pkt->flags = HG_PKT_CSUM_VALID;
	}
	return header->gso_type == VIRTIO_NET_HDR_GSO_NONE || decode_gso(header, pkt);
}

/* All headers of a segment: a hint, with which the kernel keeps them in one piece. */
static uint16_t header_bytes(const struct hg_pkt *pkt)
{
	uint32_t l4 = pkt->csum_start, n = l4 + 8u;

	if (pkt->gso != HG_GSO_UDP && l4 + 13u <= pkt->n_bytes)
		n = l4 + (uint32_t)(pkt->data[l4 + 12u] >> 4) * 4u;
	return (uint16_t)(n <= pkt->n_bytes ? n : pkt->n_bytes);
}

void hg_vnet_encode(const struct hg_pkt *pkt, struct virtio_net_hdr_mrg_rxbuf *ret_header)
{
	static const uint8_t types[] = {
		[HG_GSO_NONE] = VIRTIO_NET_HDR_GSO_NONE,
		[HG_GSO_TCP4] = VIRTIO_NET_HDR_GSO_TCPV4,
		[HG_GSO_TCP6] = VIRTIO_NET_HDR_GSO_TCPV6,
		[HG_GSO_UDP] = VIRTIO_NET_HDR_GSO_UDP_L4,
	};
	struct virtio_net_hdr *header = &ret_header->hdr;

	memset(ret_header, 0, sizeof(*ret_header));
	if (pkt->flags & HG_PKT_NEEDS_CSUM) {
		header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		header->csum_start = pkt->csum_start;
		header->csum_offset = pkt->csum_offset;
	} else if (pkt->flags & HG_PKT_CSUM_VALID) {
		header->flags = VIRTIO_NET_HDR_F_DATA_VALID;
	}
	if (pkt->gso == HG_GSO_NONE)
		return;
	header->gso_type = types[pkt->gso];
	if (pkt->gso_ecn)
		header->gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	header->gso_size = pkt->gso_bytes;
	header->hdr_len = header_bytes(pkt);
}

int hg_vnet_pieces(size_t n_header, const struct hg_pkt *pkt,
		   struct virtio_net_hdr_mrg_rxbuf *header, struct iovec *ret_iov)
{
	int n = 1;

	hg_vnet_encode(pkt, header);
	ret_iov[0] = (struct iovec){header, n_header};
	/* Where there is room in front of the frame they are one piece. */
	if (HG_LIKELY(pkt->headroom >= n_header)) {
		memcpy(pkt->data - n_header, header, n_header);
		ret_iov[0] = (struct iovec){pkt->data - n_header, n_header + pkt->n_bytes};
		pkt = pkt->next;
	}
	for (; pkt != NULL && n < HG_VNET_PIECES_MAX; pkt = pkt->next)
		ret_iov[n++] = (struct iovec){pkt->data, pkt->n_bytes};
	return pkt != NULL ? 0 : n;
}

int hg_vnet_write(int fd, size_t n_header, const struct hg_pkt *pkt)
{
	struct virtio_net_hdr_mrg_rxbuf header;
	struct iovec iov[HG_VNET_PIECES_MAX];
	int n = hg_vnet_pieces(n_header, pkt, &header, iov);
	ssize_t r;

	if (n == 0)
		return EMSGSIZE;
	r = n == 1 ? write(fd, iov[0].iov_base, iov[0].iov_len) : writev(fd, iov, n);
	return r < 0 ? errno : 0;
}
