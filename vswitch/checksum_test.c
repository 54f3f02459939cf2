#include "vswitch/checksum.h"
#include "vswitch/parse.h"
#include "vswitch/pool.h"

#include "tests/frames.h"
#include "tests/harness.h"

/* RFC 1071, word by word. */
static uint32_t slow_sum(const uint8_t *bytes, uint32_t n)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < n; i++) {
		sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
		if (sum > 0xffff)
			sum -= 0xffff;
	}
	return sum;
}

static void rfc_1071_example(void)
{
	static const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

	HG_CHECK_EQ(hg_checksum_sum(bytes, sizeof(bytes)), 0xddf2);
	HG_CHECK_EQ(hg_checksum_finish(0xddf2), 0x220d);
	HG_CHECK_EQ(hg_checksum_sum(bytes, 0), 0);
}

static void sums_of_every_length_and_alignment(void)
{
	uint8_t bytes[300];
	uint64_t seed = hg_test_seed;

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)hg_test_random(&seed);
	for (uint32_t at = 0; at < 9; at++) {
		for (uint32_t n = 0; n < 280; n++)
			HG_CHECK_EQ(hg_checksum_sum(bytes + at, n), slow_sum(bytes + at, n));
	}
}

/* Cut anywhere, in odd pieces too. */
static void sums_over_chains(void)
{
	uint8_t bytes[2000];
	uint64_t seed = hg_test_seed;

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)hg_test_random(&seed);
	for (unsigned round = 0; round < 2000; round++) {
		struct hg_pkt bufs[3] = {0};
		uint32_t a = (uint32_t)hg_test_between(&seed, 1, 900);
		uint32_t b = (uint32_t)hg_test_between(&seed, 1, 900);
		uint32_t from = (uint32_t)hg_test_between(&seed, 0, 2000);

		bufs[0] = (struct hg_pkt){.data = bytes, .n_bytes = (uint16_t)a, .next = &bufs[1]};
		bufs[1] = (struct hg_pkt){
			.data = bytes + a, .n_bytes = (uint16_t)b, .next = &bufs[2]};
		bufs[2] =
			(struct hg_pkt){.data = bytes + a + b, .n_bytes = (uint16_t)(2000 - a - b)};
		HG_CHECK_EQ(hg_checksum_sum_chain(bufs, from), slow_sum(bytes + from, 2000 - from));
	}
}

/* What a guest leaves to do: the field holds the sum of the pseudo header. */
static void completed_checksum_verifies(void)
{
	static struct frame f;
	struct hg_arena_pool arena;
	void *mem = malloc(hg_pool_arena_bytes(8));
	uint8_t mac[6], flat[4000];

	frame_mac(mac, 1);
	for (uint32_t n_payload = 0; n_payload < 3000; n_payload += 7) {
		struct hg_pkt *pkt;
		enum hg_drop reason;
		uint32_t pseudo, n_l4;

		hg_pool_arena_init(&arena, mem, 8);
		frame_eth(&f, mac, mac);
		frame_ip4(&f, HG_IP_UDP, 0);
		frame_udp(&f);
		frame_payload(&f, n_payload, (uint8_t)n_payload);
		frame_finish(&f);
		n_l4 = f.n - f.l4;
		pseudo = slow_sum(f.bytes + f.l3 + 12, 8) + HG_IP_UDP + n_l4;
		hg_bytes_put16(f.bytes + f.l4 + 6, (uint16_t)~hg_checksum_finish(pseudo));
		pkt = frame_pkt(&f, &arena.pool);
		frame_want_csum(pkt, &f);
		HG_CHECK(hg_parse(pkt, &reason));
		hg_checksum_complete(pkt);
		HG_CHECK_EQ(pkt->flags, HG_PKT_CSUM_VALID);
		hg_pkt_read(pkt, 0, flat, f.n);
		HG_CHECK_EQ(hg_checksum_finish(slow_sum(flat + f.l4, n_l4) + pseudo), 0);
		HG_CHECK(hg_bytes_get16(flat + f.l4 + 6) != 0);
	}
	free(mem);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(rfc_1071_example),
		HG_TEST(sums_of_every_length_and_alignment),
		HG_TEST(sums_over_chains),
		HG_TEST(completed_checksum_verifies),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
