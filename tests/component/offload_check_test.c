/* The checker of offloads itself: it lets pass what is right, and each thing that can be wrong is seen to fail once. */
#include "tests/component/offload/check.h"

#include "tests/harness.h"

static const uint8_t from_mac[] = {2, 0, 0, 0, 0, 1}, to_mac[] = {2, 0, 0, 0, 0, 2};
static const struct takes all = {
	.csum = true, .tso4 = true, .tso6 = true, .ecn = true, .uso = true, .mtu = 1500};
static const struct takes nothing = {.mtu = 1500};
static struct wire sent, parts[3];
static struct check check;

/* ---- a cutter of its own ------------------------------------------------------------------------ */

/* Sums anew, as it was. */
static void sum_up(const struct shape *shape, struct wire *wire)
{
	struct layout at = shape_layout(shape);
	uint32_t n_l4 = wire->n_bytes - at.l4, n_header = at.l4 - WIRE_ETHER_BYTES;
	uint8_t *ip = wire->bytes + WIRE_ETHER_BYTES,
		*field = wire->bytes + at.l4 + wire->csum_offset;
	uint16_t pseudo = wire_pseudo_sum(wire->bytes, at.l4, shape->is_udp ? 17 : 6, n_l4);

	if (!shape->is_ip6) {
		wire_put16(ip + 10, 0);
		wire_put16(ip + 10, (uint16_t)~wire_fold(wire_sum(0, ip, n_header)));
	}
	wire_put16(field, 0);
	wire_put16(field, wire->needs_csum ? pseudo
					   : (uint16_t)~wire_fold(
						     wire_sum(pseudo, wire->bytes + at.l4, n_l4)));
}

/* The payload from `from` on of the reference, n bytes, as part number idx; a segment if it is larger than one. */
static void cut(const struct shape *shape, uint32_t idx, uint32_t from, uint32_t n,
		bool is_finished, struct wire *ret_part)
{
	struct layout at = shape_layout(shape);
	uint8_t *frame = ret_part->bytes, *ip = frame + WIRE_ETHER_BYTES, *l4 = frame + at.l4;

	*ret_part = sent;
	memcpy(frame + at.payload, sent.bytes + at.payload + from, n);
	ret_part->n_bytes = at.payload + n;
	ret_part->needs_csum = !is_finished;
	ret_part->is_ecn = sent.is_ecn && from == 0 && n > sent.gso_bytes;
	if (n <= sent.gso_bytes)
		ret_part->gso = WIRE_PLAIN;
	if (shape->is_ip6)
		wire_put16(ip + 4, ret_part->n_bytes - WIRE_ETHER_BYTES - 40);
	else {
		wire_put16(ip + 2, ret_part->n_bytes - WIRE_ETHER_BYTES);
		wire_put16(ip + 4, wire_get16(ip + 4) + idx);
	}
	if (shape->is_udp)
		wire_put16(l4 + 4, ret_part->n_bytes - at.l4);
	else {
		wire_put32(l4 + 4, wire_get32(l4 + 4) + from);
		if (from + n < at.end - at.payload)
			l4[13] &= (uint8_t)~0x09;
		if (from > 0)
			l4[13] &= (uint8_t)~0x80;
	}
	sum_up(shape, ret_part);
}

/* In three finished parts. */
static void cut_all(const struct shape *shape)
{
	struct layout at = shape_layout(shape);
	uint32_t n = at.end - at.payload, gso = shape->gso_bytes;

	shape_write(shape, from_mac, to_mac, 7, &sent);
	cut(shape, 0, 0, gso, true, &parts[0]);
	cut(shape, 1, gso, gso, true, &parts[1]);
	cut(shape, 2, 2 * gso, n - 2 * gso, true, &parts[2]);
}

/* ---- what is right ------------------------------------------------------------------------------ */

static const struct shape segments[] = {
	{.offload = OFFLOAD_TSO4, .n_bytes = 3055, .gso_bytes = 1001},
	{.offload = OFFLOAD_TSO6, .is_ip6 = true, .n_bytes = 2900, .gso_bytes = 1000},
	{.offload = OFFLOAD_ECN, .has_options = true, .n_bytes = 2900, .gso_bytes = 1000},
	{.offload = OFFLOAD_USO, .is_udp = true, .n_bytes = 2901, .gso_bytes = 1001},
};
#define N_SEGMENTS (sizeof(segments) / sizeof(segments[0]))

static void begin(const struct shape *shape, const struct takes *takes)
{
	cut_all(shape);
	check_begin(&check, shape, &sent, takes);
}

static void expect_right(const struct wire *wire, bool is_done)
{
	const char *why = check_feed(&check, wire);

	if (why != NULL)
		HG_TEST_FAIL("%s", why);
	HG_CHECK_EQ(check.is_done, is_done);
}

static void what_is_right_passes(void)
{
	for (unsigned i = 0; i < N_SEGMENTS; i++) {
		const struct shape *shape = &segments[i];
		uint32_t gso = shape->gso_bytes;

		begin(shape, &nothing);
		for (unsigned p = 0; p < 3; p++)
			expect_right(&parts[p], p == 2);
		begin(shape, &all);
		expect_right(&sent, true);
		/* A smaller segment, and a packet with its sum left to do. */
		begin(shape, &all);
		cut(shape, 0, 0, 2 * gso, false, &parts[0]);
		cut(shape, 2, 2 * gso,
		    shape_layout(shape).end - shape_layout(shape).payload - 2 * gso, false,
		    &parts[1]);
		expect_right(&parts[0], false);
		expect_right(&parts[1], true);
	}
}

static void sums_are_those_of_rfc_1071(void)
{
	static const uint8_t example[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

	HG_CHECK_EQ(wire_fold(wire_sum(0, example, 8)), 0xddf2);
	HG_CHECK_EQ(wire_fold(wire_sum(0, example, 7)), 0xdcfb);
}

/* ---- what is wrong ------------------------------------------------------------------------------ */

/* Any one bit of any frame. */
static void every_bit_is_noticed(void)
{
	for (unsigned kind = 0; kind < 8; kind++) {
		const struct shape shape = {.offload = kind & 1 ? OFFLOAD_CSUM : OFFLOAD_NONE,
					    .is_ip6 = kind & 2,
					    .is_udp = kind & 4,
					    .has_options = kind > 3,
					    .n_bytes = 131};

		shape_write(&shape, from_mac, to_mac, 7, &sent);
		check_begin(&check, &shape, &sent, &all);
		expect_right(&sent, true);
		for (uint32_t bit = 0; bit < 8 * sent.n_bytes; bit++) {
			parts[0] = sent;
			parts[0].bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
			check_begin(&check, &shape, &sent, &all);
			if (check_feed(&check, &parts[0]) == NULL)
				HG_TEST_FAIL("kind %u: bit %u was missed", kind, bit);
		}
	}
}

static void every_bit_of_a_part_is_noticed(void)
{
	for (unsigned i = 0; i < N_SEGMENTS; i++) {
		begin(&segments[i], &nothing);
		for (uint32_t bit = 0; bit < 8 * parts[0].n_bytes; bit++) {
			sent.n_bytes = segments[i].n_bytes;
			parts[0].bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
			check_begin(&check, &segments[i], &sent, &nothing);
			if (check_feed(&check, &parts[0]) == NULL)
				HG_TEST_FAIL("segment %u: bit %u was missed", i, bit);
			parts[0].bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

/* The second part after somebody made it so, with sums that are right again. */
static void expect_wrong(const struct shape *shape, unsigned idx, const char *why)
{
	const char *got = NULL;

	sum_up(shape, &parts[idx]);
	check_begin(&check, shape, &sent, &nothing);
	for (unsigned p = 0; p <= idx && got == NULL; p++)
		got = check_feed(&check, &parts[p]);
	HG_CHECK(got != NULL);
	HG_CHECK_HAS(got, why);
}

static void fields_of_parts_are_judged_with_right_sums(void)
{
	const struct shape *tcp = &segments[2], *udp = &segments[3];
	uint32_t l4 = shape_layout(tcp).l4;

	begin(tcp, &nothing);
	wire_put32(parts[1].bytes + l4 + 4, wire_get32(parts[0].bytes + l4 + 4));
	expect_wrong(tcp, 1, "sequence");
	begin(tcp, &nothing);
	parts[0].bytes[l4 + 13] |= 0x08;
	expect_wrong(tcp, 0, "flags");
	begin(tcp, &nothing);
	parts[1].bytes[l4 + 13] |= 0x80;
	expect_wrong(tcp, 1, "flags");
	begin(tcp, &nothing);
	parts[2].bytes[l4 + 13] &= (uint8_t)~0x01;
	expect_wrong(tcp, 2, "flags");
	begin(tcp, &nothing);
	wire_put16(parts[1].bytes + 18, wire_get16(parts[0].bytes + 18));
	expect_wrong(tcp, 1, "identification");
	begin(tcp, &nothing);
	wire_put16(parts[1].bytes + 16, 1500);
	expect_wrong(tcp, 1, "total length");
	begin(tcp, &nothing);
	parts[1].n_bytes -= 1;
	expect_wrong(tcp, 1, "payload");
	begin(tcp, &nothing);
	parts[1] = parts[2];
	expect_wrong(tcp, 1, "payload");
	begin(udp, &nothing);
	wire_put16(parts[1].bytes + shape_layout(udp).l4 + 4, 99);
	expect_wrong(udp, 1, "UDP length");
}

static void expect_refused(const struct shape *shape, const struct wire *wire,
			   const struct takes *takes, const char *why)
{
	const char *got;

	check_begin(&check, shape, &sent, takes);
	got = check_feed(&check, wire);
	HG_CHECK(got != NULL);
	HG_CHECK_HAS(got, why);
}

static void what_is_left_to_do_is_judged(void)
{
	const struct shape *shape = &segments[2];
	struct takes takes = all;

	begin(shape, &all);
	expect_refused(shape, &sent, &nothing, "takes none");
	takes.ecn = false;
	expect_refused(shape, &sent, &takes, "with ECN");
	takes = all;
	takes.tso4 = false;
	expect_refused(shape, &sent, &takes, "takes none");
	takes = all;
	takes.mtu = 1000;
	expect_refused(shape, &sent, &takes, "MTU");
	parts[0] = sent;
	parts[0].csum_start = (uint16_t)(parts[0].csum_start + 2);
	expect_refused(shape, &parts[0], &all, "csum_start");
	parts[0] = sent;
	parts[0].csum_offset = 6;
	expect_refused(shape, &parts[0], &all, "csum_offset");
	parts[0] = sent;
	parts[0].gso_bytes--;
	expect_refused(shape, &parts[0], &all, "payload of a part");
	parts[0] = sent;
	parts[0].needs_csum = false;
	expect_refused(shape, &parts[0], &all, "without a checksum");
	parts[0] = sent;
	parts[0].is_ecn = false;
	expect_refused(shape, &parts[0], &all, "ECN");
	parts[0] = sent;
	wire_tag(&parts[0], 5);
	expect_refused(shape, &parts[0], &all, "");
}

static void what_is_doubled_or_missing_is_noticed(void)
{
	begin(&segments[0], &nothing);
	expect_right(&parts[0], false);
	HG_CHECK(check_feed(&check, &parts[0]) != NULL);
	begin(&segments[0], &nothing);
	expect_right(&parts[0], false);
	HG_CHECK(check_feed(&check, &parts[2]) != NULL);
	begin(&segments[0], &all);
	expect_right(&sent, true);
	HG_CHECK(check_feed(&check, &sent) != NULL);
}

static const struct hg_test tests[] = {
	HG_TEST(what_is_right_passes),
	HG_TEST(sums_are_those_of_rfc_1071),
	HG_TEST(every_bit_is_noticed),
	HG_TEST(every_bit_of_a_part_is_noticed),
	HG_TEST(fields_of_parts_are_judged_with_right_sums),
	HG_TEST(what_is_left_to_do_is_judged),
	HG_TEST(what_is_doubled_or_missing_is_noticed),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
