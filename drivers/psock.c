#include "drivers/psock.h"

#include "drivers/netns.h"
#include "drivers/vnet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define VLAN_BYTES 4u
/* What one call sends: so many frames of one piece, or fewer of more. */
#define SEND_PKTS 32u
#define SEND_PIECES (HG_VNET_PIECES_MAX + (int)SEND_PKTS - 1)

struct reader {
	int fd;
	struct hg_scratch *scratch;
	struct hg_pool *pool;
	struct hg_dev_counts *counts;
	struct virtio_net_hdr_mrg_rxbuf
		header; /* only the short one is written; the rest stays zero */
};

static int set_option(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value));
}

int hg_psock_open(const char *name, struct hg_error *reterr)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return hg_errno_refuse(reterr, errno, "cannot open a packet socket for", name);
	if (set_option(fd, SOL_PACKET, PACKET_VNET_HDR, 1) == 0 &&
	    set_option(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1) == 0 &&
	    set_option(fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1) == 0 &&
	    set_option(fd, SOL_PACKET, PACKET_AUXDATA, 1) == 0 &&
	    set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, HG_PSOCK_RCVBUF_BYTES) == 0)
		return fd;
	r = hg_errno_refuse(reterr, errno, "cannot set up the packet socket for", name);
	close(fd);
	return r;
}

int hg_psock_bind(int fd, int if_idx, const char *name, struct hg_error *reterr)
{
	struct packet_mreq promiscuous = {.mr_ifindex = if_idx, .mr_type = PACKET_MR_PROMISC};
	struct sockaddr_ll at = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = if_idx,
	};

	if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof(promiscuous)) <
		    0)
		return hg_errno_refuse(reterr, errno, "cannot receive from the interface", name);
	return 0;
}

/* The tag that the kernel keeps beside the frame, or NULL. */
static const struct tpacket_auxdata *find_tag(struct msghdr *message)
{
	for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at != NULL;
	     at = CMSG_NXTHDR(message, at)) {
		const struct tpacket_auxdata *aux = (const void *)CMSG_DATA(at);

		if (at->cmsg_level == SOL_PACKET && at->cmsg_type == PACKET_AUXDATA &&
		    (aux->tp_status & TP_STATUS_VLAN_VALID))
			return aux;
	}
	return NULL;
}

/* Behind the two addresses, in the room that every fresh buffer has in front. */
static void put_tag_back(struct hg_pkt *pkt, const struct tpacket_auxdata *aux)
{
	uint16_t tag[2] = {htons((aux->tp_status & TP_STATUS_VLAN_TPID_VALID) ? aux->tp_vlan_tpid
									      : ETH_P_8021Q),
			   htons(aux->tp_vlan_tci)};

	pkt->data -= VLAN_BYTES;
	pkt->headroom = (uint16_t)(pkt->headroom - VLAN_BYTES);
	memmove(pkt->data, pkt->data + VLAN_BYTES, 2u * ETH_ALEN);
	memcpy(pkt->data + 2u * ETH_ALEN, tag, VLAN_BYTES);
	pkt->n_bytes = (uint16_t)(pkt->n_bytes + VLAN_BYTES);
	pkt->total_bytes += VLAN_BYTES;
	pkt->csum_start = (uint16_t)(pkt->csum_start + VLAN_BYTES);
}

/* What became of a frame of n_bytes that was read; NULL if it was dropped. */
static struct hg_pkt *take(struct reader *reader, struct msghdr *message, uint32_t n_bytes)
{
	const struct virtio_net_hdr_mrg_rxbuf *header = message->msg_iov[0].iov_base;
	enum hg_drop reason = HG_DROP_NO_BUFFER;
	const struct tpacket_auxdata *aux;
	struct hg_pkt *pkt = NULL;

	if (HG_UNLIKELY(message->msg_flags & MSG_TRUNC))
		reason = HG_DROP_TOO_BIG;
	else
		pkt = hg_scratch_take(reader->scratch, n_bytes);
	if (HG_LIKELY(pkt != NULL)) {
		if (HG_LIKELY(hg_vnet_decode(header, pkt))) {
			aux = find_tag(message);
			if (aux != NULL)
				put_tag_back(pkt, aux);
			return pkt;
		}
		hg_pool_put(reader->pool, &pkt, 1);
		reason = HG_DROP_BAD_OFFLOAD;
	}
	hg_count_add(&reader->counts->drops[reason], 1);
	return NULL;
}

/* One message. Returns its packet, or NULL with *ret_errnum: 0 if there may be more behind it. */
static struct hg_pkt *read_one(struct reader *reader, int *ret_errnum)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct msghdr message = {.msg_control = control, .msg_controllen = sizeof(control)};
	const size_t n_header = sizeof(reader->header.hdr);
	ssize_t got;
	int n_iov;

	message.msg_iov = (struct iovec *)(uintptr_t)hg_scratch_iov(reader->scratch, &n_iov);
	message.msg_iovlen = (size_t)n_iov;
	got = recvmsg(reader->fd, &message, 0);
	*ret_errnum = 0;
	if (HG_LIKELY(got > (ssize_t)n_header))
		return take(reader, &message, (uint32_t)got - (uint32_t)n_header);
	if (got < 0 && errno == EINVAL) /* a segment of a kind that virtio has no word for */
		hg_count_add(&reader->counts->drops[HG_DROP_BAD_OFFLOAD], 1);
	else if (got < 0)
		*ret_errnum = errno;
	return NULL;
}

unsigned hg_psock_receive(int fd, struct hg_scratches *scratches, struct hg_pool *pool,
			  struct hg_dev_counts *counts, struct hg_pkt **pkts, unsigned n,
			  int *ret_errnum)
{
	struct reader reader = {.fd = fd, .pool = pool, .counts = counts};
	unsigned n_got = 0;

	*ret_errnum = 0;
	reader.scratch = hg_scratch_begin(scratches, &reader.header, sizeof(reader.header.hdr));
	if (HG_UNLIKELY(reader.scratch == NULL))
		return 0;
	for (unsigned turn = 0; turn < n && *ret_errnum == 0; turn++) {
		pkts[n_got] = read_one(&reader, ret_errnum);
		n_got += pkts[n_got] != NULL;
	}
	hg_scratch_end(reader.scratch);
	if (*ret_errnum == EAGAIN)
		*ret_errnum = 0;
	return n_got;
}

unsigned hg_psock_send(int fd, struct hg_pkt *const *pkts, unsigned n, int *ret_errnum)
{
	struct virtio_net_hdr_mrg_rxbuf headers[SEND_PKTS];
	struct mmsghdr messages[SEND_PKTS];
	struct iovec iov[SEND_PIECES];
	unsigned n_messages = 0;
	int n_iov = 0, r;

	if (n == 1) { /* A call for many costs more than one for one. */
		*ret_errnum = hg_vnet_write(fd, sizeof(headers[0].hdr), pkts[0]);
		return *ret_errnum == 0;
	}
	while (n_messages < n && n_messages < SEND_PKTS &&
	       n_iov + HG_VNET_PIECES_MAX <= SEND_PIECES) {
		r = hg_vnet_pieces(sizeof(headers[0].hdr), pkts[n_messages], &headers[n_messages],
				   &iov[n_iov]);
		if (HG_UNLIKELY(r == 0))
			break;
		messages[n_messages++] = (struct mmsghdr){
			.msg_hdr = {.msg_iov = &iov[n_iov], .msg_iovlen = (size_t)r}};
		n_iov += r;
	}
	/* What it refuses after it took some it refuses again in the next call. */
	r = n_messages == 0 ? -1 : sendmmsg(fd, messages, n_messages, 0);
	*ret_errnum = n_messages == 0 ? EMSGSIZE : r < 0 ? errno : 0;
	return r < 0 ? 0 : (unsigned)r;
}
