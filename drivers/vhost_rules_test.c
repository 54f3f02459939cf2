#include "drivers/vhost_rules.h"

#include "tests/harness.h"

#include <fcntl.h>
#include <linux/virtio_config.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEMORY_BYTES (UINT64_C(1) << 20)

static struct hg_vhost_rules rules;
static hg_ns now_ns;
static int file = -1;

static void begin(void)
{
	static const struct hg_vhost_limits limits = {
		.n_rings = 4, .ring_size = 1024, .memory_bytes = UINT64_C(64) << 20};

	now_ns = 0;
	hg_vhost_rules_init(&rules, &limits, now_ns);
	HG_CHECK(hg_vhost_rules_connect(&rules, now_ns) == NULL);
	if (file < 0)
		file = memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	HG_CHECK(file >= 0 && ftruncate(file, (off_t)MEMORY_BYTES) == 0);
}

/* What was said of it, or "": allowed. */
static const char *judge(const struct hg_vhost_message *msg)
{
	const char *why = hg_vhost_rules_judge(&rules, msg, now_ns);

	return why != NULL ? why : "";
}

static struct hg_vhost_message message(enum hg_vhost_request request, uint32_t n_bytes)
{
	return (struct hg_vhost_message){
		.request = (uint32_t)request, .flags = 1, .n_bytes = n_bytes};
}

static const char *say(enum hg_vhost_request request)
{
	struct hg_vhost_message msg = message(request, 0);

	return judge(&msg);
}

static const char *say_number(enum hg_vhost_request request, uint64_t number)
{
	struct hg_vhost_message msg = message(request, 8);

	msg.number = number;
	if (request >= HG_VHOST_SET_VRING_KICK && request <= HG_VHOST_SET_VRING_ERR)
		msg.n_fds = 1;
	return judge(&msg);
}

static const char *say_ring(enum hg_vhost_request request, uint32_t idx, uint32_t number)
{
	struct hg_vhost_message msg = message(request, 8);

	msg.ring = (struct vhost_vring_state){idx, number};
	return judge(&msg);
}

static const char *say_place(uint32_t idx, uint32_t flags)
{
	struct hg_vhost_message msg = message(HG_VHOST_SET_VRING_ADDR, 40);

	msg.address = (struct vhost_vring_addr){.index = idx, .flags = flags};
	return judge(&msg);
}

static const char *say_memory(int fd, uint64_t n_bytes, uint64_t offset)
{
	struct hg_vhost_message msg = message(HG_VHOST_SET_MEM_TABLE, 40);

	msg.memory.n = 1;
	msg.memory.regions[0].gpa = 4096;
	msg.memory.regions[0].n_bytes = n_bytes;
	msg.memory.regions[0].offset = offset;
	msg.fds[0] = fd;
	msg.n_fds = 1;
	return judge(&msg);
}

static void start_ring(uint32_t idx)
{
	HG_CHECK_STR(say_ring(HG_VHOST_SET_VRING_NUM, idx, 256), "");
	HG_CHECK_STR(say_ring(HG_VHOST_SET_VRING_BASE, idx, 0), "");
	HG_CHECK_STR(say_place(idx, 0), "");
	HG_CHECK_STR(say_number(HG_VHOST_SET_VRING_KICK, idx), "");
	HG_CHECK_STR(say_number(HG_VHOST_SET_VRING_CALL, idx), "");
	HG_CHECK_STR(say_ring(HG_VHOST_SET_VRING_ENABLE, idx, 1), "");
}

static void start(void)
{
	HG_CHECK_STR(say(HG_VHOST_GET_FEATURES), "");
	HG_CHECK_STR(say(HG_VHOST_GET_PROTOCOL_FEATURES), "");
	HG_CHECK_STR(say_number(HG_VHOST_SET_PROTOCOL_FEATURES, 9), "");
	HG_CHECK_STR(say(HG_VHOST_GET_QUEUE_NUM), "");
	HG_CHECK_STR(say(HG_VHOST_SET_OWNER), "");
	/* QEMU gives call descriptors long before the rest. */
	HG_CHECK_STR(say_number(HG_VHOST_SET_VRING_CALL, 0), "");
	HG_CHECK_STR(say_number(HG_VHOST_SET_FEATURES, 0), "");
	HG_CHECK_STR(say_number(HG_VHOST_NET_SET_MTU, 9000), "");
	HG_CHECK_STR(say_memory(file, MEMORY_BYTES, 0), "");
	for (uint32_t i = 0; i < 4; i++)
		start_ring(i);
}

static void s5_1_an_honest_guest_starts_stops_and_starts(void)
{
	begin();
	start();
	/* More memory while it runs, as when it is plugged in. */
	HG_CHECK_STR(say_memory(file, MEMORY_BYTES / 2, 0), "");
	HG_CHECK_STR(say_number(HG_VHOST_SET_FEATURES, 0), "");
	for (uint32_t i = 0; i < 4; i++)
		HG_CHECK_STR(say_ring(HG_VHOST_GET_VRING_BASE, i, 0), "");
	HG_CHECK_STR(say_number(HG_VHOST_SET_FEATURES, 1), "");
	for (uint32_t i = 0; i < 4; i++)
		start_ring(i);
	HG_CHECK_STR(say(HG_VHOST_RESET_OWNER), "");
	start();
}

static void s5_1_messages_that_are_none_are_refused(void)
{
	struct hg_vhost_message msg;

	begin();
	/* Records in flight, logs, post-copy, translation, requests of our own: not offered. */
	static const uint32_t not_offered[] = {0,  6,  7,  19, 21, 22, 24,
					       28, 31, 32, 39, 40, 41, 1000};

	for (unsigned i = 0; i < sizeof(not_offered) / sizeof(not_offered[0]); i++)
		HG_CHECK_STR(say((enum hg_vhost_request)not_offered[i]),
			     "sent a message that it was not offered");
	msg = message(HG_VHOST_GET_FEATURES, 0);
	msg.flags = 2;
	HG_CHECK_STR(judge(&msg), "speaks another version of vhost-user than 1");
	msg = message(HG_VHOST_SET_FEATURES, 4);
	HG_CHECK_STR(judge(&msg), "sent a message whose length is wrong");
	msg = message(HG_VHOST_GET_FEATURES, 0);
	msg.n_fds = 1;
	HG_CHECK_STR(judge(&msg), "sent a message with more or fewer descriptors than it says");
	msg = message(HG_VHOST_SET_VRING_KICK, 8);
	HG_CHECK_STR(judge(&msg), "sent a message with more or fewer descriptors than it says");
	msg.number = 0x100;
	msg.n_fds = 1;
	HG_CHECK_STR(judge(&msg), "sent a message with more or fewer descriptors than it says");
	HG_CHECK_STR(say_ring(HG_VHOST_SET_VRING_ENABLE, 4, 1),
		     "speaks of a queue that it does not have");
	HG_CHECK_STR(say_ring(HG_VHOST_GET_VRING_BASE, UINT32_MAX, 1),
		     "speaks of a queue that it does not have");
	HG_CHECK_STR(say_number(HG_VHOST_SET_VRING_CALL, 255),
		     "speaks of a queue that it does not have");
	HG_CHECK_STR(say_number(HG_VHOST_NET_SET_MTU, 67), "has an MTU outside [68, 65535]");
	HG_CHECK_STR(say_number(HG_VHOST_NET_SET_MTU, 65536), "has an MTU outside [68, 65535]");
}

static void s5_1_messages_in_the_wrong_order_are_refused(void)
{
	begin();
	HG_CHECK_STR(say_ring(HG_VHOST_SET_VRING_NUM, 0, 256),
		     "describes a queue before it has chosen its features");
	HG_CHECK_STR(say_place(0, 0), "places a queue before it has described its memory");
	HG_CHECK_STR(say_number(HG_VHOST_SET_VRING_KICK, 0),
		     "starts a queue before it has placed it");
	HG_CHECK_STR(say_number(HG_VHOST_SET_FEATURES, 0), "");
	HG_CHECK_STR(say_memory(file, MEMORY_BYTES, 0), "");
	HG_CHECK_STR(say_place(0, 0), "places a queue before it has said its size");
	start_ring(0);
	HG_CHECK_STR(say_ring(HG_VHOST_SET_VRING_NUM, 0, 512), "changes a queue that is in use");
	HG_CHECK_STR(say_ring(HG_VHOST_SET_VRING_BASE, 0, 7), "changes a queue that is in use");
	HG_CHECK_STR(say_place(0, 0), "changes a queue that is in use");
	HG_CHECK_STR(say_number(HG_VHOST_SET_FEATURES, 1),
		     "changes its features while it is in use");
	/* What was said before other features were chosen does not count. */
	HG_CHECK_STR(say_ring(HG_VHOST_GET_VRING_BASE, 0, 0), "");
	HG_CHECK_STR(say_ring(HG_VHOST_SET_VRING_NUM, 1, 256), "");
	HG_CHECK_STR(say_number(HG_VHOST_SET_FEATURES, 1), "");
	HG_CHECK_STR(say_place(1, 0), "places a queue before it has said its size");
	/* Nor what was said in another connection. */
	HG_CHECK(hg_vhost_rules_connect(&rules, now_ns) == NULL);
	HG_CHECK_STR(say_place(0, 0), "places a queue before it has described its memory");
}

static void s5_1_ring_sizes_that_none_may_have_are_refused(void)
{
	static const uint32_t sizes[] = {0, 3, 255, 2048, 65536, UINT32_MAX};
	const char *why = "wants a queue of a size that none may have";

	begin();
	HG_CHECK_STR(say_number(HG_VHOST_SET_FEATURES, 0), "");
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		HG_CHECK_STR(say_ring(HG_VHOST_SET_VRING_NUM, 0, sizes[i]), why);
	HG_CHECK_STR(say_number(HG_VHOST_SET_FEATURES, UINT64_C(1) << VIRTIO_F_RING_PACKED), "");
	HG_CHECK_STR(say_ring(HG_VHOST_SET_VRING_NUM, 0, 0), why);
	HG_CHECK_STR(say_ring(HG_VHOST_SET_VRING_NUM, 0, 1025), why);
	HG_CHECK_STR(say_ring(HG_VHOST_SET_VRING_NUM, 0, 3), "");
	HG_CHECK_STR(say_memory(file, MEMORY_BYTES, 0), "");
	HG_CHECK_STR(say_place(0, 1), "wants a log that it was not offered");
}

static void s5_1_memory_that_is_none_is_refused(void)
{
	struct hg_vhost_message msg;
	int pipes[2], event = eventfd(0, 0), only_read;
	char path[64];

	begin();
	HG_CHECK(pipe(pipes) == 0 && event >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	only_read = open(path, O_RDONLY);
	HG_CHECK_STR(say_memory(file, MEMORY_BYTES + 1, 0),
		     "describes more memory than its file has");
	HG_CHECK_STR(say_memory(file, MEMORY_BYTES, 1), "describes more memory than its file has");
	HG_CHECK_STR(say_memory(file, UINT64_C(1) << 50, 0),
		     "describes more memory than the host has");
	HG_CHECK_STR(say_memory(file, 4096, UINT64_C(1) << 50),
		     "describes more memory than the host has");
	HG_CHECK_STR(say_memory(file, UINT64_MAX - 4095, 4096),
		     "describes memory that begins behind its end");
	HG_CHECK_STR(say_memory(file, 0, 0), "describes memory that begins behind its end");
	HG_CHECK_STR(say_memory(event, 4096, 0), "describes memory that is not a file");
	HG_CHECK_STR(say_memory(pipes[0], 4096, 0), "describes memory that is not a file");
	HG_CHECK_STR(say_memory(-1, 4096, 0), "describes memory that is not a file");
	HG_CHECK_STR(say_memory(only_read, 4096, 0), "describes memory that may not be written to");
	msg = message(HG_VHOST_SET_MEM_TABLE, 8);
	HG_CHECK_STR(judge(&msg), "describes no memory");
	msg.memory.n = 9;
	msg.n_bytes = 8 + 9 * 32;
	HG_CHECK_STR(judge(&msg), "describes memory of more than 8 regions");
	msg.memory.n = UINT32_MAX;
	HG_CHECK_STR(judge(&msg), "describes memory of more than 8 regions");
	HG_CHECK(fcntl(file, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0);
	HG_CHECK_STR(say_memory(file, 4096, 0), "describes memory that may not be written to");
	close(file);
	file = -1;
	close(event);
	close(only_read);
	close(pipes[0]);
	close(pipes[1]);
}

static void s5_1_a_flood_of_messages_is_refused_and_forgiven(void)
{
	unsigned n = 0;

	begin();
	while (say(HG_VHOST_GET_FEATURES)[0] == '\0' && n < 100000)
		n++;
	HG_CHECK_BETWEEN(n, 1000, 5000);
	HG_CHECK_STR(say(HG_VHOST_GET_FEATURES),
		     "talks too much: more than 1,000 messages a second");
	/* A new connection does not help. */
	HG_CHECK(hg_vhost_rules_connect(&rules, now_ns) != NULL);
	/* Nor going on: who comes after it finds enough to start. */
	for (unsigned i = 0; i < 900; i++) {
		now_ns += HG_NS_PER_MS;
		HG_CHECK(say(HG_VHOST_GET_FEATURES)[0] != '\0');
	}
	now_ns += 200 * HG_NS_PER_MS;
	HG_CHECK(hg_vhost_rules_connect(&rules, now_ns) == NULL);
	start();
}

static void s5_1_descriptors_of_a_refused_message_are_closed(void)
{
	struct hg_vhost_message msg = message(HG_VHOST_SET_LOG_BASE, 16);

	msg.fds[0] = eventfd(0, 0);
	msg.fds[1] = -1;
	msg.n_fds = 2;
	HG_CHECK(msg.fds[0] >= 0);
	int fd = msg.fds[0];

	hg_vhost_message_drop(&msg);
	HG_CHECK(fcntl(fd, F_GETFD) < 0);
	HG_CHECK_EQ(msg.n_fds, 0);
}

/* A message that is often right and never far from it. */
static struct hg_vhost_message random_message(uint64_t *random)
{
	struct hg_vhost_message msg =
		message((enum hg_vhost_request)hg_test_between(random, 1, 21), 8);
	uint32_t idx = (uint32_t)hg_test_between(random, 0, 4);

	for (unsigned i = 0; i < HG_VHOST_REGIONS_MAX; i++)
		msg.fds[i] = file;
	msg.n_fds =
		msg.request == HG_VHOST_SET_MEM_TABLE ||
		(msg.request >= HG_VHOST_SET_VRING_KICK && msg.request <= HG_VHOST_SET_VRING_ERR);
	switch (msg.request) {
	case HG_VHOST_SET_MEM_TABLE:
		msg.n_bytes = 40;
		msg.memory.n = 1;
		msg.memory.regions[0].n_bytes = hg_test_between(random, 0, 2 * MEMORY_BYTES);
		break;
	case HG_VHOST_SET_VRING_ADDR:
		msg.n_bytes = 40;
		msg.address.index = idx;
		msg.address.flags = (uint32_t)hg_test_between(random, 0, 1);
		break;
	case HG_VHOST_SET_FEATURES:
		/* Seldom others: what was said of rings would never last. */
		msg.number = hg_test_between(random, 0, 50) == 0
				     ? UINT64_C(1) << VIRTIO_F_RING_PACKED
				     : 0;
		break;
	case HG_VHOST_RESET_OWNER:
		msg.n_bytes = hg_test_between(random, 0, 9) == 0 ? 0 : 8;
		break;
	default:
		msg.ring.index = idx;
		msg.ring.num = (uint32_t)hg_test_between(random, 0, 3);
		if (msg.request >= HG_VHOST_SET_VRING_KICK && msg.request <= HG_VHOST_SET_VRING_ERR)
			msg.ring.num = 0;
	}
	return msg;
}

/* Whatever is said, a ring is started only with all that it needs. */
static void s5_1_no_history_starts_a_ring_without_memory_size_and_place(void)
{
	uint64_t random = hg_test_seed;
	unsigned n_started = 0;

	begin();
	for (unsigned i = 0; i < (hg_test_rounds > 0 ? hg_test_rounds : 200000u); i++) {
		struct hg_vhost_message msg = random_message(&random);
		uint32_t idx = hg_vhost_message_ring(&msg);

		now_ns += HG_NS_PER_MS;
		if (hg_vhost_rules_judge(&rules, &msg, now_ns) != NULL ||
		    msg.request != HG_VHOST_SET_VRING_KICK)
			continue;
		HG_CHECK(rules.has_features && rules.has_memory && rules.rings[idx].has_size &&
			 rules.rings[idx].has_place);
		n_started++;
	}
	HG_CHECK_BETWEEN(n_started, 100, UINT32_MAX);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s5_1_an_honest_guest_starts_stops_and_starts),
		HG_TEST(s5_1_messages_that_are_none_are_refused),
		HG_TEST(s5_1_messages_in_the_wrong_order_are_refused),
		HG_TEST(s5_1_ring_sizes_that_none_may_have_are_refused),
		HG_TEST(s5_1_memory_that_is_none_is_refused),
		HG_TEST(s5_1_a_flood_of_messages_is_refused_and_forgiven),
		HG_TEST(s5_1_descriptors_of_a_refused_message_are_closed),
		HG_TEST(s5_1_no_history_starts_a_ring_without_memory_size_and_place),
		{0}};

	return hg_tests_main(argc, argv, tests);
}
