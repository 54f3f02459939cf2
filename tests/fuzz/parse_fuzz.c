/* parse_fuzz: any bytes as a frame with any description, through all that vswitch does to a packet.
 *
 * Why        A guest writes both the frame and the virtio-net header. Nothing it writes may make the
 *            switch read past the frame, lose a buffer, or break what the headers of vswitch/ promise.
 * Input      10 bytes of description (struct described), then the frame.
 * Way        parse -> weigh -> forward -> for each hop: copy, tag -> mark -> split, cut, or complete.
 *            Buffers are exactly as long as what is in them, so that AddressSanitizer sees one byte too
 *            far. What is promised is asserted on the way.
 */
#include "tests/fuzz/fuzz.h"
#include "vswitch/bytes.h"
#include "vswitch/checksum.h"
#include "vswitch/ecn.h"
#include "vswitch/forward.h"
#include "vswitch/parse.h"
#include "vswitch/piece.h"
#include "vswitch/pool.h"
#include "vswitch/proto.h"
#include "vswitch/segment.h"
#include "vswitch/vlan.h"
#include "vswitch/weigh.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_PORTS 6u
#define N_BUFFERS 128u
#define DESCRIPTION_BYTES 10u

#define REQUIRE(cond)                                                                      \
	do {                                                                               \
		if (!(cond)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #cond); \
			abort();                                                           \
		}                                                                          \
	} while (0)

/* ---- the world ---------------------------------------------------------------------------------- */

static const struct hg_address address = {.bytes = {10, 0, 0, 2}, .len = 4};

static const struct hg_vlan_range vlans[] = {{2, 99}, {101, 4094}};

static const struct hg_switch_port ports[N_PORTS] = {
	{.is_uplink = true, .is_up = true, .mtu = 9000, .tenant_idx = HG_VIEW_NONE},
	{.is_up = true, .mtu = 1500, .vlans = vlans, .n_vlans = 2},
	{.mac = {2, 0, 0, 0, 0, 2},
	 .has_mac = true,
	 .is_up = true,
	 .mtu = 1500,
	 .addresses = &address,
	 .n_addresses = 1},
	{.is_up = true, .mtu = 65535, .vlan = 100},
	{.is_up = true, .mtu = 65535, .tenant_idx = 1},
	{.mac = {2, 0, 0, 0, 0, 5},
	 .has_mac = true,
	 .is_up = true,
	 .mtu = 9000,
	 .tenant_idx = 1,
	 .vlan = 100},
};

static struct hg_switch_view view;
static struct hg_fdb fdb;
static struct hg_arena_pool arena;

static void make_world(void)
{
	static void *view_memory, *fdb_memory, *pool_memory;
	struct hg_fdb_cfg cfg = {
		.max_entries = 16, .max_ports = N_PORTS, .max_learned = 4, .age_ns = HG_FDB_AGE_NS};

	if (view_memory == NULL) {
		view_memory = malloc(hg_view_bytes(ports, N_PORTS, 1));
		fdb_memory = malloc(hg_fdb_bytes(&cfg));
		pool_memory = malloc(hg_pool_arena_bytes(N_BUFFERS));
	}
	hg_view_build(&view, ports, N_PORTS, 1, view_memory);
	hg_fdb_init(&fdb, &cfg, fdb_memory);
	for (uint32_t i = 0; i < N_PORTS; i++)
		REQUIRE(hg_forward_configure(&view, &fdb, i, NULL) == 0);
	hg_pool_arena_init(&arena, pool_memory, N_BUFFERS);
}

/* ---- the input ---------------------------------------------------------------------------------- */

struct input {
	struct hg_pkt first, second;
	uint8_t *memory[2];
	uint32_t in_port_idx;
};

/* The frame of the input, made longer by n_more bytes, in one or two buffers of exactly its size. */
static void make_input(struct input *in, const uint8_t *data, size_t size)
{
	uint32_t n_frame = (uint32_t)(size - DESCRIPTION_BYTES);
	uint32_t n_total = n_frame + data[8] * 256u;
	uint32_t n_first = data[9] == 0 ? n_total : HG_PKT_HEADERS_BYTES + data[9];
	uint8_t *flat;

	if (n_total > 65535u)
		n_total = 65535u;
	if (n_first > n_total)
		n_first = n_total;
	if (n_frame > n_total)
		n_frame = n_total;
	flat = calloc(1, n_total);
	memcpy(flat, data + DESCRIPTION_BYTES, n_frame);
	*in = (struct input){.in_port_idx = data[0] % N_PORTS};
	in->memory[0] = malloc(HG_PKT_HEADROOM_BYTES + n_first);
	in->memory[1] = malloc(n_total - n_first + 1u);
	memcpy(in->memory[0] + HG_PKT_HEADROOM_BYTES, flat, n_first);
	memcpy(in->memory[1], flat + n_first, n_total - n_first);
	free(flat);
	in->first = (struct hg_pkt){
		.data = in->memory[0] + HG_PKT_HEADROOM_BYTES,
		.next = n_first < n_total ? &in->second : NULL,
		.total_bytes = n_total,
		.n_bytes = (uint16_t)n_first,
		.headroom = HG_PKT_HEADROOM_BYTES,
		.flags = data[1] & 3u,
		.gso_ecn = (data[1] & 4u) != 0,
		.gso = (data[1] >> 3) & 7u,
		.gso_bytes = hg_bytes_get16(data + 2),
		.csum_start = hg_bytes_get16(data + 4),
		.csum_offset = hg_bytes_get16(data + 6),
	};
	in->second =
		(struct hg_pkt){.data = in->memory[1], .n_bytes = (uint16_t)(n_total - n_first)};
}

/* ---- what is promised --------------------------------------------------------------------------- */

static void check_parsed(const struct hg_pkt *pkt)
{
	REQUIRE(pkt->l3_offset >= HG_ETHER_BYTES && pkt->l3_offset <= pkt->n_bytes);
	if (pkt->l4_offset != 0) {
		REQUIRE(pkt->l3_offset < pkt->l4_offset && pkt->l4_offset <= pkt->payload_offset);
		REQUIRE(pkt->payload_offset <= pkt->n_bytes);
	}
	if ((pkt->flags & HG_PKT_NEEDS_CSUM) != 0) {
		REQUIRE(pkt->csum_start >= pkt->l3_offset);
		REQUIRE(pkt->csum_start + pkt->csum_offset + 2u <= pkt->n_bytes);
	}
	if (pkt->gso != HG_GSO_NONE)
		REQUIRE(pkt->gso_bytes >= HG_PARSE_GSO_MIN_BYTES &&
			pkt->gso_bytes <= pkt->total_bytes - pkt->payload_offset);
	REQUIRE(pkt->parts >= 1 && pkt->parts <= HG_PARTS_MAX);
	REQUIRE(pkt->wire_bytes >= 84 && pkt->wire_bytes <= HG_WIRE_MAX_BYTES);
}

static void split(const struct hg_pkt *pkt)
{
	struct hg_segment s;
	uint32_t n_parts = 0, wire_bytes = 0;

	hg_segment_begin(&s, pkt, &arena.pool);
	while (!hg_segment_is_done(&s)) {
		struct hg_pkt *part = hg_segment_next(&s);
		enum hg_drop reason;

		REQUIRE(part != NULL);
		n_parts++;
		wire_bytes += part->wire_bytes;
		REQUIRE(hg_parse(part, &reason));
		REQUIRE(part->payload_offset == pkt->payload_offset);
		hg_pool_put(&arena.pool, &part, 1);
	}
	REQUIRE(n_parts == pkt->parts && wire_bytes == pkt->wire_bytes);
}

/* A copy in pieces of so many parts as the input says. */
static void cut(const struct hg_pkt *pkt, uint32_t max_parts)
{
	struct hg_pkt *rest = hg_pkt_copy(&arena.pool, pkt);
	uint32_t n_parts = 0, wire_bytes = 0;

	REQUIRE(rest != NULL);
	while (rest != NULL) {
		struct hg_pkt *piece = hg_piece_take(&rest, &arena.pool, max_parts);
		enum hg_drop reason;

		REQUIRE(piece->parts <= max_parts);
		n_parts += piece->parts;
		wire_bytes += piece->wire_bytes;
		REQUIRE(hg_parse(piece, &reason));
		check_parsed(piece);
		if (piece->gso != HG_GSO_NONE)
			split(piece);
		else
			hg_checksum_complete(piece);
		hg_pool_put(&arena.pool, &piece, 1);
	}
	REQUIRE(n_parts == pkt->parts && wire_bytes == pkt->wire_bytes);
}

/* One copy on its way out. */
static void deliver(struct hg_pkt *pkt, const struct hg_hop *hop)
{
	enum hg_drop reason;
	bool is_capable = hg_ecn_is_capable(pkt);

	REQUIRE(hg_vlan_apply(pkt, hop));
	REQUIRE(hg_ecn_mark(pkt) == is_capable);
	REQUIRE(hg_parse(pkt, &reason));
	hg_weigh(pkt);
	check_parsed(pkt);
	if (pkt->gso != HG_GSO_NONE) {
		split(pkt);
		cut(pkt, 1u + pkt->gso_bytes % 16u);
	} else {
		hg_checksum_complete(pkt);
	}
}

static void check_hop(const struct hg_switch_port *from, const struct hg_switch_port *to)
{
	REQUIRE(from != to);
	REQUIRE(!from->is_uplink || !to->is_uplink);
	if (!from->is_uplink && !to->is_uplink)
		REQUIRE(from->tenant_idx == to->tenant_idx &&
			(from->vlan == to->vlan || from->n_vlans > 0 || to->n_vlans > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in;
	struct hg_forward forward;
	struct hg_hop hop;
	enum hg_drop reason = HG_N_DROPS;

	if (size <= DESCRIPTION_BYTES)
		return 0;
	make_world();
	make_input(&in, data, size);
	if (!hg_parse(&in.first, &reason))
		goto done;
	hg_weigh(&in.first);
	check_parsed(&in.first);
	if (!hg_forward(&view, &fdb, &in.first, in.in_port_idx, 0, &forward, &reason))
		goto done;
	while (hg_forward_next(&forward, &hop)) {
		struct hg_pkt *copy = hg_pkt_copy(&arena.pool, &in.first);

		REQUIRE(copy != NULL);
		check_hop(&ports[in.in_port_idx], &ports[hop.port_idx]);
		deliver(copy, &hop);
		hg_pool_put(&arena.pool, &copy, 1);
	}
	REQUIRE(hop.is_last);
	reason = HG_N_DROPS;
done:
	REQUIRE(reason >= 0 && reason <= HG_N_DROPS);
	REQUIRE(arena.n_free == N_BUFFERS && arena.n_bad_puts == 0);
	free(in.memory[0]);
	free(in.memory[1]);
	return 0;
}
