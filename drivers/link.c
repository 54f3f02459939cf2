#include "drivers/link.h"

#include "drivers/netns.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A link's description with statistics of all kinds; the kernel's own tools read into as much. */
#define ANSWER_BYTES 16384

struct request {
	struct nlmsghdr head;
	struct ifinfomsg info;
	uint8_t attributes[512];
};

int hg_link_open(struct hg_error *reterr)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return hg_errno_refuse(reterr, errno, "cannot open a socket of", "rtnetlink");
	return fd;
}

static void begin(struct request *request, uint16_t type)
{
	memset(request, 0, sizeof(*request));
	request->head.nlmsg_len = NLMSG_LENGTH(sizeof(request->info));
	request->head.nlmsg_type = type;
	request->head.nlmsg_flags = NLM_F_REQUEST;
	request->info.ifi_family = AF_UNSPEC;
}

/* Requires room; names, addresses and an alias fit in a request with much to spare. */
static void add(struct request *request, uint16_t type, const void *bytes, size_t n)
{
	struct rtattr *attribute =
		(struct rtattr *)((uint8_t *)request + NLMSG_ALIGN(request->head.nlmsg_len));

	attribute->rta_type = type;
	attribute->rta_len = (uint16_t)RTA_LENGTH(n);
	memcpy(RTA_DATA(attribute), bytes, n);
	request->head.nlmsg_len =
		NLMSG_ALIGN(request->head.nlmsg_len) + (uint32_t)RTA_ALIGN(RTA_LENGTH(n));
}

/* Sends and waits for the one answer; returns its bytes or -errno (the kernel's). */
static int ask(int fd, const struct request *request, void *answer, size_t size)
{
	const struct nlmsghdr *head = answer;
	ssize_t n;

	if (send(fd, request, request->head.nlmsg_len, 0) < 0)
		return -errno;
	do {
		n = recv(fd, answer, size, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (!NLMSG_OK(head, (uint32_t)n))
		return -EIO;
	if (head->nlmsg_type == NLMSG_ERROR)
		return ((const struct nlmsgerr *)NLMSG_DATA(head))->error;
	return (int)n;
}

static void read_attribute(const struct rtattr *attribute, struct hg_link *link)
{
	const void *bytes = RTA_DATA(attribute);
	size_t n = RTA_PAYLOAD(attribute);

	switch (attribute->rta_type) {
	case IFLA_MTU:
		if (n >= sizeof(link->mtu))
			memcpy(&link->mtu, bytes, sizeof(link->mtu));
		break;
	case IFLA_ADDRESS:
		if (n == HG_MAC_BYTES)
			memcpy(link->mac, bytes, n);
		break;
	case IFLA_IFALIAS:
		n = n < sizeof(link->alias) ? n : sizeof(link->alias) - 1u;
		memcpy(link->alias, bytes, n);
		break;
	case IFLA_STATS64:
		if (n > offsetof(struct rtnl_link_stats64, tx_dropped) + sizeof(uint64_t)) {
			const uint8_t *stats = bytes;

			memcpy(&link->tx_dropped,
			       stats + offsetof(struct rtnl_link_stats64, tx_dropped),
			       sizeof(uint64_t));
			memcpy(&link->rx_dropped,
			       stats + offsetof(struct rtnl_link_stats64, rx_dropped),
			       sizeof(uint64_t));
		}
		break;
	default:
		break;
	}
}

/* By hand, as the kernel's macros mix signs. */
static void read_attributes(const uint8_t *bytes, size_t n_bytes, struct hg_link *link)
{
	while (n_bytes >= sizeof(struct rtattr)) {
		const struct rtattr *attribute = (const void *)bytes;
		size_t n = RTA_ALIGN(attribute->rta_len);

		if (attribute->rta_len < sizeof(*attribute) || n > n_bytes)
			return;
		read_attribute(attribute, link);
		bytes += n;
		n_bytes -= n;
	}
}

int hg_link_get(int fd, const char *name, struct hg_link *ret_link, struct hg_error *reterr)
{
	_Alignas(struct nlmsghdr) uint8_t answer[ANSWER_BYTES];
	const struct nlmsghdr *head = (const struct nlmsghdr *)answer;
	const struct ifinfomsg *info = NLMSG_DATA(head);
	struct hg_link link = {0};
	struct request request;
	int n;

	begin(&request, RTM_GETLINK);
	add(&request, IFLA_IFNAME, name, strlen(name) + 1u);
	n = ask(fd, &request, answer, sizeof(answer));
	if (n < (int)NLMSG_SPACE(sizeof(*info)))
		return hg_errno_refuse(reterr, n < 0 ? -n : EIO, "cannot look at the interface",
				       name);
	link.idx = info->ifi_index;
	link.is_up = (info->ifi_flags & IFF_UP) != 0;
	read_attributes(&answer[NLMSG_SPACE(sizeof(*info))],
			head->nlmsg_len - NLMSG_SPACE(sizeof(*info)), &link);
	*ret_link = link;
	return 0;
}

int hg_link_set(int fd, const char *name, const struct hg_link_change *change,
		struct hg_error *reterr)
{
	_Alignas(struct nlmsghdr) uint8_t answer[1024];
	struct request request;
	int r;

	begin(&request, RTM_NEWLINK);
	request.head.nlmsg_flags |= NLM_F_ACK;
	if (change->want_up) {
		request.info.ifi_flags = IFF_UP;
		request.info.ifi_change = IFF_UP;
	}
	add(&request, IFLA_IFNAME, name, strlen(name) + 1u);
	if (change->mac != NULL)
		add(&request, IFLA_ADDRESS, change->mac, HG_MAC_BYTES);
	if (change->mtu > 0)
		add(&request, IFLA_MTU, &change->mtu, sizeof(change->mtu));
	if (change->alias != NULL)
		add(&request, IFLA_IFALIAS, change->alias, strlen(change->alias) + 1u);
	r = ask(fd, &request, answer, sizeof(answer));
	if (r < 0)
		return hg_errno_refuse(reterr, -r, "cannot set up the interface", name);
	return 0;
}
