#define HG_TESTS_HELPER
#include "tests/component/offload/table.h"

#include "tests/guest/guest.h"

#define TABLE_TCI 0x6005u /* priority 3, VLAN 5 */
#define TABLE_VLAN 5u
#define WRONG_TOLD_MAX 20u
#define PAYLOAD_JUMBO 8948u

/* The last of a window, which every receiver takes. */
static const struct shape barrier = {.offload = OFFLOAD_NONE, .n_bytes = 200};

#define PLAIN(n)                                                                              \
	{.offload = OFFLOAD_NONE, .n_bytes = (n)}, {.offload = OFFLOAD_CSUM, .n_bytes = (n)}, \
		{.offload = OFFLOAD_NONE, .is_udp = true, .n_bytes = (n)},                    \
	{                                                                                     \
		.offload = OFFLOAD_CSUM, .is_udp = true, .n_bytes = (n)                       \
	}
#define PLAIN6(n)                                                                             \
	{.offload = OFFLOAD_NONE, .is_ip6 = true, .n_bytes = (n)},                            \
		{.offload = OFFLOAD_CSUM, .is_ip6 = true, .n_bytes = (n)},                    \
		{.offload = OFFLOAD_NONE, .is_ip6 = true, .is_udp = true, .n_bytes = (n)},    \
	{                                                                                     \
		.offload = OFFLOAD_CSUM, .is_ip6 = true, .is_udp = true, .has_options = true, \
		.n_bytes = (n)                                                                \
	}
#define TSO(n, gso)                                                                                \
	{.offload = OFFLOAD_TSO4, .n_bytes = (n), .gso_bytes = (gso)},                             \
		{.offload = OFFLOAD_TSO6, .is_ip6 = true, .n_bytes = (n), .gso_bytes = (gso)},     \
		{.offload = OFFLOAD_ECN, .has_options = true, .n_bytes = (n), .gso_bytes = (gso)}, \
	{                                                                                          \
		.offload = OFFLOAD_ECN, .is_ip6 = true, .has_options = true, .n_bytes = (n),       \
		.gso_bytes = (gso)                                                                 \
	}
#define USO(n, gso)                                                                     \
	{.offload = OFFLOAD_USO, .is_udp = true, .n_bytes = (n), .gso_bytes = (gso)},   \
	{                                                                               \
		.offload = OFFLOAD_USO, .is_ip6 = true, .is_udp = true, .n_bytes = (n), \
		.gso_bytes = (gso)                                                      \
	}

/* The first rows are the short list. */
static const struct shape shapes[] = {
	{.offload = OFFLOAD_NONE, .n_padding = 6, .n_bytes = 60},
	{.offload = OFFLOAD_CSUM, .n_padding = 5, .n_bytes = 60},
	PLAIN(1514),
	PLAIN6(1513),
	TSO(9014, 1428),
	TSO(65549, 1428),
	USO(30001, 1452),
#define N_SHORT 20
	PLAIN(60),
	PLAIN(61),
	PLAIN6(87),
	PLAIN6(1514),
	PLAIN(9014),
	PLAIN(9013),
	PLAIN6(9014),
	TSO(1523, 1428), /* two parts, the second as small as can be */
	TSO(3071, 999), /* odd parts: the sum of each begins at another byte of a buffer */
	TSO(65549, PAYLOAD_JUMBO),
	TSO(65548, 1427),
	USO(9014, 1000),
	USO(65001, PAYLOAD_JUMBO),
};
#define N_SHAPES (sizeof(shapes) / sizeof(shapes[0]))

/* ---- one case ----------------------------------------------------------------------------------- */

static uint32_t largest_ip(const struct shape *shape)
{
	struct layout at = shape_layout(shape);

	return shape->gso_bytes != 0 ? at.payload - WIRE_ETHER_BYTES + shape->gso_bytes
				     : shape->n_bytes - WIRE_ETHER_BYTES;
}

/* What a sender may leave to do: a guest what it was offered, a kernel as it likes, memory anything. */
static bool can_send(const struct end *from, const struct shape *shape)
{
	if (largest_ip(shape) > from->takes.mtu)
		return false;
	if (shape->offload != OFFLOAD_USO || from->guest == NULL)
		return true;
	return from->takes.uso;
}

/* Frames that may come of it, with buffers of 2 KiB in mind. */
static uint32_t cost(const struct shape *shape)
{
	return shape->gso_bytes != 0 ? (shape->n_bytes + 1u) / shape->gso_bytes *
						       (shape->gso_bytes / 2048u + 1u) +
					       2u
				     : shape->n_bytes / 2048u + 1u;
}

static bool is_tagged(const struct end *end)
{
	const struct host *h = end->host;

	if (end->is_uplink)
		return h->tenants[host_tenant(h, "a")].vlan != HG_VLAN_NONE ||
		       h->ports[host_instance(h, "a1")].n_vlans > 0;
	return h->ports[host_instance(h, end->cfg->name)].n_vlans > 0;
}

/* ---- a window ----------------------------------------------------------------------------------- */

struct run {
	struct table *table;
	struct end *from, *to;
	bool has_tag[2];
	const struct shape *sent[N_SHAPES + 2u]; /* by number; [0] is none */
	uint16_t n_sent;
	uint16_t now; /* the case that is arriving */
	struct check check;
	uint64_t too_big_due;
};

static struct wire reference, sending, received;

static enum table_takes takes_of(const struct takes *takes)
{
	if (!takes->csum)
		return TABLE_TAKES_NONE;
	return takes->tso4 ? TABLE_TAKES_TSO : TABLE_TAKES_CSUM;
}

static void tell(struct run *run, const struct shape *shape, const char *why)
{
	if (run->table->n_wrong++ >= WRONG_TOLD_MAX)
		return;
	printf("%s%s -> %s%s, %s, %s %s%s, %u bytes in parts of %u: %s\n", run->from->cfg->name,
	       run->has_tag[0] ? " (tag)" : "", run->to->cfg->name, run->has_tag[1] ? " (tag)" : "",
	       offload_names[shape->offload], shape->is_ip6 ? "IPv6" : "IPv4",
	       shape->is_udp ? "UDP" : "TCP", shape->has_options ? " with options" : "",
	       shape->n_bytes, shape->gso_bytes, why);
}

static bool is_too_big(const struct run *run, const struct shape *shape)
{
	return largest_ip(shape) > run->to->takes.mtu;
}

/* Goes on to case `number`; those before it should be over. */
static void go_on_to(struct run *run, uint16_t number)
{
	if (run->now != 0 && !run->check.is_done && !is_too_big(run, run->sent[run->now]))
		tell(run, run->sent[run->now], "not all of it arrived");
	for (uint16_t i = (uint16_t)(run->now + 1u); i < number; i++) {
		if (!is_too_big(run, run->sent[i]))
			tell(run, run->sent[i], "lost");
	}
	run->now = number;
	shape_write(run->sent[number], run->from->mac, run->to->mac, number, &reference);
	check_begin(&run->check, run->sent[number], &reference, &run->to->takes);
	run->check.is_tagged = run->has_tag[1];
	run->check.tci = run->has_tag[0] ? TABLE_TCI : TABLE_VLAN;
}

static void take(struct run *run)
{
	struct table *table = run->table;
	uint16_t number = wire_number(&received);
	const struct shape *shape;
	const char *why;

	if (number < run->now || number > run->n_sent) {
		tell(run, &barrier, "a frame of nobody, or out of order");
		return;
	}
	if (number > run->now)
		go_on_to(run, number);
	shape = run->sent[number];
	table->n_frames++;
	table->n_bytes += received.n_bytes;
	why = is_too_big(run, shape) ? "should have been too big"
				     : check_feed(&run->check, &received);
	if (why != NULL)
		tell(run, shape, why);
	else if (run->check.is_done)
		table->n_ok[run->from->cfg->kind][run->to->cfg->kind][shape->offload]
			   [takes_of(&run->to->takes)]++;
}

static void send_one(struct run *run, const struct shape *shape)
{
	uint16_t number = ++run->n_sent;

	run->sent[number] = shape;
	run->table->n_cases++;
	run->too_big_due += is_too_big(run, shape);
	shape_write(shape, run->from->mac, run->to->mac, number, &sending);
	if (run->has_tag[0])
		wire_tag(&sending, TABLE_TCI);
	end_send(run->from, &sending);
}

/* Ends the window. */
static void receive_all(struct run *run)
{
	hg_ns until_ns = clock_now_ns() + PATIENCE_NS;

	send_one(run, &barrier);
	while (run->now != run->n_sent || !run->check.is_done) {
		if (end_receive(run->to, &received)) {
			take(run);
			continue;
		}
		if (clock_now_ns() > until_ns) {
			tell(run, &barrier, "waited in vain");
			break;
		}
		sched_yield();
	}
	run->now = run->n_sent = 0;
}

static uint64_t count_too_big(const struct run *run)
{
	return run->to->is_uplink
		       ? host_uplink(run->to->host).drops[HG_DROP_TOO_BIG]
		       : host_port(run->to->host, run->to->cfg->name).drops[HG_DROP_TOO_BIG];
}

static void run_pair(struct table *table, struct end *from, struct end *to, uint32_t n_shapes)
{
	struct run run = {.table = table,
			  .from = from,
			  .to = to,
			  .has_tag = {is_tagged(from), is_tagged(to)}};
	uint64_t too_big_before = count_too_big(&run), too_big;
	uint32_t used = 0;

	for (uint32_t i = 0; i < n_shapes; i++) {
		/* What a kernel has cut is too big in parts, but perhaps for the last. */
		if (!can_send(from, &shapes[i]) ||
		    (is_too_big(&run, &shapes[i]) && end_cuts(from, shapes[i].n_bytes)))
			continue;
		if (used + cost(&shapes[i]) > end_window(from) && used > 0) {
			receive_all(&run);
			used = 0;
		}
		send_one(&run, &shapes[i]);
		used += cost(&shapes[i]);
	}
	receive_all(&run);
	too_big = count_too_big(&run) - too_big_before;
	table->n_too_big += too_big;
	if (too_big != run.too_big_due)
		HG_TEST_FAIL("%s -> %s: %" PRIu64 " frames were too big, %" PRIu64
			     " should have been",
			     from->cfg->name, to->cfg->name, too_big, run.too_big_due);
}

/* ---- the table ---------------------------------------------------------------------------------- */

void table_open(struct table *table, const struct end_cfg *cfgs, const struct end_cfg *uplink)
{
	for (uint32_t i = 0; i < table->n_ends; i++)
		end_close(&table->ends[i]); /* what a failed test left */
	for (uint32_t i = 0; i < table->n_ends; i++)
		end_remove(&table->ends[i]);
	host_init(&table->host);
	table->n_ends = 0;
	table->n_cases = table->n_frames = table->n_bytes = table->n_too_big = table->n_wrong = 0;
	memset(table->n_ok, 0, sizeof(table->n_ok));
	if (uplink != NULL)
		end_add(&table->ends[table->n_ends++], &table->host, uplink, true);
	for (; cfgs->name != NULL; cfgs++)
		end_add(&table->ends[table->n_ends++], &table->host, cfgs, false);
	host_start(&table->host, 1);
	for (uint32_t i = 0; i < table->n_ends; i++)
		end_meet(&table->ends[i]);
}

static void set_trunk(struct hg_desired_port *port, bool is_trunk)
{
	port->n_vlans = is_trunk;
	port->vlans[0] = (struct hg_vlan_range){TABLE_VLAN, TABLE_VLAN};
	port->vlan = is_trunk ? HG_VLAN_NONE : HG_VLAN_TENANT;
}

void table_set_vlan(struct table *table, enum table_vlan vlan)
{
	struct host *h = &table->host;

	h->tenants[host_tenant(h, "a")].vlan = vlan == TABLE_NO_VLAN ? HG_VLAN_NONE : TABLE_VLAN;
	for (uint32_t i = 0; i < h->desired.n_ports; i++)
		set_trunk(&h->ports[i], vlan == TABLE_ALL_TRUNKS ||
						(vlan == TABLE_EVEN_TRUNKS && i % 2 == 0) ||
						(vlan == TABLE_ODD_TRUNKS && i % 2 == 1));
	host_apply(h);
}

void table_run(struct table *table, bool is_short, bool only_uplink)
{
	for (uint32_t i = 0; i < table->n_ends; i++) {
		for (uint32_t j = 0; j < table->n_ends; j++) {
			struct end *from = &table->ends[i], *to = &table->ends[j];

			if (i == j || !from->is_there || !to->is_there ||
			    (only_uplink && !from->is_uplink && !to->is_uplink))
				continue;
			run_pair(table, from, to, is_short ? N_SHORT : N_SHAPES);
		}
	}
}

static void print_cell(const uint64_t *n_ok)
{
	char text[64];

	snprintf(text, sizeof(text), "%" PRIu64 "/%" PRIu64 "/%" PRIu64, n_ok[TABLE_TAKES_NONE],
		 n_ok[TABLE_TAKES_CSUM], n_ok[TABLE_TAKES_TSO]);
	printf(" %13s", text);
}

static bool has_kind(const struct table *table, enum end_kind kind)
{
	for (uint32_t i = 0; i < table->n_ends; i++) {
		if (table->ends[i].is_there && table->ends[i].cfg->kind == kind)
			return true;
	}
	return false;
}

void table_print(const struct table *table, const char *title)
{
	printf("%s: cases that were right to the byte, by what is left to do;\n"
	       "each cell: receiver takes nothing / checksums / checksums and segments\n%-16s",
	       title, "");
	for (unsigned o = 0; o < N_OFFLOADS; o++)
		printf(" %13s", offload_names[o]);
	printf("\n");
	for (unsigned from = 0; from < N_END_KINDS; from++) {
		for (unsigned to = 0; to < N_END_KINDS; to++) {
			if (!has_kind(table, from) || !has_kind(table, to))
				continue;
			printf("%-6s -> %-6s", end_kind_names[from], end_kind_names[to]);
			for (unsigned o = 0; o < N_OFFLOADS; o++)
				print_cell(table->n_ok[from][to][o]);
			printf("\n");
		}
	}
	printf("%" PRIu64 " cases, %" PRIu64 " frames and %" PRIu64 " MB arrived, %" PRIu64
	       " were too big for the receiver, %" PRIu64 " were wrong\n",
	       table->n_cases, table->n_frames, table->n_bytes / 1000000u, table->n_too_big,
	       table->n_wrong);
}

void table_close(struct table *table)
{
	struct host *h = &table->host;

	/* Drivers keep buffers ready while a device is open, which host_close() would miss. */
	for (uint32_t i = 0; i < table->n_ends; i++) {
		end_close(&table->ends[i]);
		if (table->ends[i].is_there && !table->ends[i].is_uplink)
			host_remove_last_instance(h);
	}
	snprintf(h->uplinks[0].device, sizeof(h->uplinks[0].device), "dummy:aside");
	h->uplinks[0].netns[0] = '\0';
	host_apply(h);
	host_close(h);
	for (uint32_t i = 0; i < table->n_ends; i++)
		end_remove(&table->ends[i]);
	table->n_ends = 0;
	if (table->n_wrong > 0)
		HG_TEST_FAIL("%" PRIu64 " cases were wrong", table->n_wrong);
}
