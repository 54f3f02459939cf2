/* What the command makes of a capture's stream. */
#include "cli/blocks.h"
#include "cli/packet_line.h"
#include "tests/harness.h"

/* As docs/api.md and the format say: a section header, an interface, a packet, statistics. */
static const uint32_t file[] = {
	/* section header */
	0x0a0d0d0a, 28, 0x1a2b3c4d, 1, 0xffffffff, 0xffffffff, 28,
	/* interface: Ethernet, 96 bytes of each */
	1, 20, 1, 96, 20,
	/* packet at 2^32 + 5 ns: 3 of 60 bytes, flags: outbound */
	6, 48, 0, 1, 5, 3, 60, 0x00030201, 4u << 16 | 2u, 2, 0, 48,
	/* statistics: a comment, missed packets */
	5, 52, 0, 1, 6, 5u << 16 | 1u, 0x656e6f64 /* "done" */, 0x21 /* "!" */, 8u << 16 | 5u, 7, 0,
	0, 52};

struct seen {
	unsigned n_blocks, n_packets, n_ends;
	bool want_stop;
};

static bool on_block(void *user, const struct hg_block *b)
{
	struct seen *seen = user;

	seen->n_blocks++;
	if (b->is_packet) {
		seen->n_packets++;
		HG_CHECK_EQ(b->at_ns, (1LL << 32) + 5);
		HG_CHECK(b->is_out);
		HG_CHECK_EQ(b->n_frame, 3);
		HG_CHECK_EQ(b->total_bytes, 60);
		HG_CHECK_EQ(b->frame[2], 3);
	}
	if (b->is_end) {
		seen->n_ends++;
		HG_CHECK_STR(b->why, "done!");
		HG_CHECK_EQ(b->missed_pkts, 7);
	}
	return !seen->want_stop;
}

static void s5_1_blocks_come_out_whole_however_they_come(void)
{
	for (size_t n_piece = 1; n_piece <= sizeof(file); n_piece++) {
		struct seen seen = {0};
		struct hg_blocks blocks = {.on_block = on_block, .user = &seen};

		for (size_t at = 0; at < sizeof(file); at += n_piece)
			HG_CHECK(hg_blocks_feed(&blocks, (const uint8_t *)file + at,
						at + n_piece < sizeof(file) ? n_piece
									    : sizeof(file) - at));
		hg_blocks_fini(&blocks);
		HG_CHECK_EQ(seen.n_blocks, 4);
		HG_CHECK_EQ(seen.n_packets, 1);
		HG_CHECK_EQ(seen.n_ends, 1);
	}
}

static bool is_taken(const uint32_t *words, size_t n)
{
	struct seen seen = {0};
	struct hg_blocks blocks = {.on_block = on_block, .user = &seen};
	bool is_good = hg_blocks_feed(&blocks, words, n * 4u);

	hg_blocks_fini(&blocks);
	return is_good;
}

static void what_is_no_block_ends_it(void)
{
	static const uint32_t too_short[] = {1, 8, 8};
	static const uint32_t odd[] = {1, 13, 0, 13};
	static const uint32_t too_large[] = {1, HG_BLOCKS_MAX_BYTES + 4u, 0};
	static const uint32_t packet_without[] = {6, 16, 0, 16};
	static const uint32_t frame_too_long[] = {6, 32, 0, 1, 5, 4, 60, 32};
	static const uint32_t end_without[] = {5, 12, 12};
	struct seen seen = {.want_stop = true};
	struct hg_blocks blocks = {.on_block = on_block, .user = &seen};

	HG_CHECK(!is_taken(too_short, 3));
	HG_CHECK(!is_taken(odd, 4));
	HG_CHECK(!is_taken(too_large, 3));
	HG_CHECK(!is_taken(packet_without, 4));
	HG_CHECK(!is_taken(frame_too_long, 8));
	HG_CHECK(!is_taken(end_without, 3));
	HG_CHECK(!hg_blocks_feed(&blocks, file, sizeof(file)));
	HG_CHECK_EQ(seen.n_blocks, 1);
	hg_blocks_fini(&blocks);
}

/* ---- lines -------------------------------------------------------------------------------------- */

#define MACS 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1

static void check_line(const uint8_t *frame, size_t n, const char *want)
{
	char line[HG_PACKET_LINE_BYTES];

	HG_CHECK_STR(hg_packet_line(line, frame, n), want);
}

static void s5_1_a_packet_is_a_line(void)
{
	static const uint8_t udp[] = {MACS, 8,  0, 0x45, 0,  0,  28, 0, 0, 0, 0, 64,   17,  0,
				      0,    10, 0, 0,    11, 10, 0,  0, 1, 1, 0, 0x1f, 0x90};
	static const uint8_t later[] = {MACS, 8,  0, 0x45, 0,  0,  28, 0, 0, 0, 9, 64, 6, 0,
					0,    10, 0, 0,    11, 10, 0,  0, 1, 1, 0, 0,  80};
	static const uint8_t ip6[] = {MACS, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 8,    6, 64, 0xfd,
				      0,    0,    0,    0,    0, 0, 0, 0, 0,    0, 0,  0,
				      0,    0,    0x11, 0xfd, 0, 0, 0, 0, 0,    0, 0,  0,
				      0,    0,    0,    0,    0, 0, 1, 0, 0x50, 1, 0};
	static const uint8_t arp[] = {MACS, 8,  6, 0, 1,  8, 0, 6, 4, 0, 1, 2,  0, 0, 0, 0,
				      1,    10, 0, 0, 11, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1};
	static const uint8_t tagged[] = {MACS, 0x81, 0, 0, 100, 8,  0, 0x45, 0,  0,  28, 0, 0, 0,
					 0,    64,   1, 0, 0,   10, 0, 0,    11, 10, 0,  0, 1};
	static const uint8_t other[] = {MACS, 0x88, 0xcc, 1};

	check_line(udp, sizeof(udp), "10.0.0.11:256 > 10.0.0.1:8080 udp");
	check_line(udp, 34, "10.0.0.11 > 10.0.0.1 udp");
	check_line(udp, 33, "02:00:00:00:00:01 > 02:00:00:00:00:02 type 0800");
	check_line(udp, 13, "cut short");
	check_line(later, sizeof(later), "10.0.0.11 > 10.0.0.1 tcp");
	check_line(ip6, sizeof(ip6), "[fd00::11]:80 > [fd00::1]:256 tcp");
	check_line(arp, sizeof(arp), "arp 10.0.0.11 asks for 10.0.0.1");
	check_line(tagged, sizeof(tagged), "10.0.0.11 > 10.0.0.1 icmp");
	check_line(other, sizeof(other), "02:00:00:00:00:01 > 02:00:00:00:00:02 type 88cc");
}

static const struct hg_test tests[] = {
	HG_TEST(s5_1_blocks_come_out_whole_however_they_come),
	HG_TEST(what_is_no_block_ends_it),
	HG_TEST(s5_1_a_packet_is_a_line),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
