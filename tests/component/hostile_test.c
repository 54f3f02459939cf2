/* Guests that mean harm, on the real packet lane: what lies in their rings and in their memory. */
#include "tests/component/hostile.h"

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define RX 0u
#define TX 1u
/* Outside of everything that a guest here has. */
#define NOWHERE UINT64_C(0x7fff00000000)
#define PACKED (GUEST_FEATURES | GUEST_PACKED)

static uint64_t end_of_memory(void)
{
	const struct guest_memory *memory = guest_memory(attack.guest);

	return memory->gpa + memory->n_bytes;
}

/* ---- descriptors ------------------------------------------------------------------------------------- */

static void s5_1_hostile_loops_of_descriptors(void)
{
	uint32_t n_bytes;
	uint64_t at;

	attack_begin(0);
	at = attack_frame(&n_bytes);
	attack_split(TX, 0, (struct vring_desc){at, n_bytes, VRING_DESC_F_NEXT, 1});
	attack_split(TX, 1, (struct vring_desc){at, n_bytes, VRING_DESC_F_NEXT, 0});
	attack_offer(TX, 0);
	attack_expect("chain of");
	attack_end();
}

static void s5_1_hostile_descriptor_that_follows_itself(void)
{
	attack_begin(0);
	/* Of no bytes, so that no limit on bytes ends it. */
	attack_split(TX, 7, (struct vring_desc){GUEST_GPA, 0, VRING_DESC_F_NEXT, 7});
	attack_offer(TX, 7);
	attack_expect("chain of");
	attack_end();
}

static void s5_1_hostile_packed_chain_without_end(void)
{
	struct guest_ring *ring;

	attack_begin(PACKED);
	ring = guest_ring(attack.guest, TX);
	/* The head last: it makes the whole chain available. */
	for (unsigned i = ring->size - 1u; i > 0; i--)
		ring->packed[i] = (struct vring_packed_desc){
			GUEST_GPA, 1, 0, VRING_DESC_F_NEXT | 1u << VRING_PACKED_DESC_F_AVAIL};
	attack_packed(TX, GUEST_GPA, 1, VRING_DESC_F_NEXT);
	attack_expect("chain of");
	attack_end();
}

static void from_outside(uint64_t features, uint64_t at, uint32_t n_bytes)
{
	attack_begin(features);
	if (features == PACKED)
		attack_packed(TX, at, n_bytes, 0);
	else
		attack_split(TX, 0, (struct vring_desc){at, n_bytes, 0, 0});
	if (features != PACKED)
		attack_offer(TX, 0);
	attack_expect("points outside its memory");
	attack_end();
}

static void s5_1_hostile_addresses_outside_its_memory(void)
{
	from_outside(GUEST_FEATURES, NOWHERE, 100);
	from_outside(PACKED, NOWHERE, 100);
}

static void s5_1_hostile_lengths_beyond_the_end_of_its_memory(void)
{
	/* The size of the guest's memory follows from its rings alone. */
	attack_begin(0);
	uint64_t end = end_of_memory();

	attack_end();
	from_outside(GUEST_FEATURES, end - 64, 65);
	from_outside(PACKED, end - 64, 65);
	from_outside(GUEST_FEATURES, end, 1000);
	from_outside(GUEST_FEATURES, GUEST_GPA - 64, 65);
	from_outside(GUEST_FEATURES, UINT64_MAX - 63, 128);
}

/* Frames longer than any are not a fault of the ring, but none of them gets through. */
static void s5_1_hostile_lengths_that_lie(void)
{
	static const uint32_t lengths[] = {0, 1, 11, 12, 13, 25, 70000, 1u << 20};
	uint64_t drops = 0;

	attack_begin(0);
	for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		attack_split(TX, (uint16_t)i, (struct vring_desc){GUEST_GPA, lengths[i], 0, 0});
		attack_offer(TX, (uint16_t)i);
	}
	WAIT_FOR(__atomic_load_n(&guest_ring(attack.guest, TX)->used->idx, __ATOMIC_ACQUIRE) ==
		 sizeof(lengths) / sizeof(lengths[0]));
	attack_expect_up();
	for (unsigned i = 0; i < HG_N_DROPS; i++)
		drops += host_port(&attack.host, "b1").drops[i];
	HG_CHECK(drops >= 6);
	attack_split(TX, 0, (struct vring_desc){GUEST_GPA, UINT32_MAX, 0, 0});
	attack_offer(TX, 0);
	attack_expect("points outside its memory");
	attack_end();
}

static void s5_1_hostile_direction_of_descriptors(void)
{
	uint32_t n_bytes;

	attack_begin(0);
	attack_split(TX, 0,
		     (struct vring_desc){attack_frame(&n_bytes), n_bytes, VRING_DESC_F_WRITE, 0});
	attack_offer(TX, 0);
	attack_expect("for reading where it is to be written");
	attack_end();
	attack_begin(PACKED);
	attack_packed(TX, attack_frame(&n_bytes), n_bytes, VRING_DESC_F_WRITE);
	attack_expect("for reading where it is to be written");
	attack_end();
}

/* ---- indirect tables --------------------------------------------------------------------------------- */

static void indirect(uint64_t features, uint64_t at, uint32_t n_bytes, uint16_t more_flags,
		     const char *reason)
{
	uint16_t flags = (uint16_t)(VRING_DESC_F_INDIRECT | more_flags);

	attack_begin(features);
	if (features == PACKED) {
		attack_packed(TX, at, n_bytes, flags);
	} else {
		attack_split(TX, 0, (struct vring_desc){at, n_bytes, flags, 1});
		attack_offer(TX, 0);
	}
	attack_expect(reason);
	attack_end();
}

static void s5_1_hostile_indirect_tables(void)
{
	static const uint64_t features[] = {GUEST_FEATURES, PACKED};

	for (unsigned i = 0; i < 2; i++) {
		/* Not of whole descriptors, of none, outside, over the end. */
		indirect(features[i], GUEST_GPA, 17, 0, "indirect table");
		indirect(features[i], GUEST_GPA, 0, 0, "indirect table");
		indirect(features[i], NOWHERE, 16, 0, "indirect table");
		indirect(features[i], GUEST_GPA, UINT32_MAX - 15, 0, "the guest");
	}
	indirect(GUEST_FEATURES, GUEST_GPA, 16, VRING_DESC_F_NEXT, "indirect table");
}

static void s5_1_hostile_indirect_chain_too_long(void)
{
	const unsigned n = 40000;
	struct vring_desc *table;

	attack_begin(0);
	/* Over whatever lies there: the slots of its own rings. */
	table = (struct vring_desc *)(void *)(guest_memory(attack.guest)->bytes + (1u << 20));
	for (unsigned i = 0; i < n; i++)
		table[i] = (struct vring_desc){GUEST_GPA, 1, VRING_DESC_F_NEXT, (uint16_t)(i + 1u)};
	attack_split(
		TX, 0,
		(struct vring_desc){GUEST_GPA + (1u << 20), n * 16u, VRING_DESC_F_INDIRECT, 0});
	attack_offer(TX, 0);
	attack_expect("the guest");
	attack_end();
}

/* A table of a million descriptors of no bytes would hold the worker up for longer than others may wait. */
static void empty_indirect_chain(uint64_t features)
{
	const unsigned n = 900000; /* between the rings */
	struct vring_desc *table;

	attack_begin(features);
	HG_CHECK(guest_memory(attack.guest)->n_bytes > 24u << 20);
	table = (struct vring_desc *)(void *)(guest_memory(attack.guest)->bytes + (1u << 20));
	for (unsigned i = 0; i < n; i++)
		table[i] = (struct vring_desc){GUEST_GPA, 0, VRING_DESC_F_NEXT, (uint16_t)(i + 1u)};
	if (features == PACKED) {
		memset(table, 0, n * sizeof(*table));
		attack_packed(TX, GUEST_GPA + (1u << 20), n * 16u, VRING_DESC_F_INDIRECT);
	} else {
		attack_split(TX, 0,
			     (struct vring_desc){GUEST_GPA + (1u << 20), n * 16u,
						 VRING_DESC_F_INDIRECT, 0});
		attack_offer(TX, 0);
	}
	attack_expect("more than 512 pieces");
	attack_end();
}

static void s5_1_hostile_indirect_chain_of_nothing(void)
{
	empty_indirect_chain(GUEST_FEATURES);
	empty_indirect_chain(PACKED);
}

static void s5_1_hostile_indirect_table_in_itself(void)
{
	struct vring_desc *table;

	attack_begin(0);
	table = (struct vring_desc *)(void *)(guest_memory(attack.guest)->bytes + (1u << 20));
	table[0] = (struct vring_desc){GUEST_GPA + (1u << 20), 16, VRING_DESC_F_INDIRECT, 0};
	attack_split(TX, 0,
		     (struct vring_desc){GUEST_GPA + (1u << 20), 16, VRING_DESC_F_INDIRECT, 0});
	attack_offer(TX, 0);
	attack_expect("indirect table");
	attack_end();
	attack_begin(0);
	table = (struct vring_desc *)(void *)(guest_memory(attack.guest)->bytes + (1u << 20));
	table[0] = (struct vring_desc){GUEST_GPA, 16, VRING_DESC_F_NEXT, 0};
	attack_split(TX, 0,
		     (struct vring_desc){GUEST_GPA + (1u << 20), 16, VRING_DESC_F_INDIRECT, 0});
	attack_offer(TX, 0);
	attack_expect("the guest");
	attack_end();
}

/* ---- indices ----------------------------------------------------------------------------------------- */

static void s5_1_hostile_jumps_of_the_avail_index(void)
{
	static const uint16_t jumps[] = {257, 1000, 0x8000, 0xffff};

	for (unsigned i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
		struct guest_ring *ring;

		attack_begin(0);
		ring = guest_ring(attack.guest, TX);
		__atomic_store_n(&ring->avail->idx, (uint16_t)(ring->avail->idx + jumps[i]),
				 __ATOMIC_RELEASE);
		attack_kick(TX);
		attack_expect("claims more descriptors than it has");
		attack_end();
	}
}

static void s5_1_hostile_heads_that_the_ring_does_not_have(void)
{
	attack_begin(0);
	attack_offer(TX, 256);
	attack_expect("names a descriptor that it does not have");
	attack_end();
	attack_begin(0);
	attack_split(TX, 0, (struct vring_desc){GUEST_GPA, 100, VRING_DESC_F_NEXT, 40000});
	attack_offer(TX, 0);
	attack_expect("names a descriptor that it does not have");
	attack_end();
}

/* The worker never looks at what it wrote into the used ring; a guest that scribbles there harms itself. */
static void s5_1_hostile_scribbles_in_all_of_its_rings(void)
{
	static const uint64_t features[] = {GUEST_FEATURES, PACKED};
	uint64_t random = hg_test_seed;

	for (unsigned round = 0; round < (hg_test_rounds > 0 ? hg_test_rounds : 6u); round++) {
		struct guest_ring *ring;
		hg_ns until_ns;

		attack_begin(features[round % 2u]);
		ring = guest_ring(attack.guest, round / 2u % 2u);
		until_ns = clock_now_ns() + 30 * HG_NS_PER_MS;
		/* The ring of either kind lies in 16 bytes a descriptor and some more. */
		while (clock_now_ns() < until_ns) {
			uint64_t word = hg_test_random(&random) & hg_test_random(&random);
			uint8_t *bytes = (uint8_t *)ring->desc;

			/* Addresses that are right let more through than any other. */
			if (word % 4u == 0)
				word = GUEST_GPA + word % 65536u;
			memcpy(bytes + hg_test_between(&random, 0, 256u * 26u / 8u) * 8u, &word, 8);
			attack_kick(round / 2u % 2u);
		}
		attack_let_others_talk(20);
		attack_end();
		/* What came through of it stays at the uplink's far end. */
	}
}

/* ---- headers ----------------------------------------------------------------------------------------- */

static void s5_1_hostile_virtio_headers_that_lie(void)
{
	static const struct virtio_net_hdr_mrg_rxbuf lies[] = {
		{.hdr = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 60, .csum_offset = 0}},
		{.hdr = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
			 .csum_start = 65535,
			 .csum_offset = 65535}},
		{.hdr = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
			 .csum_start = 34,
			 .csum_offset = 26}},
		{.hdr = {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 1400, .hdr_len = 65535}},
		{.hdr = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
			 .csum_start = 34,
			 .csum_offset = 6,
			 .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
			 .gso_size = 0}},
		{.hdr = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
			 .csum_start = 34,
			 .csum_offset = 6,
			 .gso_type = 0x55,
			 .gso_size = 100}},
		{.hdr = {.gso_type = VIRTIO_NET_HDR_GSO_ECN}},
	};
	uint8_t frame[60];
	uint64_t before;

	attack_begin(0);
	host_write_frame(&attack.host, "b1", "up0", frame, sizeof(frame));
	before = host_port(&attack.host, "b1").drops[HG_DROP_BAD_OFFLOAD];
	for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++)
		HG_CHECK(guest_send(attack.guest, 0, frame, sizeof(frame), &lies[i]));
	WAIT_FOR(guest_unreturned(attack.guest, 0) == 0);
	HG_CHECK_EQ(host_port(&attack.host, "b1").drops[HG_DROP_BAD_OFFLOAD] - before,
		    sizeof(lies) / sizeof(lies[0]));
	attack_expect_up();
	attack_end();
}

/* num_buffers belongs to the device; from a driver it means nothing. */
static void s5_1_hostile_num_buffers_means_nothing(void)
{
	struct virtio_net_hdr_mrg_rxbuf *header;
	struct hg_pkt *pkt;
	uint32_t n_bytes;
	uint64_t at;

	attack_begin(0);
	at = attack_frame(&n_bytes);
	header = (void *)(guest_memory(attack.guest)->bytes + (at - GUEST_GPA));
	header->num_buffers = 65535;
	attack_split(TX, 0, (struct vring_desc){at, n_bytes, 0, 0});
	attack_offer(TX, 0);
	pkt = host_receive(&attack.host, "up0");
	HG_CHECK_EQ(pkt->total_bytes, 60);
	host_release(&attack.host, pkt);
	attack_expect_up();
	attack_end();
}

/* ---- buffers to receive in --------------------------------------------------------------------------- */

static void flood_from_uplink(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		host_inject(&attack.host, "up0", host_packet(&attack.host, "up0", "b1", 1000, i));
}

static void all_rx_buffers(struct vring_desc desc)
{
	for (uint16_t i = 0; i < guest_ring(attack.guest, RX)->size; i++)
		attack_split(RX, i, desc);
}

static void s5_1_hostile_buffers_to_receive_in(void)
{
	attack_begin(0);
	all_rx_buffers((struct vring_desc){NOWHERE, 2048, VRING_DESC_F_WRITE, 0});
	flood_from_uplink(4);
	attack_expect("points outside its memory");
	attack_end();

	attack_begin(0);
	all_rx_buffers((struct vring_desc){GUEST_GPA, 2048, 0, 0});
	flood_from_uplink(4);
	attack_expect("for reading where it is to be written");
	attack_end();

	attack_begin(0);
	all_rx_buffers(
		(struct vring_desc){GUEST_GPA, 2048, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 3});
	flood_from_uplink(4);
	attack_expect("chain of");
	attack_end();
}

/* A frame that would need more buffers than there are waits, or is dropped; nothing breaks. */
static void s5_1_hostile_buffers_of_a_byte_or_none(void)
{
	static const uint32_t sizes[] = {0, 1, 12, 13};

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		attack_begin(0);
		all_rx_buffers((struct vring_desc){GUEST_GPA, sizes[i], VRING_DESC_F_WRITE, 0});
		flood_from_uplink(20);
		attack_let_others_talk(50);
		attack_end();
	}
}

/* ---- memory ------------------------------------------------------------------------------------------ */

static void take_memory_away(uint64_t features, off_t n_bytes, bool is_touched_by_receiving)
{
	uint8_t frame[60];

	attack_begin(features);
	host_write_frame(&attack.host, "b1", "up0", frame, sizeof(frame));
	if (!is_touched_by_receiving)
		HG_CHECK(guest_send(attack.guest, 0, frame, sizeof(frame), NULL));
	HG_CHECK(ftruncate(guest_memory(attack.guest)->fd, n_bytes) == 0);
	if (is_touched_by_receiving)
		flood_from_uplink(4);
	else
		attack_kick(TX);
	attack_expect("has taken away memory");
	/* Our own view of it is gone too: nothing touches it any more. */
	attack_end();
}

static void s5_1_hostile_memory_taken_away(void)
{
	take_memory_away(GUEST_FEATURES, 0, false);
	take_memory_away(PACKED, 0, false);
	take_memory_away(GUEST_FEATURES, 0, true);
	take_memory_away(PACKED, 0, true);
}

/* The rings are still there, the frames are not. */
static void s5_1_hostile_memory_of_frames_taken_away(void)
{
	uint32_t n_bytes;
	uint64_t at;

	attack_begin(0);
	at = attack_frame(&n_bytes);
	HG_CHECK(ftruncate(guest_memory(attack.guest)->fd,
			   (off_t)(guest_memory(attack.guest)->n_bytes - 8192)) == 0);
	attack_split(TX, 0, (struct vring_desc){at, n_bytes, 0, 0});
	attack_offer(TX, 0);
	attack_expect("has taken away memory");
	attack_end();
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s5_1_hostile_loops_of_descriptors),
		HG_TEST(s5_1_hostile_descriptor_that_follows_itself),
		HG_TEST(s5_1_hostile_packed_chain_without_end),
		HG_TEST(s5_1_hostile_addresses_outside_its_memory),
		HG_TEST(s5_1_hostile_lengths_beyond_the_end_of_its_memory),
		HG_TEST(s5_1_hostile_lengths_that_lie),
		HG_TEST(s5_1_hostile_direction_of_descriptors),
		HG_TEST(s5_1_hostile_indirect_tables),
		HG_TEST(s5_1_hostile_indirect_chain_too_long),
		HG_TEST(s5_1_hostile_indirect_chain_of_nothing),
		HG_TEST(s5_1_hostile_indirect_table_in_itself),
		HG_TEST(s5_1_hostile_jumps_of_the_avail_index),
		HG_TEST(s5_1_hostile_heads_that_the_ring_does_not_have),
		HG_TEST(s5_1_hostile_scribbles_in_all_of_its_rings),
		HG_TEST(s5_1_hostile_virtio_headers_that_lie),
		HG_TEST(s5_1_hostile_num_buffers_means_nothing),
		HG_TEST(s5_1_hostile_buffers_to_receive_in),
		HG_TEST(s5_1_hostile_buffers_of_a_byte_or_none),
		HG_TEST(s5_1_hostile_memory_taken_away),
		HG_TEST(s5_1_hostile_memory_of_frames_taken_away),
		{0}};

	return hg_tests_main(argc, argv, tests);
}
