#define HG_TESTS_HELPER
#include "tests/component/offload/ends.h"

#include "tests/component/drivers/world.h"
#include "tests/guest/guest.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Newer than Debian 12's headers. */
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

/* Of memory: frames of 64 KiB that wait, and what the kernel counts them as. */
#define SOCKET_BYTES (64 << 20)
/* Of a guest's ring: frames of a window, in buffers of 2 KiB. */
#define RING_SIZE 1024

const char *const end_kind_names[N_END_KINDS] = {"vhost", "tap",    "packet",
						 "xdp",   "simnic", "dummy"};

static int far_netns_fd = -1;

/* ---- descriptions ------------------------------------------------------------------------------- */

static void encode(const struct wire *wire, struct virtio_net_hdr *ret_header)
{
	static const uint8_t types[] = {VIRTIO_NET_HDR_GSO_NONE, VIRTIO_NET_HDR_GSO_TCPV4,
					VIRTIO_NET_HDR_GSO_TCPV6, VIRTIO_NET_HDR_GSO_UDP_L4};

	memset(ret_header, 0, sizeof(*ret_header));
	if (!wire->needs_csum)
		return;
	ret_header->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	ret_header->csum_start = wire->csum_start;
	ret_header->csum_offset = wire->csum_offset;
	ret_header->gso_type = types[wire->gso];
	if (wire->gso == WIRE_PLAIN)
		return;
	ret_header->gso_size = wire->gso_bytes;
	if (wire->is_ecn)
		ret_header->gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	ret_header->hdr_len = (uint16_t)(wire->csum_start + 8);
	if (wire->gso != WIRE_USO)
		ret_header->hdr_len = (uint16_t)(wire->csum_start +
						 (wire->bytes[wire->csum_start + 12] >> 4) * 4);
}

static void decode(const struct virtio_net_hdr *header, struct wire *wire)
{
	wire->needs_csum = (header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;
	wire->csum_start = header->csum_start;
	wire->csum_offset = header->csum_offset;
	wire->gso_bytes = header->gso_size;
	wire->is_ecn = (header->gso_type & VIRTIO_NET_HDR_GSO_ECN) != 0;
	switch (header->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		wire->gso = WIRE_PLAIN;
		break;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		wire->gso = WIRE_TSO4;
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		wire->gso = WIRE_TSO6;
		break;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		wire->gso = WIRE_USO;
		break;
	default:
		HG_TEST_FAIL("a segment of type %u", header->gso_type);
	}
}

/* ---- memory ------------------------------------------------------------------------------------- */

static void memory_send(struct end *end, const struct wire *wire)
{
	static const uint8_t gso[] = {HG_GSO_NONE, HG_GSO_TCP4, HG_GSO_TCP6, HG_GSO_UDP};
	struct hg_pool *pool = hg_dp_pool(end->host->dp);
	struct hg_pkt *pkt;
	uint32_t at = 0;

	WAIT_FOR((pkt = hg_pkt_create_chain(pool, wire->n_bytes)) != NULL);
	for (struct hg_pkt *part = pkt; part != NULL; part = part->next) {
		memcpy(part->data, wire->bytes + at, part->n_bytes);
		at += part->n_bytes;
	}
	pkt->flags = wire->needs_csum ? HG_PKT_NEEDS_CSUM : 0;
	pkt->csum_start = wire->csum_start;
	pkt->csum_offset = wire->csum_offset;
	pkt->gso = gso[wire->gso];
	pkt->gso_bytes = wire->gso_bytes;
	pkt->gso_ecn = wire->is_ecn;
	WAIT_FOR(hg_dummy_inject(end->far, &pkt, 1) == 1);
}

static bool memory_receive(struct end *end, struct wire *ret_wire)
{
	static const enum wire_gso gso[] = {WIRE_PLAIN, WIRE_TSO4, WIRE_TSO6, WIRE_USO};
	struct hg_pkt *pkt;

	if (hg_dummy_collect(end->far, &pkt, 1) == 0)
		return false;
	ret_wire->n_bytes = world_flatten(pkt, ret_wire->bytes, sizeof(ret_wire->bytes));
	ret_wire->needs_csum = (pkt->flags & HG_PKT_NEEDS_CSUM) != 0;
	ret_wire->csum_start = pkt->csum_start;
	ret_wire->csum_offset = pkt->csum_offset;
	ret_wire->gso = gso[pkt->gso];
	ret_wire->gso_bytes = pkt->gso_bytes;
	ret_wire->is_ecn = pkt->gso_ecn;
	host_release(end->host, pkt);
	return true;
}

static uint32_t caps_of(const struct takes *takes)
{
	uint32_t caps = 0;

	if (takes->csum)
		caps |= HG_DEV_TX_CSUM;
	if (takes->tso4)
		caps |= HG_DEV_TX_TSO4;
	if (takes->tso6)
		caps |= HG_DEV_TX_TSO6;
	if (takes->ecn)
		caps |= HG_DEV_TX_ECN;
	if (takes->uso)
		caps |= HG_DEV_TX_USO;
	return caps;
}

/* ---- a virtual machine -------------------------------------------------------------------------- */

static void guest_begin(struct end *end, char *device)
{
	struct guest_cfg cfg = {.path = end->path,
				.features = end->cfg->features,
				.ring_size = RING_SIZE,
				.mtu = (uint16_t)end->takes.mtu};
	int r;

	snprintf(end->path, sizeof(end->path), "/tmp/hg-offload-%d-%s", (int)getpid(),
		 end->cfg->name);
	snprintf(device, HG_DEVICE_BYTES, "vhost:%s", end->path);
	r = guest_open(&cfg, &end->guest);
	if (r < 0)
		HG_TEST_FAIL("%s: %s", end->path, strerror(-r));
}

static bool is_up(struct end *end)
{
	guest_wait(end->guest, 1);
	return guest_serve(end->guest) == GUEST_UP &&
	       host_port(end->host, end->cfg->name).link == HG_PORT_UP;
}

static void guest_meet(struct end *end)
{
	WAIT_FOR(is_up(end));
	if ((end->cfg->features & ~guest_features(end->guest)) != 0)
		HG_TEST_FAIL("%s: features %" PRIx64 " were not agreed upon", end->cfg->name,
			     end->cfg->features & ~guest_features(end->guest));
}

static void machine_send(struct end *end, const struct wire *wire)
{
	struct virtio_net_hdr_mrg_rxbuf header = {0};

	encode(wire, &header.hdr);
	WAIT_FOR(guest_send(end->guest, 0, wire->bytes, wire->n_bytes, &header));
}

static bool machine_receive(struct end *end, struct wire *ret_wire)
{
	struct virtio_net_hdr_mrg_rxbuf header;

	ret_wire->n_bytes = (uint32_t)guest_receive(end->guest, 0, ret_wire->bytes,
						    sizeof(ret_wire->bytes), &header);
	if (guest_state(end->guest) == GUEST_BROKEN)
		HG_TEST_FAIL("%s: %s", end->cfg->name, guest_why(end->guest));
	if (ret_wire->n_bytes == 0)
		return false;
	decode(&header.hdr, ret_wire);
	return true;
}

/* ---- a kernel ----------------------------------------------------------------------------------- */

const char *ends_enter(void)
{
	const char *why = world_enter();

	if (why != NULL || far_netns_fd >= 0)
		return why;
	far_netns_fd = world_make_netns();
	/* Far sides say nothing of their own. */
	world_run_in(far_netns_fd, "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6");
	world_run_in(world_home_fd(), "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6");
	return NULL;
}

static bool is_tap(const struct end *end)
{
	return end->cfg->kind == END_TAP || end->cfg->is_behind_kernel;
}

/* Of a veth the near end bears the port's name, with an n. */
static void make_veth(struct end *end)
{
	const uint8_t *m = end->mac;
	char command[400];

	snprintf(command, sizeof(command),
		 "ip link add n%s mtu %u type veth peer name %s address "
		 "%02x:%02x:%02x:%02x:%02x:%02x mtu %u "
		 "netns /proc/%d/fd/%d && ip link set n%s up",
		 end->cfg->name, end->takes.mtu, end->cfg->name, m[0], m[1], m[2], m[3], m[4], m[5],
		 end->takes.mtu, (int)getpid(), far_netns_fd, end->cfg->name);
	HG_CHECK(world_run_in(world_home_fd(), command));
	snprintf(command, sizeof(command), "ip link set %s up", end->cfg->name);
	HG_CHECK(world_run_in(far_netns_fd, command));
	snprintf(command, sizeof(command), "ethtool -K n%s tso off >/dev/null 2>&1",
		 end->cfg->name);
	HG_CHECK(!end->cfg->has_no_tso || world_run_in(world_home_fd(), command));
	/* As drivers/xdp.h asks. */
	if (end->cfg->kind != END_XDP)
		return;
	snprintf(command, sizeof(command), "ethtool -K %s tx off txvlan off >/dev/null 2>&1",
		 end->cfg->name);
	HG_CHECK(world_run_in(far_netns_fd, command));
}

static void socket_begin(struct end *end)
{
	int yes = 1, room = SOCKET_BYTES;

	end->fd = world_open_socket(far_netns_fd, end->cfg->name);
	if (setsockopt(end->fd, SOL_PACKET, PACKET_VNET_HDR, &yes, sizeof(yes)) < 0 ||
	    setsockopt(end->fd, SOL_PACKET, PACKET_AUXDATA, &yes, sizeof(yes)) < 0 ||
	    setsockopt(end->fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0 ||
	    setsockopt(end->fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
		HG_TEST_FAIL("packet socket: %s", strerror(errno));
}

static void kernel_send(struct end *end, const struct wire *wire)
{
	struct virtio_net_hdr header;
	struct iovec iov[] = {{&header, sizeof(header)},
			      {(void *)(uintptr_t)wire->bytes, wire->n_bytes}};

	encode(wire, &header);
	if (writev(end->fd, iov, 2) != (ssize_t)(sizeof(header) + wire->n_bytes))
		HG_TEST_FAIL("%s: a frame of %u bytes: %s", end->cfg->name, wire->n_bytes,
			     strerror(errno));
}

/* The kernel takes the outer tag off before anybody sees the frame, and says which it was. */
static void put_tag_back(const struct msghdr *msg, struct wire *wire)
{
	struct tpacket_auxdata aux;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL;
	     c = CMSG_NXTHDR((struct msghdr *)(uintptr_t)msg, c)) {
		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		if (aux.tp_status & TP_STATUS_VLAN_VALID)
			wire_tag(wire, aux.tp_vlan_tci);
	}
}

static bool kernel_receive(struct end *end, struct wire *ret_wire)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct virtio_net_hdr header;
	struct iovec iov[] = {{&header, sizeof(header)},
			      {ret_wire->bytes, sizeof(ret_wire->bytes) - WIRE_TAG_BYTES}};
	struct msghdr msg = {.msg_iov = iov,
			     .msg_iovlen = 2,
			     .msg_control = control,
			     .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(end->fd, &msg, 0);

	if (n <= (ssize_t)sizeof(header))
		return false;
	ret_wire->n_bytes = (uint32_t)(n - (ssize_t)sizeof(header));
	decode(&header, ret_wire);
	put_tag_back(&msg, ret_wire);
	return true;
}

/* ---- life --------------------------------------------------------------------------------------- */

static bool is_kernel(const struct end *end)
{
	return end->cfg->kind == END_TAP || end->cfg->kind == END_PACKET ||
	       end->cfg->kind == END_XDP || end->cfg->is_behind_kernel;
}

static void write_device(struct end *end, char *device, char *netns)
{
	const char *name = end->cfg->name;

	switch (end->cfg->kind) {
	case END_VHOST:
		guest_begin(end, device);
		return;
	case END_PACKET:
	case END_XDP:
		make_veth(end);
		snprintf(device, HG_DEVICE_BYTES, "%s:n%s", end_kind_names[end->cfg->kind], name);
		return;
	default:
		break;
	}
	snprintf(device, HG_DEVICE_BYTES, "%s%s:%s",
		 end->cfg->kind == END_SIMNIC ? end->cfg->device : "",
		 is_tap(end) ? "tap" : "dummy", name);
	if (is_tap(end))
		snprintf(netns, HG_NAME_BYTES, "/proc/%d/fd/%d", (int)getpid(), far_netns_fd);
	else
		hg_dummy_caps(end->far, caps_of(&end->takes));
}

void end_add(struct end *end, struct host *host, const struct end_cfg *cfg, bool is_uplink)
{
	struct hg_desired_uplink *uplink = &host->uplinks[0];
	struct hg_desired_port *port;
	uint32_t idx;

	*end = (struct end){
		.cfg = cfg, .host = host, .takes = cfg->takes, .is_uplink = is_uplink, .fd = -1};
	end->is_there = !is_kernel(end) || far_netns_fd >= 0;
	if (!end->is_there)
		return;
	if (is_uplink) {
		memcpy(end->mac, host_mac(host, "up0"), WIRE_MAC_BYTES);
		end->far = host_far(host, cfg->name);
		uplink->mtu = cfg->takes.mtu;
		write_device(end, uplink->device, uplink->netns);
		return;
	}
	idx = host_add_instance(host, cfg->name, host_tenant(host, "a"));
	port = &host->ports[idx];
	memcpy(end->mac, port->mac, WIRE_MAC_BYTES);
	end->far = host_far(host, cfg->name);
	port->mtu = cfg->takes.mtu;
	write_device(end, port->device, port->netns);
}

void end_meet(struct end *end)
{
	if (!end->is_there)
		return;
	if (end->guest != NULL)
		guest_meet(end);
	else if (is_kernel(end))
		socket_begin(end);
	if (!end->is_uplink)
		WAIT_FOR(host_port(end->host, end->cfg->name).link == HG_PORT_UP);
}

void end_close(struct end *end)
{
	guest_close(end->guest);
	end->guest = NULL;
	if (end->fd >= 0)
		close(end->fd);
	end->fd = -1;
}

void end_remove(struct end *end)
{
	char command[64];

	if (!end->is_there || (end->cfg->kind != END_XDP && end->cfg->kind != END_PACKET))
		return;
	snprintf(command, sizeof(command), "ip link del n%s", end->cfg->name);
	world_run_in(world_home_fd(), command);
}

void end_send(struct end *end, const struct wire *wire)
{
	if (end->guest != NULL)
		machine_send(end, wire);
	else if (is_kernel(end))
		kernel_send(end, wire);
	else
		memory_send(end, wire);
}

bool end_receive(struct end *end, struct wire *ret_wire)
{
	if (end->guest != NULL)
		return machine_receive(end, ret_wire);
	return is_kernel(end) ? kernel_receive(end, ret_wire) : memory_receive(end, ret_wire);
}

bool end_cuts(const struct end *end, uint32_t n_bytes)
{
	return is_kernel(end) && (end->cfg->kind == END_XDP || n_bytes > 65535u - WIRE_TAG_BYTES);
}

uint32_t end_window(const struct end *end)
{
	/* The kernel's ring between the ends of a veth has 256 places. */
	return end->cfg->kind == END_XDP ? 200 : 400;
}
