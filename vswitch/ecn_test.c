#include "vswitch/ecn.h"

#include "vswitch/checksum.h"
#include "vswitch/parse.h"
#include "vswitch/pool.h"

#include "tests/frames.h"
#include "tests/harness.h"

static struct frame frame;

static struct hg_pkt *make(struct hg_arena_pool *arena, void *mem, bool is_ip4, uint8_t tos)
{
	struct hg_pkt *pkt;
	enum hg_drop reason;
	uint8_t mac[6];

	hg_pool_arena_init(arena, mem, 4);
	frame_mac(mac, 1);
	frame_eth(&frame, mac, mac);
	if (is_ip4)
		frame_ip4(&frame, HG_IP_TCP, 4);
	else
		frame_ip6(&frame, HG_IP_TCP);
	frame_tcp(&frame, 0, 0);
	frame_finish(&frame);
	if (is_ip4) {
		uint8_t *ip = frame.bytes + frame.l3;

		ip[1] = tos;
		hg_bytes_put16(ip + 10, hg_checksum_finish(hg_checksum_sum(ip, 24)));
	} else {
		hg_bytes_put16(frame.bytes + frame.l3, 0x6000u | (uint32_t)tos << 4 | 0xf);
	}
	pkt = frame_pkt(&frame, &arena->pool);
	HG_CHECK(hg_parse(pkt, &reason));
	HG_CHECK_EQ(pkt->tos, tos);
	return pkt;
}

/* Every DSCP and ECN value, both versions: the mark where it may be, every other bit as it was. */
static void s1_3_marks_who_speaks_ecn(void)
{
	struct hg_arena_pool arena;
	void *mem = malloc(hg_pool_arena_bytes(4));

	for (unsigned i = 0; i < 512; i++) {
		uint8_t tos = (uint8_t)i;
		bool is_ip4 = i >= 256, is_capable = (tos & 3) != 0;
		struct hg_pkt *pkt = make(&arena, mem, is_ip4, tos);
		enum hg_drop reason;

		HG_CHECK_EQ(hg_ecn_mark(pkt), is_capable);
		HG_CHECK_EQ(pkt->tos, is_capable ? tos | 3 : tos);
		HG_CHECK(hg_parse(pkt, &reason)); /* reads it from the bytes again */
		HG_CHECK_EQ(pkt->tos, is_capable ? tos | 3 : tos);
		if (is_ip4)
			HG_CHECK_EQ(hg_checksum_sum(pkt->data + pkt->l3_offset, 24), 0xffff);
		else
			HG_CHECK_EQ(pkt->data[pkt->l3_offset + 1] & 0xf, 0xf);
	}
	free(mem);
}

static void no_ip_no_mark(void)
{
	uint8_t bytes[60] = {[12] = 0x88, [13] = 0xcc};
	struct hg_pkt pkt = {.data = bytes, .n_bytes = 60, .total_bytes = 60};
	enum hg_drop reason;

	HG_CHECK(hg_parse(&pkt, &reason));
	HG_CHECK(!hg_ecn_mark(&pkt));
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(s1_3_marks_who_speaks_ecn),
		HG_TEST(no_ip_no_mark),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
