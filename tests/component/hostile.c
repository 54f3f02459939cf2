#define HG_TESTS_HELPER
#include "tests/component/hostile.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define PAIR_FRAME_BYTES 200u
#define ETHERNET_BYTES 14u

struct attack attack;

/* ---- the honest pair --------------------------------------------------------------------------------- */

static void pair_fails(const char *what, const struct guest *guest)
{
	if (atomic_load(&attack.is_wrong))
		return;
	snprintf(attack.wrong, sizeof(attack.wrong), "the honest pair: %s (%s)", what,
		 guest_why(guest));
	atomic_store(&attack.is_wrong, true);
}

static void write_pair_frame(uint8_t *frame, unsigned from, uint64_t number)
{
	host_write_frame(&attack.host, from == 0 ? "a1" : "a2", from == 0 ? "a2" : "a1", frame,
			 PAIR_FRAME_BYTES);
	memcpy(frame + PAIR_FRAME_BYTES - sizeof(number), &number, sizeof(number));
}

static void exchange_one(unsigned from, uint64_t number)
{
	struct guest *sender = attack.honest[from], *receiver = attack.honest[1u - from];
	uint8_t want[PAIR_FRAME_BYTES], got[2048];
	hg_ns until_ns = clock_now_ns() + PATIENCE_NS;
	size_t n = 0;

	write_pair_frame(want, from, number);
	if (!guest_send(sender, 0, want, sizeof(want), NULL)) {
		pair_fails("cannot send", sender);
		return;
	}
	while (n == 0 && clock_now_ns() < until_ns && !atomic_load(&attack.is_wrong)) {
		n = guest_receive(receiver, 0, got, sizeof(got), NULL);
		if (n > 0)
			break;
		if (guest_serve(sender) != GUEST_UP || guest_serve(receiver) != GUEST_UP)
			pair_fails("lost its connection", receiver);
		guest_wait(receiver, 100);
	}
	if (n != sizeof(want) || memcmp(want, got, n) != 0)
		pair_fails(n == 0 ? "lost a frame" : "got another frame than was sent", receiver);
	atomic_fetch_add(&attack.n_exchanged, 1);
}

static void *pair_run(void *unused)
{
	for (uint64_t i = 0; !atomic_load(&attack.want_stop) && !atomic_load(&attack.is_wrong); i++)
		exchange_one((unsigned)(i % 2u), i);
	return unused;
}

static void check_pair(void)
{
	if (atomic_load(&attack.is_wrong))
		HG_TEST_FAIL("%s", attack.wrong);
}

void attack_let_others_talk(unsigned n)
{
	uint64_t enough = atomic_load(&attack.n_exchanged) + n;

	WAIT_FOR(atomic_load(&attack.n_exchanged) >= enough || atomic_load(&attack.is_wrong));
	check_pair();
}

/* ---- life -------------------------------------------------------------------------------------------- */

static unsigned count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

/* When a port is up the control lane may still close what it had before: as many in a few looks, the others at work in
 * between. */
static unsigned count_settled_fds(void)
{
	unsigned n = count_fds(), n_same = 0;

	while (n_same < 5) {
		unsigned n_before = n;

		attack_let_others_talk(10);
		n = count_fds();
		n_same = n == n_before ? n_same + 1 : 0;
	}
	return n;
}

/* None is left, once what is under way is over. Fewer are none of ours: what a guest of the test before had is closed when
 * its end is noticed, which may be after this one began. */
static void check_fds(void)
{
	hg_ns until_ns = clock_now_ns() + PATIENCE_NS;
	unsigned n_fds = count_fds();

	while (n_fds > attack.n_fds_before && clock_now_ns() < until_ns) {
		attack_let_others_talk(10);
		n_fds = count_fds();
	}
	HG_CHECK_BETWEEN(n_fds, 0, attack.n_fds_before);
}

static struct guest *open_guest(unsigned i, uint64_t features)
{
	struct guest_cfg cfg = {.path = attack.paths[i], .features = features, .n_pairs = 1};
	struct guest *guest;
	int result = guest_open(&cfg, &guest);

	if (result < 0)
		HG_TEST_FAIL("%s: %s", cfg.path, strerror(-result));
	return guest;
}

static bool is_up(struct guest *guest, const char *port)
{
	guest_wait(guest, 1);
	return guest_serve(guest) == GUEST_UP && host_port(&attack.host, port).link == HG_PORT_UP;
}

/* What a failed test left. */
static void forget(void)
{
	if (!attack.is_running)
		return;
	attack.is_running = false;
	atomic_store(&attack.want_stop, true);
	pthread_join(attack.thread, NULL);
	guest_close(attack.honest[0]);
	guest_close(attack.honest[1]);
	guest_close(attack.guest);
}

void attack_begin(uint64_t features)
{
	static const char *const names[] = {"a1", "a2", "b1"};
	struct host *h = &attack.host;

	forget();
	atomic_store(&attack.want_stop, false);
	atomic_store(&attack.is_wrong, false);
	atomic_store(&attack.n_exchanged, 0);
	host_init(h);
	for (unsigned i = 0; i < 3; i++) {
		struct hg_desired_port *port = &h->ports[host_instance(h, names[i])];

		snprintf(attack.paths[i], sizeof(attack.paths[i]), "/tmp/hg-hostile-%d-%s",
			 (int)getpid(), names[i]);
		snprintf(port->device, sizeof(port->device), "vhost:%s", attack.paths[i]);
	}
	attack.honest[0] = open_guest(0, 0);
	attack.honest[1] = open_guest(1, GUEST_FEATURES | GUEST_PACKED);
	attack.guest = open_guest(2, features);
	host_start(h, 1);
	WAIT_FOR(is_up(attack.honest[0], "a1"));
	WAIT_FOR(is_up(attack.honest[1], "a2"));
	WAIT_FOR(is_up(attack.guest, "b1"));
	if (pthread_create(&attack.thread, NULL, pair_run, NULL) != 0)
		HG_TEST_FAIL("no thread");
	attack.is_running = true;
	attack.n_fds_before = count_settled_fds();
}

static bool says(const char *reason)
{
	struct hg_dp_port_sample sample = host_port(&attack.host, "b1");

	check_pair();
	return sample.link != HG_PORT_UP && strstr(sample.reason, reason) != NULL;
}

void attack_expect(const char *reason)
{
	hg_ns until_ns = clock_now_ns() + PATIENCE_NS;

	while (!says(reason)) {
		struct hg_dp_port_sample sample = host_port(&attack.host, "b1");

		if (clock_now_ns() > until_ns)
			HG_TEST_FAIL("the port is %s: \"%s\", want \"%s\"",
				     sample.link == HG_PORT_UP ? "up" : "down", sample.reason,
				     reason);
		/* The guest is not served: it would come back, and the reason be gone. */
		sched_yield();
	}
	attack_let_others_talk(20);
}

void attack_expect_up(void)
{
	struct hg_dp_port_sample sample;

	attack_let_others_talk(20);
	sample = host_port(&attack.host, "b1");
	if (sample.link != HG_PORT_UP)
		HG_TEST_FAIL("the port is down: %s", sample.reason);
}

void attack_come_again(void)
{
	guest_close(attack.guest);
	attack.guest = open_guest(2, 0);
	WAIT_FOR(is_up(attack.guest, "b1"));
}

/* An honest guest in the attacker's place can send to the uplink. */
static void check_place(void)
{
	struct hg_pkt *pkt;
	uint8_t frame[60];

	attack_come_again();
	(void)host_discard(&attack.host, "up0");
	host_write_frame(&attack.host, "b1", "up0", frame, sizeof(frame));
	HG_CHECK(guest_send(attack.guest, 0, frame, sizeof(frame), NULL));
	pkt = host_receive(&attack.host, "up0");
	HG_CHECK_EQ(pkt->total_bytes, sizeof(frame));
	HG_CHECK(memcmp(pkt->data, frame, sizeof(frame)) == 0);
	host_release(&attack.host, pkt);
}

void attack_end(void)
{
	attack_let_others_talk(20);
	check_place();
	check_fds();
	atomic_store(&attack.want_stop, true);
	pthread_join(attack.thread, NULL);
	attack.is_running = false;
	check_pair();
	for (unsigned i = 0; i < 2; i++) {
		HG_CHECK_EQ(guest_counts(attack.honest[i]).n_connected, 1);
		guest_close(attack.honest[i]);
	}
	guest_close(attack.guest);
	host_close(&attack.host);
}

/* ---- means ------------------------------------------------------------------------------------------- */

void attack_offer(unsigned ring, uint16_t head)
{
	struct guest_ring *r = guest_ring(attack.guest, ring);
	uint16_t idx = r->avail->idx;

	r->avail->ring[idx % r->size] = head;
	__atomic_store_n(&r->avail->idx, (uint16_t)(idx + 1u), __ATOMIC_RELEASE);
	attack_kick(ring);
}

void attack_split(unsigned ring, uint16_t at, struct vring_desc desc)
{
	guest_ring(attack.guest, ring)->desc[at] = desc;
}

void attack_packed(unsigned ring, uint64_t gpa, uint32_t n_bytes, uint16_t flags)
{
	struct guest_ring *r = guest_ring(attack.guest, ring);
	struct vring_packed_desc *desc = &r->packed[r->next_avail];
	unsigned available =
		r->avail_wrap ? 1u << VRING_PACKED_DESC_F_AVAIL : 1u << VRING_PACKED_DESC_F_USED;

	desc->addr = gpa;
	desc->len = n_bytes;
	desc->id = r->next_avail;
	__atomic_store_n(&desc->flags, (uint16_t)(flags | available), __ATOMIC_RELEASE);
	if (++r->next_avail == r->size) {
		r->next_avail = 0;
		r->avail_wrap = !r->avail_wrap;
	}
	attack_kick(ring);
}

void attack_kick(unsigned ring)
{
	uint64_t one = 1;

	if (write(guest_kick_fd(attack.guest, ring), &one, sizeof(one)) < 0 && errno != EAGAIN)
		HG_TEST_FAIL("kick: %s", strerror(errno));
}

uint64_t attack_frame(uint32_t *ret_bytes)
{
	struct guest_memory *memory = guest_memory(attack.guest);
	/* The last page: slots for sending are taken from the front. */
	uint8_t *page = memory->bytes + memory->n_bytes - 4096;

	memset(page, 0, 4096);
	host_write_frame(&attack.host, "b1", "up0", page + sizeof(struct virtio_net_hdr_mrg_rxbuf),
			 60);
	*ret_bytes = (uint32_t)sizeof(struct virtio_net_hdr_mrg_rxbuf) + 60;
	return guest_memory_gpa(memory, page);
}

void attack_say(struct guest_msg msg, const int *fds, unsigned n_fds)
{
	int result;

	msg.flags |= GUEST_MSG_VERSION;
	result = guest_msg_send(guest_connection(attack.guest), &msg, fds, n_fds);
	if (result < 0 && result != -EPIPE)
		HG_TEST_FAIL("say: %s", strerror(-result));
}
