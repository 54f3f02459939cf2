#include "drivers/vhost_rules.h"

#include <fcntl.h>
#include <linux/virtio_config.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VERSION_MASK 3u
#define VERSION 1u
/* In the number of KICK, CALL and ERR. */
#define RING_MASK 0xffu
#define NO_DESCRIPTOR 0x100u
#define REGION_BYTES 32u
/* IPv4's least, and what 16 bits can say. */
#define MTU_MIN 68u
#define MTU_MAX 65535u

/* The library's layout, as of 22.11. */
_Static_assert(offsetof(struct hg_vhost_message, fds) == 644, "");
_Static_assert(sizeof(struct hg_vhost_message) == 680, "");

void hg_vhost_rules_init(struct hg_vhost_rules *rules, const struct hg_vhost_limits *limits,
			 hg_ns now_ns)
{
	*rules = (struct hg_vhost_rules){
		.limits = *limits, .budget_ns = HG_VHOST_BUDGET_NS, .at_ns = now_ns};
}

static bool spend(struct hg_vhost_rules *rules, int64_t cost_ns, hg_ns now_ns)
{
	rules->budget_ns += now_ns - rules->at_ns;
	rules->at_ns = now_ns;
	if (rules->budget_ns > HG_VHOST_BUDGET_NS)
		rules->budget_ns = HG_VHOST_BUDGET_NS;
	if (rules->is_exhausted && rules->budget_ns >= HG_VHOST_ENOUGH_NS)
		rules->is_exhausted = false;
	else if (rules->budget_ns < cost_ns)
		rules->is_exhausted = true;
	if (!rules->is_exhausted)
		rules->budget_ns -= cost_ns;
	return !rules->is_exhausted;
}

static void forget(struct hg_vhost_rules *rules)
{
	rules->features = 0;
	rules->has_features = rules->has_memory = false;
	memset(rules->rings, 0, sizeof(rules->rings));
}

const char *hg_vhost_rules_connect(struct hg_vhost_rules *rules, hg_ns now_ns)
{
	forget(rules);
	return spend(rules, HG_VHOST_CONNECTION_COST_NS, now_ns)
		       ? NULL
		       : "connects and talks too often: more than 1,000 messages a second";
}

uint32_t hg_vhost_message_ring(const struct hg_vhost_message *msg)
{
	switch (msg->request) {
	case HG_VHOST_SET_VRING_NUM:
	case HG_VHOST_SET_VRING_ADDR:
	case HG_VHOST_SET_VRING_BASE:
	case HG_VHOST_GET_VRING_BASE:
	case HG_VHOST_SET_VRING_ENABLE:
		return msg->ring.index;
	case HG_VHOST_SET_VRING_KICK:
	case HG_VHOST_SET_VRING_CALL:
	case HG_VHOST_SET_VRING_ERR:
		return msg->number & RING_MASK;
	default:
		return 0;
	}
}

void hg_vhost_message_drop(struct hg_vhost_message *msg)
{
	for (int i = 0; i < msg->n_fds && i < (int)HG_VHOST_REGIONS_MAX; i++) {
		if (msg->fds[i] >= 0)
			close(msg->fds[i]);
		msg->fds[i] = -1;
	}
	msg->n_fds = 0;
}

/* ---- form -------------------------------------------------------------------------------------------- */

/* The length of the payload; -1: no such message. */
static int length(const struct hg_vhost_message *msg)
{
	switch (msg->request) {
	case HG_VHOST_GET_FEATURES:
	case HG_VHOST_SET_OWNER:
	case HG_VHOST_RESET_OWNER:
	case HG_VHOST_GET_PROTOCOL_FEATURES:
	case HG_VHOST_GET_QUEUE_NUM:
		return 0;
	case HG_VHOST_SET_FEATURES:
	case HG_VHOST_SET_PROTOCOL_FEATURES:
	case HG_VHOST_SET_VRING_KICK:
	case HG_VHOST_SET_VRING_CALL:
	case HG_VHOST_SET_VRING_ERR:
	case HG_VHOST_NET_SET_MTU:
	case HG_VHOST_SET_VRING_NUM:
	case HG_VHOST_SET_VRING_BASE:
	case HG_VHOST_GET_VRING_BASE:
	case HG_VHOST_SET_VRING_ENABLE:
		return 8;
	case HG_VHOST_SET_VRING_ADDR:
		return (int)sizeof(msg->address);
	case HG_VHOST_SET_MEM_TABLE:
		return msg->memory.n > HG_VHOST_REGIONS_MAX
			       ? -1
			       : (int)(8u + msg->memory.n * REGION_BYTES);
	default:
		return -1;
	}
}

static int n_descriptors(const struct hg_vhost_message *msg)
{
	switch (msg->request) {
	case HG_VHOST_SET_MEM_TABLE:
		return (int)msg->memory.n;
	case HG_VHOST_SET_VRING_KICK:
	case HG_VHOST_SET_VRING_CALL:
	case HG_VHOST_SET_VRING_ERR:
		return (msg->number & NO_DESCRIPTOR) != 0 ? 0 : 1;
	default:
		return 0;
	}
}

static const char *judge_form(const struct hg_vhost_rules *rules,
			      const struct hg_vhost_message *msg)
{
	/* What asks for nothing may have a payload that nobody reads; no known guest sends one. */
	int n_bytes = length(msg);

	if ((msg->flags & VERSION_MASK) != VERSION)
		return "speaks another version of vhost-user than 1";
	if (n_bytes < 0)
		return msg->request == HG_VHOST_SET_MEM_TABLE
			       ? "describes memory of more than 8 regions"
			       : "sent a message that it was not offered";
	if (msg->n_bytes != (uint32_t)n_bytes)
		return "sent a message whose length is wrong";
	if (msg->n_fds != n_descriptors(msg))
		return "sent a message with more or fewer descriptors than it says";
	if (hg_vhost_message_ring(msg) >= rules->limits.n_rings)
		return "speaks of a queue that it does not have";
	return NULL;
}

/* ---- memory ------------------------------------------------------------------------------------------ */

static bool overflows(uint64_t a, uint64_t b)
{
	return a + b < a;
}

static const char *judge_file(int fd, uint64_t n_bytes)
{
	const int no_writing = F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
	int flags = fcntl(fd, F_GETFL), seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	/* What is no file of memory has no seals. */
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return "describes memory that is not a file";
	if (flags < 0 || (flags & O_ACCMODE) != O_RDWR || (seals >= 0 && (seals & no_writing) != 0))
		return "describes memory that may not be written to";
	if ((uint64_t)st.st_size < n_bytes)
		return "describes more memory than its file has";
	return NULL;
}

static const char *judge_memory(const struct hg_vhost_rules *rules,
				const struct hg_vhost_message *msg)
{
	uint64_t total_bytes = 0;

	if (msg->memory.n == 0)
		return "describes no memory";
	for (uint32_t i = 0; i < msg->memory.n; i++) {
		uint64_t n_bytes = msg->memory.regions[i].n_bytes;
		uint64_t offset = msg->memory.regions[i].offset;
		const char *why;

		if (n_bytes == 0 || overflows(msg->memory.regions[i].gpa, n_bytes) ||
		    overflows(msg->memory.regions[i].address, n_bytes) ||
		    overflows(offset, n_bytes))
			return "describes memory that begins behind its end";
		/* The library maps the file from its beginning. */
		if (offset + n_bytes > rules->limits.memory_bytes - total_bytes)
			return "describes more memory than the host has";
		total_bytes += offset + n_bytes;
		why = judge_file(msg->fds[i], offset + n_bytes);
		if (why != NULL)
			return why;
	}
	return NULL;
}

/* ---- order ------------------------------------------------------------------------------------------- */

static bool is_any_started(const struct hg_vhost_rules *rules)
{
	for (uint32_t i = 0; i < rules->limits.n_rings; i++) {
		if (rules->rings[i].is_started)
			return true;
	}
	return false;
}

static const char *judge_size(struct hg_vhost_rules *rules, const struct hg_vhost_message *msg)
{
	uint32_t n = msg->ring.num;
	bool is_packed = (rules->features >> VIRTIO_F_RING_PACKED & 1u) != 0;

	if (!rules->has_features)
		return "describes a queue before it has chosen its features";
	if (n == 0 || n > rules->limits.ring_size || (!is_packed && (n & (n - 1u)) != 0))
		return "wants a queue of a size that none may have";
	rules->rings[msg->ring.index].has_size = true;
	return NULL;
}

static const char *judge_place(struct hg_vhost_rules *rules, const struct hg_vhost_message *msg)
{
	if (!rules->has_memory)
		return "places a queue before it has described its memory";
	if (!rules->rings[msg->address.index].has_size)
		return "places a queue before it has said its size";
	/* Of changes in its memory we keep no log, and did not offer to. */
	if (msg->address.flags != 0)
		return "wants a log that it was not offered";
	rules->rings[msg->address.index].has_place = true;
	return NULL;
}

static const char *judge_ring(struct hg_vhost_rules *rules, const struct hg_vhost_message *msg)
{
	uint32_t idx = hg_vhost_message_ring(msg);

	switch (msg->request) {
	case HG_VHOST_SET_VRING_NUM:
	case HG_VHOST_SET_VRING_ADDR:
	case HG_VHOST_SET_VRING_BASE:
		if (rules->rings[idx].is_started)
			return "changes a queue that is in use";
		break;
	default:
		break;
	}
	switch (msg->request) {
	case HG_VHOST_SET_VRING_NUM:
		return judge_size(rules, msg);
	case HG_VHOST_SET_VRING_ADDR:
		return judge_place(rules, msg);
	case HG_VHOST_SET_VRING_KICK:
		if (!rules->rings[idx].has_place)
			return "starts a queue before it has placed it";
		rules->rings[idx].is_started = true;
		return NULL;
	case HG_VHOST_GET_VRING_BASE:
		/* The library stops the whole device, and forgets where this ring lay. */
		rules->rings[idx].is_started = rules->rings[idx].has_place = false;
		rules->rings[idx].has_size = false;
		return NULL;
	default:
		return NULL;
	}
}

static const char *judge_device(struct hg_vhost_rules *rules, const struct hg_vhost_message *msg)
{
	const char *why;

	switch (msg->request) {
	case HG_VHOST_SET_FEATURES:
		if (is_any_started(rules) && msg->number != rules->features)
			return "changes its features while it is in use";
		/* What was said of rings may have been right for others only. */
		if (msg->number != rules->features)
			memset(rules->rings, 0, sizeof(rules->rings));
		rules->features = msg->number;
		rules->has_features = true;
		return NULL;
	case HG_VHOST_SET_MEM_TABLE:
		why = judge_memory(rules, msg);
		if (why == NULL)
			rules->has_memory = true;
		return why;
	case HG_VHOST_RESET_OWNER:
		forget(rules);
		return NULL;
	case HG_VHOST_NET_SET_MTU:
		return msg->number < MTU_MIN || msg->number > MTU_MAX
			       ? "has an MTU outside [68, 65535]"
			       : NULL;
	default:
		return NULL;
	}
}

const char *hg_vhost_rules_judge(struct hg_vhost_rules *rules, const struct hg_vhost_message *msg,
				 hg_ns now_ns)
{
	const char *why;

	if (!spend(rules, HG_VHOST_MESSAGE_COST_NS, now_ns))
		return "talks too much: more than 1,000 messages a second";
	why = judge_form(rules, msg);
	if (why == NULL)
		why = judge_device(rules, msg);
	if (why == NULL)
		why = judge_ring(rules, msg);
	return why;
}
