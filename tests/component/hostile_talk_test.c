/* Guests that mean harm, on the real packet lane: what they say to us over their socket. */
#include "tests/component/hostile.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct guest_msg get_features = {.request = GUEST_GET_FEATURES};

static struct guest_msg with_number(enum guest_request request, uint64_t number)
{
	struct guest_msg msg = {.request = (uint32_t)request, .n_bytes = 8};

	msg.number = number;
	return msg;
}

static struct guest_msg with_ring(enum guest_request request, uint32_t idx, uint32_t number)
{
	struct guest_msg msg = {.request = (uint32_t)request, .n_bytes = 8};

	msg.ring = (struct vhost_vring_state){idx, number};
	return msg;
}

static struct guest_msg with_memory(uint64_t n_bytes, uint64_t offset)
{
	struct guest_msg msg = {.request = GUEST_SET_MEM_TABLE, .n_bytes = 40};

	msg.memory.n = 1;
	msg.memory.regions[0] = (struct guest_msg_region){GUEST_GPA, n_bytes, 0x100000, offset};
	return msg;
}

static int memory_fd(void)
{
	return guest_memory(attack.guest)->fd;
}

/* One message of a guest that is up, and what comes of it. */
static void one_message(struct guest_msg msg, const int *fds, unsigned n_fds, const char *reason)
{
	attack_begin(0);
	attack_say(msg, fds, n_fds);
	attack_expect(reason);
	attack_end();
}

/* ---- form -------------------------------------------------------------------------------------------- */

static void s5_1_hostile_messages_that_are_none(void)
{
	struct guest_msg msg = get_features;

	msg.request = 1000;
	one_message(msg, NULL, 0, "sent a message that it was not offered");
	msg = get_features;
	msg.n_bytes = 500;
	one_message(msg, NULL, 0, "sent a message whose length is wrong");
	msg = with_number(GUEST_SET_FEATURES, 0);
	msg.n_bytes = 4;
	one_message(msg, NULL, 0, "sent a message whose length is wrong");
	msg = get_features;
	msg.flags = 2;
	one_message(msg, NULL, 0, "speaks another version of vhost-user than 1");
}

/* What the library would do wrong: write behind a mapping, fill memory, keep descriptors. */
static void s5_1_hostile_messages_that_were_not_offered(void)
{
	const char *why = "sent a message that it was not offered";
	struct {
		uint64_t n_bytes, offset;
		uint16_t n_queues, queue_size;
	} inflight = {1, 0, 2, 65535};
	struct guest_msg msg = {.request = GUEST_SET_INFLIGHT_FD, .n_bytes = sizeof(inflight)};
	int fd = memfd_create("inflight", MFD_CLOEXEC);

	HG_CHECK(fd >= 0 && ftruncate(fd, 4096) == 0);
	memcpy(msg.bytes, &inflight, sizeof(inflight));
	one_message(msg, &fd, 1, why);
	msg.request = GUEST_GET_INFLIGHT_FD;
	one_message(msg, NULL, 0, why);
	msg = with_number(GUEST_SET_LOG_BASE, 1u << 30);
	msg.n_bytes = 16;
	one_message(msg, &fd, 1, why);
	one_message(with_number(GUEST_SET_SLAVE_REQ_FD, 0), &fd, 1, why);
	close(fd);
}

static void s5_1_hostile_descriptors_too_many_or_too_few(void)
{
	const char *why = "more or fewer descriptors than it says";
	int fds[8];

	for (unsigned i = 0; i < 8; i++)
		fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	one_message(get_features, fds, 8, why);
	one_message(with_number(GUEST_SET_VRING_KICK, 0), NULL, 0, why);
	one_message(with_number(GUEST_SET_VRING_KICK, GUEST_MSG_NO_FD), fds, 1, why);
	one_message(with_number(GUEST_SET_VRING_CALL, 0), fds, 3, why);
	one_message(with_memory(4096, 0), NULL, 0, why);
	for (unsigned i = 0; i < 8; i++)
		close(fds[i]);
}

/* ---- order ------------------------------------------------------------------------------------------- */

static void s5_1_hostile_messages_in_the_wrong_order(void)
{
	one_message(with_ring(GUEST_SET_VRING_NUM, 1, 32768), NULL, 0,
		    "changes a queue that is in use");
	one_message(with_ring(GUEST_SET_VRING_BASE, 1, 77), NULL, 0,
		    "changes a queue that is in use");
	one_message(with_number(GUEST_SET_FEATURES, 0), NULL, 0,
		    "changes its features while it is in use");
	one_message(with_ring(GUEST_SET_VRING_ENABLE, 200, 1), NULL, 0,
		    "speaks of a queue that it does not have");
}

/* Of a pair that it has not described. */
static void s5_1_hostile_ring_before_everything(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	attack_begin(0);
	attack_say(with_number(GUEST_SET_VRING_KICK, 2), &fd, 1);
	attack_expect("starts a queue before it has placed it");
	attack_end();
	close(fd);
}

static void s5_1_hostile_ring_sizes(void)
{
	static const uint32_t sizes[] = {0, 3, 100, 65536};

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		attack_begin(0);
		attack_say(with_ring(GUEST_GET_VRING_BASE, 0, 0), NULL, 0);
		attack_say(with_ring(GUEST_SET_VRING_NUM, 0, sizes[i]), NULL, 0);
		attack_expect("wants a queue of a size that none may have");
		attack_end();
	}
}

/* ---- memory ------------------------------------------------------------------------------------------ */

static void s5_1_hostile_memory_tables(void)
{
	struct guest_msg msg = with_memory(4096, 0);
	int fds[8], event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int fd = memfd_create("table", MFD_CLOEXEC);

	HG_CHECK(fd >= 0 && event >= 0 && ftruncate(fd, 1 << 20) == 0);
	one_message(with_memory(UINT64_C(1) << 46, 0), &fd, 1, "more memory than the host has");
	one_message(with_memory((1 << 20) + 1, 0), &fd, 1, "more memory than its file has");
	one_message(with_memory(4096, 1 << 20), &fd, 1, "more memory than its file has");
	one_message(with_memory(4096, UINT64_MAX - 100), &fd, 1, "begins behind its end");
	one_message(with_memory(4096, 0), &event, 1, "memory that is not a file");
	msg.memory.n = 8;
	msg.n_bytes = 8 + 8 * 32;
	for (unsigned i = 0; i < 8; i++) {
		fds[i] = fd;
		msg.memory.regions[i] = (struct guest_msg_region){GUEST_GPA + (uint64_t)i * 4096,
								  4096, 0x100000, 0};
	}
	fds[7] = event;
	one_message(msg, fds, 8, "memory that is not a file");
	msg.memory.n = UINT32_MAX;
	one_message(msg, fds, 8, "more than 8 regions");
	close(fd);
	close(event);
}

/* Another table while the rings are in use, as when memory is plugged in: the worker must be out of the old one
 * before it goes. This guest means no harm, and loses nothing. */
static void s5_1_memory_may_change_under_running_rings(void)
{
	struct guest_memory *memory;
	uint8_t frame[60];

	attack_begin(0);
	memory = guest_memory(attack.guest);
	host_write_frame(&attack.host, "b1", "up0", frame, sizeof(frame));
	for (unsigned i = 0; i < 40; i++) {
		struct guest_msg msg = with_memory(memory->n_bytes - (i % 2u) * 4096, 0);
		int fd = memory_fd();

		msg.memory.regions[0].address = (uintptr_t)memory->bytes;
		HG_CHECK(guest_send(attack.guest, 0, frame, sizeof(frame), NULL));
		attack_say(msg, &fd, 1);
		host_release(&attack.host, host_receive(&attack.host, "up0"));
	}
	WAIT_FOR(host_port(&attack.host, "b1").link == HG_PORT_UP);
	attack_end();
}

/* The rings do not lie in what is described now. */
static void s5_1_hostile_memory_without_its_rings(void)
{
	int fd = memfd_create("other", MFD_CLOEXEC);

	HG_CHECK(fd >= 0 && ftruncate(fd, 1 << 20) == 0);
	attack_begin(0);
	attack_say(with_memory(1 << 20, 0), &fd, 1);
	attack_expect("");
	attack_end();
	close(fd);
}

/* ---- the connection ---------------------------------------------------------------------------------- */

static void bytes(const void *what, size_t n_bytes)
{
	HG_CHECK(guest_msg_send_bytes(guest_connection(attack.guest), what, n_bytes, NULL, 0) == 0);
}

static void s5_1_hostile_disconnects_in_mid_message(void)
{
	struct guest_msg msg = with_memory(4096, 0);

	for (unsigned n = 1; n < 52; n += 10) {
		attack_begin(0);
		msg.flags = GUEST_MSG_VERSION;
		bytes(&msg, n);
		guest_disconnect(attack.guest);
		attack_let_others_talk(20);
		attack_end();
	}
}

/* Whoever stops in the middle of a message does not keep others from connecting. */
static void s5_1_hostile_stops_in_mid_message(void)
{
	struct guest_msg msg = with_memory(4096, 0);
	struct hg_dp_port_sample sample;
	hg_ns at_ns;

	attack_begin(0);
	msg.flags = GUEST_MSG_VERSION;
	for (unsigned i = 0; i < 20; i++) {
		guest_disconnect(attack.guest);
		WAIT_FOR(guest_serve(attack.guest) != GUEST_WAITING);
		bytes(&msg, GUEST_MSG_HEADER_BYTES);
	}
	/* The library's thread looks at a connection of ours at once. */
	at_ns = clock_now_ns();
	attack_come_again();
	sample = host_port(&attack.host, "b1");
	HG_CHECK_EQ(sample.link, HG_PORT_UP);
	HG_CHECK_BETWEEN(clock_now_ns() - at_ns, 0, 15 * HG_NS_PER_S);
	attack_end();
}

/* One more of it, unless there is no room before the library's thread is run. Returns whether that has ended the
 * connection. */
static bool has_ended_over(const struct guest_msg *msg)
{
	int fd = guest_connection(attack.guest);
	struct guest_msg answer;

	if (guest_msg_send(fd, msg, NULL, 0) == -EPIPE)
		return true;
	while (guest_msg_receive(fd, &answer) == 0)
		;
	return false;
}

static void s5_1_hostile_flood_of_messages(void)
{
	struct guest_msg msg = get_features;

	attack_begin(0);
	msg.flags = GUEST_MSG_VERSION;
	WAIT_FOR(has_ended_over(&msg));
	attack_expect("1,000 messages a second");
	attack_let_others_talk(100);
	/* It has to wait until it may speak again; then it may. */
	attack_end();
}

/* Answers that nobody reads fill the socket; the library's thread must not wait for room. */
static void s5_1_hostile_reads_no_answers(void)
{
	struct guest_msg msg = get_features;

	attack_begin(0);
	msg.flags = GUEST_MSG_VERSION;
	WAIT_FOR(guest_msg_send(guest_connection(attack.guest), &msg, NULL, 0) == -EPIPE);
	attack_let_others_talk(100);
	attack_end();
}

static void s5_1_hostile_connects_and_leaves_without_end(void)
{
	hg_ns until_ns;

	attack_begin(0);
	until_ns = clock_now_ns() + HG_NS_PER_S;
	while (clock_now_ns() < until_ns) {
		guest_serve(attack.guest);
		guest_disconnect(attack.guest);
	}
	attack_let_others_talk(100);
	attack_end();
}

/* ---- descriptors that the worker writes to ------------------------------------------------------------- */

/* A counter that is full makes a write wait, unless it must not. */
static void s5_1_hostile_call_descriptor_that_is_full(void)
{
	uint64_t full = UINT64_MAX - 1u;
	int fd = eventfd(0, EFD_CLOEXEC);

	HG_CHECK(fd >= 0 && write(fd, &full, sizeof(full)) == sizeof(full));
	attack_begin(0);
	attack_say(with_number(GUEST_SET_VRING_CALL, 0), &fd, 1);
	for (unsigned i = 0; i < 4; i++)
		host_inject(&attack.host, "up0", host_packet(&attack.host, "up0", "b1", 1000, i));
	attack_let_others_talk(100);
	attack_end();
	close(fd);
}

static void s5_1_hostile_call_descriptor_that_is_none(void)
{
	int fds[2];

	HG_CHECK(pipe(fds) == 0);
	attack_begin(0);
	attack_say(with_number(GUEST_SET_VRING_CALL, 0), &fds[1], 1);
	for (unsigned i = 0; i < 4; i++)
		host_inject(&attack.host, "up0", host_packet(&attack.host, "up0", "b1", 1000, i));
	attack_let_others_talk(100);
	attack_end();
	close(fds[0]);
	close(fds[1]);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s5_1_hostile_messages_that_are_none),
		HG_TEST(s5_1_hostile_messages_that_were_not_offered),
		HG_TEST(s5_1_hostile_descriptors_too_many_or_too_few),
		HG_TEST(s5_1_hostile_messages_in_the_wrong_order),
		HG_TEST(s5_1_hostile_ring_before_everything),
		HG_TEST(s5_1_hostile_ring_sizes),
		HG_TEST(s5_1_hostile_memory_tables),
		HG_TEST(s5_1_memory_may_change_under_running_rings),
		HG_TEST(s5_1_hostile_memory_without_its_rings),
		HG_TEST(s5_1_hostile_disconnects_in_mid_message),
		HG_TEST(s5_1_hostile_stops_in_mid_message),
		HG_TEST(s5_1_hostile_flood_of_messages),
		HG_TEST(s5_1_hostile_reads_no_answers),
		HG_TEST(s5_1_hostile_connects_and_leaves_without_end),
		HG_TEST(s5_1_hostile_call_descriptor_that_is_full),
		HG_TEST(s5_1_hostile_call_descriptor_that_is_none),
		{0}};

	return hg_tests_main(argc, argv, tests);
}
