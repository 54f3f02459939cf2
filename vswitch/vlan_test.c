#include "vswitch/vlan.h"

#include "vswitch/parse.h"
#include "vswitch/pool.h"

#include "tests/frames.h"
#include "tests/harness.h"

static struct frame frame;
static struct hg_arena_pool arena;
static uint8_t memory[16 * 4096];

static struct hg_pkt *make(unsigned n_tags)
{
	struct hg_pkt *pkt;
	enum hg_drop reason;
	uint8_t dst[6], src[6];

	HG_CHECK(hg_pool_arena_bytes(8) <= sizeof(memory));
	hg_pool_arena_init(&arena, memory, 8);
	frame_mac(dst, 2);
	frame_mac(src, 1);
	frame_eth(&frame, dst, src);
	for (unsigned i = 0; i < n_tags; i++)
		frame_tag(&frame, HG_ETHERTYPE_VLAN, (5 - i) << 13 | (100 + i));
	frame_ip4(&frame, HG_IP_TCP, 0);
	frame_tcp(&frame, 0x10, 0);
	frame_payload(&frame, 3000, 0);
	frame_finish(&frame);
	pkt = frame_pkt(&frame, &arena.pool);
	frame_want_gso(pkt, &frame, 1000);
	HG_CHECK(hg_parse(pkt, &reason));
	return pkt;
}

/* What an edit left behind is what a parser finds in the bytes. */
static void check_consistent(struct hg_pkt *pkt)
{
	struct hg_pkt kept = *pkt;
	uint32_t sum = 0;
	enum hg_drop reason;

	for (struct hg_pkt *buf = pkt; buf != NULL; buf = buf->next)
		sum += buf->n_bytes;
	HG_CHECK_EQ(sum, pkt->total_bytes);
	HG_CHECK_EQ(pkt->headroom + pkt->n_bytes + pkt->tailroom,
		    HG_PKT_HEADROOM_BYTES + HG_PKT_ROOM_BYTES);
	HG_CHECK(hg_parse(pkt, &reason));
	HG_CHECK_EQ(pkt->vlan, kept.vlan);
	HG_CHECK_EQ(pkt->pcp, kept.pcp);
	HG_CHECK_EQ(pkt->l3_offset, kept.l3_offset);
	HG_CHECK_EQ(pkt->l4_offset, kept.l4_offset);
	HG_CHECK_EQ(pkt->payload_offset, kept.payload_offset);
}

static void push_then_pop_gives_the_frame_back(void)
{
	static uint8_t got[8000];
	struct hg_pkt *pkt = make(0);

	HG_CHECK(hg_vlan_push(pkt, 4094, 7));
	HG_CHECK_EQ(pkt->vlan, 4094);
	HG_CHECK_EQ(pkt->pcp, 7);
	HG_CHECK_EQ(pkt->total_bytes, frame.n + 4);
	HG_CHECK_EQ(pkt->csum_start, frame.l4 + 4);
	check_consistent(pkt);
	hg_vlan_pop(pkt);
	check_consistent(pkt);
	HG_CHECK_EQ(pkt->vlan, 0);
	HG_CHECK_EQ(pkt->total_bytes, frame.n);
	hg_pkt_read(pkt, 0, got, frame.n);
	HG_CHECK(memcmp(got, frame.bytes, frame.n) == 0);
}

static void pop_shows_the_inner_tag(void)
{
	struct hg_pkt *pkt = make(2);

	hg_vlan_pop(pkt);
	HG_CHECK_EQ(pkt->vlan, 101);
	HG_CHECK_EQ(pkt->pcp, 4);
	check_consistent(pkt);
	hg_vlan_pop(pkt);
	HG_CHECK_EQ(pkt->vlan, 0);
	check_consistent(pkt);
	hg_vlan_pop(pkt);
	check_consistent(pkt);
}

static void set_keeps_the_priority(void)
{
	struct hg_pkt *pkt = make(1);

	hg_vlan_set(pkt, 0xabc);
	HG_CHECK_EQ(pkt->vlan, 0xabc);
	HG_CHECK_EQ(pkt->pcp, 5);
	check_consistent(pkt);
}

static void push_without_headroom_changes_nothing(void)
{
	struct hg_pkt *pkt = make(0);
	uint8_t *data = pkt->data;

	pkt->headroom = 3;
	HG_CHECK(!hg_vlan_push(pkt, 1, 0));
	HG_CHECK(pkt->data == data);
	HG_CHECK_EQ(pkt->vlan, 0);
	HG_CHECK_EQ(pkt->total_bytes, frame.n);
}

int main(int argc, char **argv)
{
	static const struct hg_test tests[] = {
		HG_TEST(push_then_pop_gives_the_frame_back),
		HG_TEST(pop_shows_the_inner_tag),
		HG_TEST(set_keeps_the_priority),
		HG_TEST(push_without_headroom_changes_nothing),
		{0},
	};

	return hg_tests_main(argc, argv, tests);
}
