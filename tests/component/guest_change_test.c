/* A guest that changes while it works, on the real packet lane: how many of its queues it uses, and what memory it has. */
#include "tests/component/hosts.h"

#include "tests/guest/guest.h"
#include "tests/guest/message.h"
#include "vswitch/bytes.h"

#include <sys/mman.h>
#include <unistd.h>

#define N_PAIRS 4u
#define N_BYTES 1000u
#define MTU 9000u
#define LONG_BYTES (14u + MTU)
/* No part of a page. */
#define PIECE_BYTES 3000u
/* Where host_packet() has its UDP source port, and its number. */
#define SOURCE_PORT_OFFSET 34u
#define NUMBER_OFFSET 42u

/* 5 MB/s: at 1,000 bytes a packet, N_PKTS take some 0.3 s beside the burst. */
#define RATE UINT64_C(5000000)
#define SLOW HG_RATE_MIN_BYTES_PER_S
#define N_PKTS 1500u

static struct host host;
static struct guest *guest;
static char path[48];

/* ---- words of the tests ---------------------------------------------------------------------------- */

static bool is_up(void)
{
	guest_wait(guest, 1);
	return guest_serve(guest) == GUEST_UP && host_port(&host, "a1").link == HG_PORT_UP;
}

/* a1 is a machine with so many queue pairs. */
static void begin(uint64_t features, unsigned n_pairs, uint64_t max_bytes_per_s)
{
	struct guest_cfg cfg = {.path = path,
				.features = features,
				.n_pairs = n_pairs,
				.tx_piece_bytes = PIECE_BYTES};
	struct hg_desired_port *port;

	guest_close(guest);
	guest = NULL;
	host_init(&host);
	snprintf(path, sizeof(path), "/tmp/hg-change-%d", (int)getpid());
	port = &host.ports[host_instance(&host, "a1")];
	snprintf(port->device, sizeof(port->device), "vhost:%s", path);
	host.uplinks[0].mtu = port->mtu = MTU;
	if (max_bytes_per_s > 0)
		host_limit(&host, "a1", HG_OUT, max_bytes_per_s, SMALL_BURST);
	HG_CHECK_EQ(guest_open(&cfg, &guest), 0);
	host_start(&host, 1);
	WAIT_FOR(is_up());
	HG_CHECK_EQ(guest_n_pairs(guest), n_pairs);
}

static void end(void)
{
	HG_CHECK_STR(guest_why(guest), "");
	HG_CHECK_EQ(guest_counts(guest).n_connected, 1);
	guest_close(guest);
	guest = NULL;
	host_close(&host);
}

static void write_frame(uint8_t *frame, uint32_t number)
{
	host_write_frame(&host, "a1", "up0", frame, N_BYTES);
	hg_bytes_put32(frame + NUMBER_OFFSET, number);
}

static bool send(unsigned pair, uint32_t number)
{
	uint8_t frame[N_BYTES];

	write_frame(frame, number);
	return guest_send(guest, pair, frame, sizeof(frame), NULL);
}

/* What a1 lost on its way out, of whatever reason. */
static uint64_t lost(void)
{
	struct hg_dp_port_sample port = host_port(&host, "a1");
	struct hg_dp_flow flow = host_flow(&host, "a1", HG_OUT);
	uint64_t n = flow_drops(&flow);

	for (unsigned i = 0; i < HG_N_DROPS; i++)
		n += port.drops[i];
	return n;
}

/* The frames that arrive on the uplink, each pair's in its order: number n was sent by pair n % N_PAIRS. */
struct arrivals {
	uint32_t n, next[N_PAIRS];
};

static bool take_one(struct arrivals *arrivals)
{
	struct hg_pkt *pkt;
	uint32_t number;

	if (hg_dummy_collect(host_far(&host, "up0"), &pkt, 1) == 0)
		return false;
	number = packet_number(pkt);
	host_release(&host, pkt);
	HG_CHECK_EQ(number, arrivals->next[number % N_PAIRS]);
	arrivals->next[number % N_PAIRS] += N_PAIRS;
	arrivals->n++;
	return true;
}

static void begin_arrivals(struct arrivals *arrivals)
{
	*arrivals = (struct arrivals){0};
	for (unsigned i = 0; i < N_PAIRS; i++)
		arrivals->next[i] = i;
}

/* ---- held in its rings ------------------------------------------------------------------------------- */

static void check_over_contract(uint64_t features)
{
	struct arrivals arrivals;
	uint32_t n_sent = 0;
	hg_ns began_ns;

	begin(features, N_PAIRS, RATE);
	begin_arrivals(&arrivals);
	began_ns = clock_now_ns();
	while (arrivals.n < N_PKTS) {
		while (n_sent < N_PKTS && send(n_sent % N_PAIRS, n_sent))
			n_sent++;
		WAIT_FOR(take_one(&arrivals));
	}
	/* No sooner than the contract allows, and the rest stood in its rings. */
	HG_CHECK(N_PKTS * (uint64_t)(N_BYTES + HG_WIRE_OVERHEAD_BYTES) <=
		 (uint64_t)(clock_now_ns() - began_ns) * RATE / HG_NS_PER_S + SMALL_BURST +
			 N_BYTES);
	HG_CHECK(host_flow(&host, "a1", HG_OUT).held_ns[HG_LIMIT_MAX] > 0);
	HG_CHECK_EQ(host_flow(&host, "a1", HG_OUT).sent_pkts, N_PKTS);
	HG_CHECK_EQ(lost(), 0);
	end();
}

static void s1_3_rings_of_a_guest_over_its_contract_lose_nothing(void)
{
	check_over_contract(GUEST_FEATURES);
}

static void s1_3_rings_of_a_guest_over_its_contract_lose_nothing_packed(void)
{
	check_over_contract(GUEST_FEATURES | GUEST_PACKED);
}

/* ---- queues ------------------------------------------------------------------------------------------ */

/* Uses the first n pairs and no others, as Linux does it on `ethtool -L`. */
static void use_pairs(unsigned n)
{
	for (unsigned i = 0; i < N_PAIRS; i++)
		guest_enable(guest, i, i < n);
	WAIT_FOR(guest_serve(guest) == GUEST_UP);
}

/* What it made available before it gave its queues up is sent all the same: it waits for these frames to come back. */
static void check_queues_given_up(uint64_t features)
{
	struct arrivals arrivals;
	uint32_t n_sent = 0;
	unsigned n_waiting = 0;

	begin(features, N_PAIRS, SLOW);
	begin_arrivals(&arrivals);
	while (send(n_sent % N_PAIRS, n_sent))
		n_sent++;
	WAIT_FOR(host_flow(&host, "a1", HG_OUT).held_by == HG_LIMIT_MAX);
	use_pairs(1);
	for (unsigned i = 1; i < N_PAIRS; i++)
		n_waiting += guest_unreturned(guest, i);
	HG_CHECK(n_waiting > 300);
	host_limit(&host, "a1", HG_OUT, 20 * RATE, SMALL_BURST);
	host_apply(&host);
	while (arrivals.n < n_sent)
		WAIT_FOR(take_one(&arrivals));
	for (unsigned i = 0; i < N_PAIRS; i++)
		WAIT_FOR(guest_unreturned(guest, i) == 0);
	HG_CHECK_EQ(lost(), 0);
	end();
}

static void s1_3_queues_given_up_while_they_are_held_lose_nothing(void)
{
	check_queues_given_up(GUEST_FEATURES);
}

static void s1_3_queues_given_up_while_they_are_held_lose_nothing_packed(void)
{
	check_queues_given_up(GUEST_FEATURES | GUEST_PACKED);
}

#define N_ROUNDS 60u
#define N_FLOWS 16u

/* Frames of many flows to the guest, all of which come, on queues that it uses. */
static void exchange_in(unsigned n_used)
{
	unsigned n_got = 0;
	uint8_t frame[2048];

	for (uint32_t i = 0; i < N_FLOWS; i++) {
		struct hg_pkt *pkt = host_packet(&host, "up0", "a1", N_BYTES, i);

		HG_CHECK(pkt != NULL);
		pkt->data[SOURCE_PORT_OFFSET + 1] = (uint8_t)i;
		host_inject(&host, "up0", pkt);
	}
	while (n_got < N_FLOWS) {
		unsigned n_before = n_got;
		hg_ns until_ns = clock_now_ns() + PATIENCE_NS;

		while (n_got == n_before && clock_now_ns() < until_ns) {
			for (unsigned pair = 0; pair < n_used; pair++)
				n_got += guest_receive(guest, pair, frame, sizeof(frame), NULL) > 0;
		}
		HG_CHECK(n_got > n_before);
	}
	for (unsigned pair = n_used; pair < N_PAIRS; pair++)
		HG_CHECK_EQ(guest_receive(guest, pair, frame, sizeof(frame), NULL), 0);
}

static void check_number_of_queues(uint64_t features)
{
	struct arrivals arrivals;
	uint64_t random = hg_test_seed;
	uint32_t n_sent[N_PAIRS] = {0}, n_all = 0;

	begin(features, N_PAIRS, 0);
	begin_arrivals(&arrivals);
	for (unsigned round = 0; round < N_ROUNDS; round++) {
		unsigned n_used = (unsigned)hg_test_between(&random, 1, N_PAIRS);

		use_pairs(n_used);
		for (unsigned i = 0; i < 32; i++) {
			unsigned pair = i % n_used;

			HG_CHECK(send(pair, n_sent[pair]++ * N_PAIRS + pair));
			n_all++;
		}
		/* Now and then the next change comes while they are under way. */
		if (round % 2 == 0)
			exchange_in(n_used);
		while (round % 3 == 0 && arrivals.n < n_all)
			WAIT_FOR(take_one(&arrivals));
	}
	while (arrivals.n < n_all)
		WAIT_FOR(take_one(&arrivals));
	HG_CHECK_EQ(host_port(&host, "a1").link, HG_PORT_UP);
	HG_CHECK_EQ(lost(), 0);
	end();
}

static void s5_1_guest_changes_its_number_of_queues_while_it_works(void)
{
	check_number_of_queues(GUEST_FEATURES);
}

static void s5_1_guest_changes_its_number_of_queues_while_it_works_packed(void)
{
	check_number_of_queues(GUEST_FEATURES | GUEST_PACKED);
}

/* ---- memory ------------------------------------------------------------------------------------------ */

#define REGIONS_MAX 8u
/* Where buffers to receive in lie an odd number of lines apart, the end of a page is within this one's first 1,000 bytes. */
#define CUT_SLOT 50u

struct table {
	struct guest_msg msg;
	int fds[REGIONS_MAX];
};

static void add_region(struct table *table, uint64_t gpa, uint64_t n_bytes, uint64_t offset, int fd,
		       uint64_t address)
{
	table->msg.memory.regions[table->msg.memory.n] =
		(struct guest_msg_region){gpa, n_bytes, address, offset};
	table->fds[table->msg.memory.n++] = fd;
}

static void say_table(struct table *table)
{
	table->msg.request = GUEST_SET_MEM_TABLE;
	table->msg.flags = GUEST_MSG_VERSION;
	table->msg.n_bytes = 8 + table->msg.memory.n * (uint32_t)sizeof(struct guest_msg_region);
	HG_CHECK_EQ(guest_msg_send(guest_connection(guest), &table->msg, table->fds,
				   table->msg.memory.n),
		    0);
	/* The answers say that what was said before is done. */
	guest_enable(guest, 0, true);
	WAIT_FOR(guest_serve(guest) == GUEST_UP);
	WAIT_FOR(host_port(&host, "a1").link == HG_PORT_UP);
}

/* The end of a page within the buffer that the ring's descriptor `at` names. */
static uint64_t page_end(unsigned idx, unsigned at)
{
	const struct guest_ring *ring = guest_ring(guest, idx);
	uint64_t gpa = ring->is_packed ? ring->packed[at].addr : ring->desc[at].addr;

	return ((gpa - guest_memory(guest)->gpa) / 4096 + 1) * 4096;
}

/* Its memory as several regions, in any order, each beside the next for the guest. */
static void describe(struct table *table, const uint64_t *cuts, unsigned n_cuts)
{
	const struct guest_memory *memory = guest_memory(guest);

	memset(table, 0, sizeof(*table));
	for (unsigned i = n_cuts; i > 0; i--)
		add_region(table, memory->gpa + cuts[i - 1], cuts[i] - cuts[i - 1], cuts[i - 1],
			   memory->fd, (uintptr_t)memory->bytes + cuts[i - 1]);
}

static void fill(uint8_t *frame, uint32_t n_bytes, uint32_t number)
{
	for (uint32_t k = NUMBER_OFFSET + 4; k < n_bytes; k++)
		frame[k] = (uint8_t)(k * 7u + number);
}

static void exchange_out(uint32_t number)
{
	uint8_t frame[LONG_BYTES], got[LONG_BYTES];
	struct hg_pkt *pkt;
	uint32_t n_bytes;

	host_write_frame(&host, "a1", "up0", frame, sizeof(frame));
	fill(frame, sizeof(frame), number);
	HG_CHECK(guest_send(guest, 0, frame, sizeof(frame), NULL));
	pkt = host_receive(&host, "up0");
	n_bytes = pkt->total_bytes;
	hg_pkt_read(pkt, 0, got, n_bytes < sizeof(got) ? n_bytes : sizeof(got));
	host_release(&host, pkt);
	HG_CHECK_EQ(n_bytes, sizeof(frame));
	HG_CHECK(memcmp(got, frame, sizeof(frame)) == 0);
}

static void exchange_back(uint32_t number)
{
	struct hg_pkt *pkt = host_packet(&host, "up0", "a1", N_BYTES, number);
	uint8_t frame[2048], want[N_BYTES];
	size_t n = 0;

	HG_CHECK(pkt != NULL);
	fill(pkt->data, N_BYTES, number);
	memcpy(want, pkt->data, N_BYTES);
	host_inject(&host, "up0", pkt);
	WAIT_FOR((n = guest_receive(guest, 0, frame, sizeof(frame), NULL)) > 0);
	HG_CHECK_EQ(n, N_BYTES);
	HG_CHECK(memcmp(frame, want, N_BYTES) == 0);
}

/* More frames each way than its rings have places, exact to the byte. */
static void exchange_laps(void)
{
	for (uint32_t i = 0; i < 300; i++) {
		exchange_out(i);
		exchange_back(i);
	}
}

/* A frame from memory that was plugged in. */
static void send_from(uint64_t gpa, uint8_t *at, uint32_t number)
{
	struct guest_ring *ring = guest_ring(guest, 1);
	struct guest_piece piece = {gpa, sizeof(struct virtio_net_hdr_mrg_rxbuf) + N_BYTES};
	uint64_t one = 1;

	memset(at, 0, sizeof(struct virtio_net_hdr_mrg_rxbuf));
	write_frame(at + sizeof(struct virtio_net_hdr_mrg_rxbuf), number);
	HG_CHECK_EQ(guest_unreturned(guest, 0), 0);
	HG_CHECK(guest_ring_add(ring, &piece, 1, false));
	HG_CHECK_EQ(write(guest_kick_fd(guest, 1), &one, sizeof(one)), sizeof(one));
	host_expect(&host, "up0", number, 1);
}

/* As on a machine with more than 3 GiB, or with several nodes of memory; then some is plugged in, and taken out. */
static void check_regions(uint64_t features)
{
	const uint64_t more_bytes = 1 << 20, more_gpa = UINT64_C(1) << 40;
	uint64_t cuts[4] = {0};
	struct table table;
	uint8_t *more;
	int fd;

	begin(features, 1, 0);
	HG_CHECK(send(0, 0));
	host_expect(&host, "up0", 0, 1);
	cuts[1] = page_end(0, CUT_SLOT);
	cuts[2] = page_end(1, 0);
	cuts[3] = guest_memory(guest)->n_bytes;
	describe(&table, cuts, 3);
	say_table(&table);
	exchange_laps();

	fd = memfd_create("more", MFD_CLOEXEC);
	HG_CHECK(fd >= 0 && ftruncate(fd, (off_t)more_bytes) == 0);
	more = mmap(NULL, more_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	HG_CHECK(more != MAP_FAILED);
	for (unsigned i = 0; i < 20; i++) {
		describe(&table, cuts, 3);
		add_region(&table, more_gpa, more_bytes, 0, fd, (uintptr_t)more);
		say_table(&table);
		send_from(more_gpa + more_bytes - 4096, more + more_bytes - 4096, i);
		describe(&table, cuts, 3);
		say_table(&table);
		exchange_laps();
	}
	munmap(more, more_bytes);
	close(fd);
	HG_CHECK_EQ(lost(), 0);
	end();
}

static void s5_1_memory_of_several_regions_grows_and_shrinks(void)
{
	check_regions(GUEST_FEATURES);
}

static void s5_1_memory_of_several_regions_grows_and_shrinks_packed(void)
{
	check_regions(GUEST_FEATURES | GUEST_PACKED);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s1_3_rings_of_a_guest_over_its_contract_lose_nothing),
		HG_TEST(s1_3_rings_of_a_guest_over_its_contract_lose_nothing_packed),
		HG_TEST(s1_3_queues_given_up_while_they_are_held_lose_nothing),
		HG_TEST(s1_3_queues_given_up_while_they_are_held_lose_nothing_packed),
		HG_TEST(s5_1_guest_changes_its_number_of_queues_while_it_works),
		HG_TEST(s5_1_guest_changes_its_number_of_queues_while_it_works_packed),
		HG_TEST(s5_1_memory_of_several_regions_grows_and_shrinks),
		HG_TEST(s5_1_memory_of_several_regions_grows_and_shrinks_packed),
		{0}};

	return hg_tests_main(argc, argv, tests);
}
