#include "drivers/link.h"

#include "drivers/netns.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A link's description with statistics of all kinds; the kernel's own tools read into as much. */
#define ANSWER_BYTES 16384
#define NO_QUEUE "noqueue"

struct request {
	struct nlmsghdr head;
	struct ifinfomsg info;
	uint8_t attributes[512];
};

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

static void begin(struct request *request, uint16_t type, int nsid)
{
	memset(request, 0, sizeof(*request));
	request->head.nlmsg_len = NLMSG_LENGTH(sizeof(request->info));
	request->head.nlmsg_type = type;
	request->head.nlmsg_flags = NLM_F_REQUEST;
	request->info.ifi_family = AF_UNSPEC;
	if (nsid != HG_LINK_HERE)
		add(request, IFLA_TARGET_NETNSID, &nsid, sizeof(nsid));
}

/* Sends and waits for the one answer; returns its bytes or -errno (the kernel's). */
static int exchange(int fd, const void *request, size_t n_request, void *answer, size_t size)
{
	const struct nlmsghdr *head = answer;
	ssize_t n;

	if (send(fd, request, n_request, 0) < 0)
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

static int ask_bytes(const void *request, size_t n_request, void *answer, size_t size)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), n;

	if (fd < 0)
		return -errno;
	n = exchange(fd, request, n_request, answer, size);
	close(fd);
	return n;
}

static int ask(const struct request *request, void *answer, size_t size)
{
	return ask_bytes(request, request->head.nlmsg_len, answer, size);
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

int hg_link_get(int nsid, const char *name, struct hg_link *ret_link, struct hg_error *reterr)
{
	_Alignas(struct nlmsghdr) uint8_t answer[ANSWER_BYTES];
	const struct nlmsghdr *head = (const struct nlmsghdr *)answer;
	const struct ifinfomsg *info = NLMSG_DATA(head);
	struct hg_link link = {0};
	struct request request;
	int n;

	begin(&request, RTM_GETLINK, nsid);
	add(&request, IFLA_IFNAME, name, strlen(name) + 1u);
	n = ask(&request, answer, sizeof(answer));
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

int hg_link_set(const char *name, const struct hg_link_change *change, struct hg_error *reterr)
{
	_Alignas(struct nlmsghdr) uint8_t answer[1024];
	struct hg_link link;
	struct request request;
	int r, netns_fd = -1;

	r = hg_link_get(HG_LINK_HERE, name, &link, reterr);
	if (r < 0)
		return r;
	/* By index: a name in the request would be a new name, refused for an interface that is up. */
	begin(&request, RTM_NEWLINK, HG_LINK_HERE);
	request.info.ifi_index = link.idx;
	request.head.nlmsg_flags |= NLM_F_ACK;
	if (change->want_up) {
		request.info.ifi_flags = IFF_UP;
		request.info.ifi_change = IFF_UP;
	}
	if (change->name != NULL)
		add(&request, IFLA_IFNAME, change->name, strlen(change->name) + 1u);
	if (change->mac != NULL)
		add(&request, IFLA_ADDRESS, change->mac, HG_MAC_BYTES);
	if (change->mtu > 0)
		add(&request, IFLA_MTU, &change->mtu, sizeof(change->mtu));
	if (change->alias != NULL)
		add(&request, IFLA_IFALIAS, change->alias, strlen(change->alias) + 1u);
	if (change->netns != NULL) {
		netns_fd = hg_netns_open(change->netns, reterr);
		if (netns_fd < 0)
			return netns_fd;
		add(&request, IFLA_NET_NS_FD, &netns_fd, sizeof(netns_fd));
	}
	r = ask(&request, answer, sizeof(answer));
	if (netns_fd >= 0)
		close(netns_fd);
	if (r < 0)
		return hg_errno_refuse(reterr, -r, "cannot set up the interface", name);
	return 0;
}

/* ---- numbers of namespaces ---------------------------------------------------------------------- */

struct nsid_request {
	struct nlmsghdr head;
	struct rtgenmsg generic;
	/* Aligned as netlink wants them. */
	_Alignas(4) struct rtattr fd_head;
	int fd;
	struct rtattr nsid_head;
	int nsid;
};

static int ask_nsid(uint16_t type, int fd, struct nsid_request *request, void *answer, size_t size)
{
	*request = (struct nsid_request){
		.head = {.nlmsg_len = sizeof(*request),
			 .nlmsg_type = type,
			 .nlmsg_flags = NLM_F_REQUEST},
		.fd_head = {.rta_len = (uint16_t)RTA_LENGTH(sizeof(int)), .rta_type = NETNSA_FD},
		.fd = fd,
		.nsid_head = {.rta_len = (uint16_t)RTA_LENGTH(sizeof(int)),
			      .rta_type = NETNSA_NSID},
		.nsid = -1, /* any */
	};
	if (type == RTM_NEWNSID)
		request->head.nlmsg_flags |= NLM_F_ACK;
	else
		request->head.nlmsg_len = offsetof(struct nsid_request, nsid_head);
	return ask_bytes(request, request->head.nlmsg_len, answer, size);
}

static int get_nsid(int fd)
{
	_Alignas(struct nlmsghdr) uint8_t answer[1024];
	const size_t at = NLMSG_SPACE(sizeof(struct rtgenmsg));
	struct nsid_request request;
	int n = ask_nsid(RTM_GETNSID, fd, &request, answer, sizeof(answer)), nsid = -1;
	const struct rtattr *attribute = (const void *)&answer[at];

	if (n >= (int)(at + RTA_SPACE(sizeof(int))) && attribute->rta_type == NETNSA_NSID)
		memcpy(&nsid, RTA_DATA(attribute), sizeof(nsid));
	return nsid;
}

int hg_link_nsid(const char *netns, int *ret_nsid, struct hg_error *reterr)
{
	_Alignas(struct nlmsghdr) uint8_t answer[1024];
	struct nsid_request request;
	int fd, nsid, r = 0;

	*ret_nsid = HG_LINK_HERE;
	if (netns == NULL || netns[0] == '\0')
		return 0;
	fd = hg_netns_open(netns, reterr);
	if (fd < 0)
		return fd;
	nsid = get_nsid(fd);
	if (nsid < 0) {
		r = ask_nsid(RTM_NEWNSID, fd, &request, answer, sizeof(answer));
		nsid = get_nsid(fd);
	}
	close(fd);
	if (nsid < 0)
		return hg_errno_refuse(reterr, r < 0 ? -r : EIO,
				       "cannot number the network namespace", netns);
	*ret_nsid = nsid;
	return 0;
}

/* ---- traffic control ---------------------------------------------------------------------------- */

struct tc_request {
	struct nlmsghdr head;
	struct tcmsg tc;
};

static struct tc_request ask_tc(uint16_t type, uint16_t flags, int idx, uint32_t parent)
{
	return (struct tc_request){
		.head = {.nlmsg_len = sizeof(struct tc_request),
			 .nlmsg_type = type,
			 .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags)},
		.tc = {.tcm_ifindex = idx, .tcm_parent = parent},
	};
}

/* ---- queues ------------------------------------------------------------------------------------- */

/* Whether it has a queue that somebody chose: what the kernel gave it has no handle. Of none there may be no word. */
static bool has_own_queue(int idx)
{
	_Alignas(struct nlmsghdr) uint8_t answer[ANSWER_BYTES];
	struct tc_request request = ask_tc(RTM_GETQDISC, NLM_F_ECHO | NLM_F_ACK, idx, TC_H_ROOT);
	const struct {
		struct nlmsghdr head;
		struct tcmsg tc;
		struct rtattr attribute;
		char kind[sizeof(NO_QUEUE)];
	} *told = (const void *)answer;

	if (ask_bytes(&request, sizeof(request), answer, sizeof(answer)) < (int)sizeof(*told))
		return false;
	return told->tc.tcm_handle != 0 && (told->attribute.rta_type != TCA_KIND ||
					    memcmp(told->kind, NO_QUEUE, sizeof(NO_QUEUE)) != 0);
}

bool hg_link_unqueue(int idx)
{
	_Alignas(struct nlmsghdr) uint8_t answer[ANSWER_BYTES];
	struct {
		struct nlmsghdr head;
		struct tcmsg tc;
		struct rtattr attribute;
		char kind[sizeof(NO_QUEUE)];
	} request = {
		.head = {.nlmsg_len = sizeof(request),
			 .nlmsg_type = RTM_NEWQDISC,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE},
		.tc = {.tcm_ifindex = idx, .tcm_parent = TC_H_ROOT},
		.attribute = {.rta_type = TCA_KIND, .rta_len = RTA_LENGTH(sizeof(request.kind))},
		.kind = NO_QUEUE,
	};

	return !has_own_queue(idx) &&
	       ask_bytes(&request, sizeof(request), answer, sizeof(answer)) >= 0;
}

/* ---- filters ------------------------------------------------------------------------------------ */

static bool has_filters_at(int idx, uint32_t parent)
{
	_Alignas(struct nlmsghdr) uint8_t answer[ANSWER_BYTES];
	struct tc_request request = ask_tc(RTM_GETTFILTER, NLM_F_DUMP, idx, parent);
	int n = ask_bytes(&request, sizeof(request), answer, sizeof(answer));

	return n < 0 || ((const struct nlmsghdr *)answer)->nlmsg_type == RTM_NEWTFILTER;
}

bool hg_link_has_filters(int idx)
{
	return has_filters_at(idx, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)) ||
	       has_filters_at(idx, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS));
}
