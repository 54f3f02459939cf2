/* The packet lane as a whole, between devices of memory: who reaches whom, what becomes of bad frames and
 * of devices that fail. */
#include "dataplane/dp.h"
#include "dataplane/publish.h"
#include "tests/component/hosts.h"
#include "tests/frames.h"

static struct host host;

static void start(void)
{
	host_init(&host);
	host_start(&host, 1);
}

/* ---- who reaches whom --------------------------------------------------------------------------- */

static void s5_1_instance_to_uplink_and_back(void)
{
	start();
	host_send(&host, "a1", "up0", 1000, 0, 100);
	host_expect(&host, "up0", 0, 100);
	host_send(&host, "up0", "a1", 60, 0, 100);
	host_expect(&host, "a1", 0, 100);
	HG_CHECK_EQ(host_flow(&host, "a1", HG_OUT).link_bytes, 100 * 1024);
	HG_CHECK_EQ(host_flow(&host, "a1", HG_IN).link_bytes, 100 * 84);
	HG_CHECK_EQ(host_uplink(&host).tx_wire_bytes, 100 * 1024);
	HG_CHECK_EQ(host_uplink(&host).rx_wire_bytes, 100 * 84);
	host_close(&host);
}

static void s5_1_local_traffic_uses_no_uplink(void)
{
	struct hg_dp_flow out, in;

	start();
	host_send(&host, "a1", "a2", 500, 0, 100);
	host_expect(&host, "a2", 0, 100);
	out = host_flow(&host, "a1", HG_OUT);
	in = host_flow(&host, "a2", HG_IN);
	HG_CHECK_EQ(out.sent_bytes, 100 * 524);
	HG_CHECK_EQ(out.link_bytes, 0);
	HG_CHECK_EQ(in.sent_bytes, 100 * 524);
	HG_CHECK_EQ(in.link_bytes, 0);
	HG_CHECK_EQ(host_discard(&host, "up0"), 0);
	host_close(&host);
}

static void s5_1_tenants_are_kept_apart(void)
{
	start();
	/* One worker takes packets on in their order: what came before the last one has arrived, too. */
	host_send(&host, "a1", "b1", 100, 0, 50);
	host_expect(&host, "up0", 0, 50);
	host_send(&host, "up0", "b1", 100, 1000, 1);
	host_expect(&host, "b1", 1000, 1);
	HG_CHECK_EQ(host_discard(&host, "a2"), 0);
	host_close(&host);
}

static void s5_1_broadcast_stays_in_the_tenant(void)
{
	struct hg_pkt *pkt;

	start();
	pkt = host_packet(&host, "a1", "up0", 100, 7);
	memset(pkt->data, 0xff, HG_MAC_BYTES);
	host_inject(&host, "a1", pkt);
	host_expect(&host, "up0", 7, 1);
	host_expect(&host, "a2", 7, 1);
	host_send(&host, "up0", "b1", 100, 8, 1);
	host_expect(&host, "b1", 8, 1);
	HG_CHECK_EQ(host_discard(&host, "a1"), 0);
	/* From the uplink it reaches everybody. */
	pkt = host_packet(&host, "up0", "a1", 100, 9);
	memset(pkt->data, 0xff, HG_MAC_BYTES);
	host_inject(&host, "up0", pkt);
	host_expect(&host, "a1", 9, 1);
	host_expect(&host, "a2", 9, 1);
	host_expect(&host, "b1", 9, 1);
	host_close(&host);
}

static void s5_1_spoofed_source_is_dropped(void)
{
	start();
	host_inject(&host, "a1", host_packet(&host, "b1", "up0", 100, 0));
	host_send(&host, "a1", "up0", 100, 1, 1);
	host_expect(&host, "up0", 1, 1);
	HG_CHECK_EQ(host_port(&host, "a1").drops[HG_DROP_SPOOFED_MAC], 1);
	host_close(&host);
}

/* The next frame at the uplink, but for what headgate itself says of that new address, is this number. */
static void expect_behind_announcements(uint32_t address, uint32_t number)
{
	for (;;) {
		struct hg_pkt *pkt = host_receive(&host, "up0");
		bool is_arp = hg_bytes_get16(pkt->data + 12) == HG_ETHERTYPE_ARP;
		uint32_t sender = hg_bytes_get32(pkt->data + HG_ETHER_BYTES + HG_ARP_SENDER_OFFSET +
						 HG_MAC_BYTES);
		uint32_t got = packet_number(pkt);

		host_release(&host, pkt);
		if (is_arp && sender == address)
			continue;
		HG_CHECK_EQ(got, number);
		return;
	}
}

/* The last frame is one that passes: what came before it has been judged. */
static void s5_1_spoofed_addresses_are_counted_by_reason(void)
{
	struct hg_desired_port *port;
	struct hg_pkt *pkt;
	uint8_t *arp;

	start();
	port = &host.ports[host_instance(&host, "a1")];
	port->addresses[0] = (struct hg_address){.bytes = {10, 0, 0, 1}, .len = 4};
	port->n_addresses = 1;
	host_apply(&host);
	host_send(&host, "a1", "up0", 100, 0, 3); /* from 0.0.0.0 */
	pkt = host_packet(&host, "a1", "up0", 100, 0);
	hg_bytes_put16(pkt->data + 12, HG_ETHERTYPE_IP6);
	pkt->data[HG_ETHER_BYTES] = 0x60;
	hg_bytes_put16(pkt->data + HG_ETHER_BYTES + 4, 40);
	pkt->data[HG_ETHER_BYTES + 6] = HG_IP_NOTHING;
	pkt->data[HG_ETHER_BYTES + 8] = 0xfd;
	host_inject(&host, "a1", pkt);
	pkt = host_packet(&host, "a1", "up0", 60, 0);
	arp = pkt->data + HG_ETHER_BYTES;
	hg_bytes_put16(pkt->data + 12, HG_ETHERTYPE_ARP);
	memcpy(arp, (const uint8_t[]){0, 1, 8, 0, 6, 4, 0, 2}, 8);
	memcpy(arp + 8, host_mac(&host, "a1"), HG_MAC_BYTES);
	hg_bytes_put32(arp + 14, 0x0a000002);
	host_inject(&host, "a1", pkt);
	pkt = host_packet(&host, "a1", "up0", 100, 7);
	hg_bytes_put32(pkt->data + HG_ETHER_BYTES + HG_IP4_SOURCE_OFFSET, 0x0a000001);
	host_inject(&host, "a1", pkt);
	expect_behind_announcements(0x0a000001, 7);
	HG_CHECK_EQ(host_port(&host, "a1").drops[HG_DROP_SPOOFED_IP4], 3);
	HG_CHECK_EQ(host_port(&host, "a1").drops[HG_DROP_SPOOFED_IP6], 1);
	HG_CHECK_EQ(host_port(&host, "a1").drops[HG_DROP_SPOOFED_ARP], 1);
	host_close(&host);
}

static void tag(struct hg_pkt *pkt, uint16_t vlan)
{
	pkt->data -= HG_VLAN_TAG_BYTES;
	memmove(pkt->data, pkt->data + HG_VLAN_TAG_BYTES, 2 * HG_MAC_BYTES);
	hg_bytes_put16(pkt->data + 12, HG_ETHERTYPE_VLAN);
	hg_bytes_put16(pkt->data + 14, vlan);
	pkt->headroom = (uint16_t)(pkt->headroom - HG_VLAN_TAG_BYTES);
	pkt->n_bytes = (uint16_t)(pkt->n_bytes + HG_VLAN_TAG_BYTES);
	pkt->total_bytes += HG_VLAN_TAG_BYTES;
}

static void send_tagged(const char *from, const char *to, uint16_t vlan, uint32_t number)
{
	struct hg_pkt *pkt = host_packet(&host, from, to, 100, number);

	tag(pkt, vlan);
	host_inject(&host, from, pkt);
}

/* The next frame there, without its tag, is this number in this VLAN; 0: it has no tag. */
static void expect_tagged(const char *name, uint16_t vlan, uint32_t number)
{
	struct hg_pkt *pkt = host_receive(&host, name);
	bool has_tag = hg_bytes_get16(pkt->data + 12) == HG_ETHERTYPE_VLAN;
	uint16_t got = has_tag ? hg_bytes_get16(pkt->data + 14) & 0x0fffu : 0;
	uint32_t got_number = hg_bytes_get32(pkt->data + (has_tag ? 46 : 42));

	host_release(&host, pkt);
	HG_CHECK_EQ(got, vlan);
	HG_CHECK_EQ(got_number, number);
}

/* a1 is a trunk of 100 and 200 to 299; a2 is in its tenant's VLAN, 100; b1, another tenant's, too. */
static void trunk(uint32_t n_workers)
{
	struct hg_desired_port *a1 = &host.ports[0];

	host_init(&host);
	a1->vlans[0] = (struct hg_vlan_range){100, 100};
	a1->vlans[1] = (struct hg_vlan_range){200, 299};
	a1->n_vlans = 2;
	host.ports[1].vlan = HG_VLAN_TENANT;
	host.tenants[0].vlan = 100;
	host.ports[2].vlan = 100;
	host_start(&host, n_workers);
	send_tagged("a1", "a2", 100, 1);
	expect_tagged("a2", 0, 1);
	host_send(&host, "a2", "a1", 100, 2, 1);
	expect_tagged("a1", 100, 2);
	send_tagged("a1", "up0", 250, 3);
	expect_tagged("up0", 250, 3);
	send_tagged("up0", "a1", 250, 4);
	expect_tagged("a1", 250, 4);
	host_send(&host, "a1", "up0", 100, 5, 1);
	expect_tagged("up0", 0, 5);
	send_tagged("a1", "b1", 100, 6); /* another tenant's: as if it were elsewhere */
	expect_tagged("up0", 100, 6);
	send_tagged("a1", "up0", 300, 7);
	send_tagged("a1", "up0", 200, 8);
	expect_tagged("up0", 200, 8);
	HG_CHECK_EQ(host_port(&host, "a1").drops[HG_DROP_VLAN], 1);
	/* Other VLANs hold at once. */
	a1->vlans[0] = (struct hg_vlan_range){300, 300};
	a1->n_vlans = 1;
	host_apply(&host);
	send_tagged("a1", "up0", 300, 9);
	expect_tagged("up0", 300, 9);
	host_send(&host, "a2", "a1", 100, 10, 1); /* not there any more */
	expect_tagged("up0", 100, 10);
	HG_CHECK_EQ(host_discard(&host, "b1"), 0);
	host_close(&host);
}

static void s5_1_trunk_carries_its_vlans_tagged(void)
{
	trunk(1);
	trunk(2);
}

/* The source address of a tagged frame, or of what is in it. */
static void send_tagged_from(uint16_t vlan, uint32_t source, uint32_t number)
{
	struct hg_pkt *pkt = host_packet(&host, "a1", "up0", 100, number);

	hg_bytes_put32(pkt->data + HG_ETHER_BYTES + HG_IP4_SOURCE_OFFSET, source);
	tag(pkt, vlan);
	host_inject(&host, "a1", pkt);
}

/* With a tag, with two, and without: in each VLAN a trunk speaks for itself alone. */
static void s5_1_trunk_may_not_spoof_in_any_of_its_vlans(void)
{
	struct hg_desired_port *a1 = &host.ports[0];
	uint32_t type, number;
	struct hg_pkt *pkt;

	host_init(&host);
	a1->vlans[0] = (struct hg_vlan_range){200, 299};
	a1->n_vlans = 1;
	a1->addresses[0] = (struct hg_address){.bytes = {10, 0, 0, 1}, .len = 4};
	a1->n_addresses = 1;
	host_start(&host, 1);
	for (uint16_t vlan = 200; vlan < 300; vlan++)
		send_tagged_from(vlan, 0x0a000002, vlan);
	host_send(&host, "a1", "up0", 100, 0, 1); /* from 0.0.0.0 */
	pkt = host_packet(&host, "a1", "up0", 100, 0);
	hg_bytes_put32(pkt->data + HG_ETHER_BYTES + HG_IP4_SOURCE_OFFSET, 0x0a000002);
	tag(pkt, 5);
	tag(pkt, 250);
	host_inject(&host, "a1", pkt);
	pkt = host_packet(&host, "a2", "up0", 100, 0);
	tag(pkt, 250);
	host_inject(&host, "a1", pkt);
	/* The last one passes, behind what headgate itself says of that address. */
	send_tagged_from(250, 0x0a000001, 7);
	do {
		pkt = host_receive(&host, "up0");
		type = hg_bytes_get16(pkt->data + 12);
		number = hg_bytes_get32(pkt->data + 42 + HG_VLAN_TAG_BYTES);
		host_release(&host, pkt);
	} while (type == HG_ETHERTYPE_ARP);
	HG_CHECK_EQ(type, HG_ETHERTYPE_VLAN);
	HG_CHECK_EQ(number, 7);
	HG_CHECK_EQ(host_port(&host, "a1").drops[HG_DROP_SPOOFED_IP4], 101);
	/* A trunk tags once. */
	HG_CHECK_EQ(host_port(&host, "a1").drops[HG_DROP_VLAN], 1);
	HG_CHECK_EQ(host_port(&host, "a1").drops[HG_DROP_SPOOFED_MAC], 1);
	host_close(&host);
}

/* Frames of 9,000 bytes and more, of several buffers each, unaltered; what is smaller refuses them. */
static void s5_1_jumbo_frames_arrive_whole(void)
{
	static const uint32_t sizes[] = {1515, 2048, 2049, 4096, 9000, 9014};
	struct hg_pkt *pkt;

	host_init(&host);
	host.uplinks[0].mtu = 9000;
	host.ports[0].mtu = 9000;
	host.ports[2].mtu = 9000;
	host_start(&host, 1);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint8_t sent[9018], got[9018];
		uint32_t n = 0;

		for (uint32_t at = 0; at < sizes[i]; at++)
			sent[at] = (uint8_t)(at * 7u + at / 251u);
		host_write_frame(&host, "a1", "up0", sent, 60);
		hg_bytes_put16(sent + 12, 0x88b5);
		pkt = hg_pkt_create_chain(hg_dp_pool(host.dp), sizes[i]);
		HG_CHECK(pkt != NULL);
		pkt->flags = 0;
		pkt->gso = HG_GSO_NONE;
		for (struct hg_pkt *buf = pkt; buf != NULL; buf = buf->next) {
			memcpy(buf->data, sent + n, buf->n_bytes);
			n += buf->n_bytes;
		}
		host_inject(&host, "a1", pkt);
		pkt = host_receive(&host, "up0");
		HG_CHECK_EQ(pkt->total_bytes, sizes[i]);
		hg_pkt_read(pkt, 0, got, sizes[i]);
		host_release(&host, pkt);
		HG_CHECK(memcmp(got, sent, sizes[i]) == 0);
	}
	/* a2 takes 1,500: what is more is dropped where it goes, and counted there. */
	host_send(&host, "a1", "a2", 1800, 0, 2);
	host_send(&host, "a1", "a2", 1514, 2, 1);
	host_expect(&host, "a2", 2, 1);
	HG_CHECK_EQ(host_port(&host, "a2").drops[HG_DROP_TOO_BIG], 2);
	host_close(&host);
}

static void s5_1_learning_is_bounded_by_port(void)
{
	start();
	host.ports[0].has_mac = false;
	host.ports[0].max_learned = 3;
	host_apply(&host);
	for (uint32_t i = 0; i < 10; i++) {
		struct hg_pkt *pkt = host_packet(&host, "a1", "up0", 100, i);

		pkt->data[HG_MAC_BYTES + 3] = (uint8_t)(i + 1u);
		host_inject(&host, "a1", pkt);
	}
	host_expect(&host, "up0", 0, 10);
	HG_CHECK_EQ(host_port(&host, "a1").n_learned, 3);
	HG_CHECK_EQ(host_port(&host, "a1").n_refused, 7);
	HG_CHECK_EQ(host_port(&host, "a2").n_learned, 0);
	/* Another limit forgets nothing. */
	host.ports[0].max_learned = 4;
	host_apply(&host);
	HG_CHECK_EQ(host_port(&host, "a1").n_learned, 3);
	host_send(&host, "a1", "up0", 100, 10, 1);
	host_expect(&host, "up0", 10, 1);
	HG_CHECK_EQ(host_port(&host, "a1").n_learned, 4);
	HG_CHECK_EQ(host_port(&host, "a1").n_refused, 0);
	host_close(&host);
}

static void send_to_group(const char *from, uint8_t first_byte, uint32_t number)
{
	struct hg_pkt *pkt = host_packet(&host, from, "up0", 100, number);

	memset(pkt->data, 0xff, HG_MAC_BYTES);
	pkt->data[0] = first_byte;
	host_inject(&host, from, pkt);
}

/* Each kind has a bucket of its own, of which the least rate lets few copies pass. */
static void s5_1_floods_are_dropped_by_kind(void)
{
	struct hg_dp_port_sample sample;
	uint32_t number;

	start();
	host.ports[0].limits.broadcast_pkts_per_s = HG_FLOOD_RATE_MIN_PKTS_PER_S;
	host.ports[0].limits.multicast_pkts_per_s = HG_FLOOD_RATE_MIN_PKTS_PER_S;
	host_apply(&host);
	for (uint32_t i = 0; i < 500; i++)
		send_to_group("a1", 0xff, i);
	host_send(&host, "a1", "a2", 100, 1000, 1);
	do {
		struct hg_pkt *pkt = host_receive(&host, "a2");

		number = packet_number(pkt);
		host_release(&host, pkt);
	} while (number != 1000);
	sample = host_port(&host, "a1");
	HG_CHECK(sample.drops[HG_DROP_BROADCAST_LIMIT] > 0);
	HG_CHECK_EQ(sample.drops[HG_DROP_MULTICAST_LIMIT], 0);
	send_to_group("a1", 0x01, 2000);
	host_expect(&host, "a2", 2000, 1);
	host_close(&host);
}

static void two_workers_carry_all_ways(void)
{
	host_init(&host);
	host_start(&host, 2);
	host_send(&host, "a1", "up0", 200, 0, 500);
	host_send(&host, "b1", "up0", 200, 500, 0);
	host_expect(&host, "up0", 0, 500);
	host_send(&host, "up0", "a1", 200, 0, 500);
	host_expect(&host, "a1", 0, 500);
	host_send(&host, "a1", "a2", 200, 0, 500);
	host_expect(&host, "a2", 0, 500);
	host_send(&host, "a2", "a1", 200, 0, 500);
	host_expect(&host, "a1", 0, 500);
	host_close(&host);
}

static void three_hundred_instances(void)
{
	char name[16];

	host_init(&host);
	for (unsigned i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "c%u", i);
		host_add_instance(&host, name, i % 2);
	}
	host_start(&host, 1);
	for (unsigned i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "c%u", i);
		host_send(&host, name, "up0", 100, i, 1);
		host_expect(&host, "up0", i, 1);
		host_send(&host, "up0", name, 100, i, 1);
		host_expect(&host, name, i, 1);
	}
	/* A tenant's broadcast reaches all of its own. */
	{
		struct hg_pkt *pkt = host_packet(&host, "c0", "up0", 100, 77);

		memset(pkt->data, 0xff, HG_MAC_BYTES);
		host_inject(&host, "c0", pkt);
	}
	for (unsigned i = 2; i < 300; i += 2) {
		snprintf(name, sizeof(name), "c%u", i);
		host_expect(&host, name, 77, 1);
	}
	host_expect(&host, "up0", 77, 1);
	host_close(&host);
}

/* Of more instances than are written down at once. Nothing stands in for an answer that began before the question. */
static void asked_again_while_it_is_written_down(void)
{
	struct hg_worker *w;
	struct hg_error err = {0};
	char name[16];

	host_init(&host);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "c%u", i);
		host_add_instance(&host, name, i % 2);
	}
	host_start(&host, 1);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "c%u", i);
		host_send(&host, name, "up0", 100, i, 1);
		host_expect(&host, "up0", i, 1);
	}
	w = host.dp->lane.workers[0];
	hg_worker_stop(w);
	HG_CHECK(!hg_publish_is_due(w));
	w->publish_asked++;
	hg_publish_some(w);
	HG_CHECK(hg_publish_is_due(w));
	w->publish_asked++;
	hg_publish_some(w);
	HG_CHECK_EQ(w->publish_done, w->publish_asked - 1);
	for (unsigned i = 0; i < 2; i++)
		hg_publish_some(w);
	HG_CHECK(!hg_publish_is_due(w));
	atomic_store(&w->want_stop, false);
	HG_CHECK_EQ(hg_worker_start(w, &err), 0);
	host_close(&host);
}

/* ---- frames that are not as they should be ------------------------------------------------------ */

static void malformed_frames_are_counted_at_their_port(void)
{
	struct hg_dp_port_sample port;
	struct hg_pkt *pkt;

	start();
	/* An IPv4 length beyond the frame, a header too short, a frame that ends in its header. */
	pkt = host_packet(&host, "a1", "up0", 100, 0);
	hg_bytes_put16(pkt->data + 16, 1000);
	host_inject(&host, "a1", pkt);
	pkt = host_packet(&host, "a1", "up0", 100, 0);
	pkt->data[14] = 0x41;
	host_inject(&host, "a1", pkt);
	pkt = host_packet(&host, "a1", "up0", 100, 0);
	pkt->total_bytes = pkt->n_bytes = 20;
	host_inject(&host, "a1", pkt);
	host_send(&host, "a1", "up0", 100, 1, 1);
	host_expect(&host, "up0", 1, 1);
	port = host_port(&host, "a1");
	HG_CHECK_EQ(port.drops[HG_DROP_BAD_LENGTH] + port.drops[HG_DROP_BAD_HEADER] +
			    port.drops[HG_DROP_TRUNCATED],
		    3);
	HG_CHECK_EQ(port.rx_pkts, 4);
	HG_CHECK_EQ(host_flow(&host, "a1", HG_OUT).offered_pkts, 1);
	host_close(&host);
}

/* ---- segments ----------------------------------------------------------------------------------- */

static struct frame frame;

static struct hg_pkt *segment(uint32_t n_payload)
{
	struct hg_pkt *pkt;

	frame_eth(&frame, host_mac(&host, "up0"), host_mac(&host, "a1"));
	frame_ip4(&frame, HG_IP_TCP, 0);
	frame_tcp(&frame, 0x10, 12);
	frame_payload(&frame, n_payload, 1);
	frame_finish(&frame);
	pkt = frame_pkt(&frame, hg_dp_pool(host.dp));
	HG_CHECK(pkt != NULL);
	frame_want_gso(pkt, &frame, 1448);
	return pkt;
}

/* Receives at the uplink until n bytes of TCP payload came, and compares them. Returns the packets. */
static unsigned expect_payload(uint32_t n)
{
	static uint8_t bytes[HG_FRAME_MAX_BYTES];
	uint32_t head = 14 + 20 + 32, got = 0;
	unsigned n_pkts = 0;

	while (got < n) {
		struct hg_pkt *pkt = host_receive(&host, "up0");
		uint32_t n_part = pkt->total_bytes - head;

		HG_CHECK(got + n_part <= n);
		hg_pkt_read(pkt, head, bytes + got, n_part);
		got += n_part;
		n_pkts++;
		host_release(&host, pkt);
	}
	HG_CHECK(memcmp(bytes, frame.bytes + head, n) == 0);
	return n_pkts;
}

static void segment_travels_whole_where_it_can(void)
{
	start();
	host_inject(&host, "a1", segment(20000));
	HG_CHECK_EQ(expect_payload(20000), 1);
	HG_CHECK_EQ(host_flow(&host, "a1", HG_OUT).sent_pkts, 14);
	host_close(&host);
}

static void segment_is_split_where_it_cannot(void)
{
	host_init(&host);
	hg_dummy_caps(host_far(&host, "up0"), 0);
	host_start(&host, 1);
	for (unsigned i = 0; i < 20; i++) {
		host_inject(&host, "a1", segment(20000 + i * 2000));
		HG_CHECK_EQ(expect_payload(20000 + i * 2000), (20000 + i * 2000 + 1447) / 1448);
	}
	host_close(&host);
}

/* ---- devices that fail -------------------------------------------------------------------------- */

static void vanished_device_takes_only_its_port_down(void)
{
	start();
	host_send(&host, "a2", "up0", 100, 0, 1);
	host_expect(&host, "up0", 0, 1);
	hg_dummy_vanish(host_far(&host, "a2"), "unplugged");
	HG_CHECK_EQ(hg_dp_retry(host.dp), 1);
	HG_CHECK_EQ(host_port(&host, "a2").link, HG_PORT_MISSING);
	HG_CHECK(host_port(&host, "a2").reason[0] != '\0');
	HG_CHECK_EQ(host_port(&host, "a1").link, HG_PORT_UP);
	host_send(&host, "a1", "up0", 100, 1, 1);
	host_expect(&host, "up0", 1, 1);
	/* To the one that is gone: counted, not kept. */
	host_send(&host, "a1", "a2", 100, 2, 1);
	WAIT_FOR(host_port(&host, "a1").drops[HG_DROP_PORT_DOWN] == 1);
	/* Nothing to be had yet. */
	HG_CHECK_EQ(hg_dp_retry(host.dp), 0);
	hg_dummy_return(host_far(&host, "a2"));
	HG_CHECK_EQ(hg_dp_retry(host.dp), 1);
	HG_CHECK_EQ(host_port(&host, "a2").link, HG_PORT_UP);
	host_send(&host, "a1", "a2", 100, 3, 1);
	host_expect(&host, "a2", 3, 1);
	host_send(&host, "a2", "up0", 100, 4, 1);
	host_expect(&host, "up0", 4, 1);
	host_close(&host);
}

static void uplink_that_vanishes_comes_back(void)
{
	start();
	hg_dummy_vanish(host_far(&host, "up0"), "unplugged");
	HG_CHECK_EQ(hg_dp_retry(host.dp), 1);
	HG_CHECK_EQ(host_uplink(&host).link, HG_PORT_MISSING);
	host_send(&host, "a1", "a2", 100, 0, 1);
	host_expect(&host, "a2", 0, 1);
	hg_dummy_return(host_far(&host, "up0"));
	HG_CHECK_EQ(hg_dp_retry(host.dp), 1);
	host_send(&host, "a1", "up0", 100, 1, 1);
	host_expect(&host, "up0", 1, 1);
	host_send(&host, "up0", "b1", 100, 2, 1);
	host_expect(&host, "b1", 2, 1);
	host_close(&host);
}

static void missing_device_does_not_fail_a_change(void)
{
	host_init(&host);
	hg_dummy_vanish(host_far(&host, "b1"), "not there yet");
	host_start(&host, 1);
	HG_CHECK_EQ(host_port(&host, "b1").link, HG_PORT_MISSING);
	HG_CHECK_HAS(host_port(&host, "b1").reason, "not there yet");
	/* The reason is that of the last look. */
	hg_dummy_vanish(host_far(&host, "b1"), "somebody else has it");
	HG_CHECK_EQ(hg_dp_retry(host.dp), 0);
	HG_CHECK_HAS(host_port(&host, "b1").reason, "somebody else has it");
	host_send(&host, "a1", "up0", 100, 0, 1);
	host_expect(&host, "up0", 0, 1);
	hg_dummy_return(host_far(&host, "b1"));
	HG_CHECK_EQ(hg_dp_retry(host.dp), 1);
	host_send(&host, "up0", "b1", 100, 1, 1);
	host_expect(&host, "b1", 1, 1);
	host_close(&host);
}

static void s1_11_failed_change_changes_nothing(void)
{
	struct hg_dp_host_sample before, after;
	struct hg_error err = {0};

	start();
	hg_dp_sample_host(host.dp, &before);
	host_limit(&host, "a1", HG_OUT, 1000, SMALL_BURST);
	host_add_instance(&host, "b2", host_tenant(&host, "b"));
	snprintf(host.ports[2].device, sizeof(host.ports[2].device), "nonsense:x");
	HG_CHECK_EQ(hg_dp_apply(host.dp, &host.desired, &err), -HG_EINVAL);
	HG_CHECK(err.text[0] != '\0');
	/* A device that is someone else's is found only when it is opened. */
	hg_error_clear(&err);
	snprintf(host.ports[2].device, sizeof(host.ports[2].device), "dummy:a1");
	HG_CHECK(hg_dp_apply(host.dp, &host.desired, &err) != 0);
	hg_dp_sample_host(host.dp, &after);
	HG_CHECK_EQ(after.generation, before.generation);
	/* The maximum is not in force: this would take three minutes. */
	host_send(&host, "a1", "up0", 1500, 0, 100);
	host_expect(&host, "up0", 0, 100);
	snprintf(host.ports[2].device, sizeof(host.ports[2].device), "dummy:b1");
	host_remove_last_instance(&host);
	host_close(&host);
}

/* A card that takes nothing for a while holds packets up and loses none, though nothing else happens. */
static void full_card_goes_on_by_itself(void)
{
	for (uint32_t n_left = 1; n_left <= 100; n_left += 33) {
		struct hg_dp_host_sample before, now;

		start();
		hg_dummy_accept(host_far(&host, "up0"), 10);
		host_send(&host, "a1", "up0", 100, 0, 10 + n_left);
		WAIT_FOR(host_flow(&host, "a1", HG_OUT).offered_pkts == 10 + n_left);
		/* The worker looked at it often, or went to sleep over it. */
		hg_dp_sample_host(host.dp, &before);
		WAIT_FOR((hg_dp_sample_host(host.dp, &now),
			  now.turns > before.turns + 10 || now.sleeps > before.sleeps));
		host_expect(&host, "up0", 0, 10);
		hg_dummy_accept(host_far(&host, "up0"), UINT64_MAX);
		host_expect(&host, "up0", 10, n_left);
		host_close(&host);
	}
}

static void guest_that_takes_nothing_is_counted(void)
{
	start();
	hg_dummy_accept(host_far(&host, "a2"), 10);
	host_send(&host, "a1", "a2", 100, 0, 30);
	WAIT_FOR(host_port(&host, "a2").drops[HG_DROP_RING_FULL] == 20);
	host_expect(&host, "a2", 0, 10);
	hg_dummy_accept(host_far(&host, "a2"), UINT64_MAX);
	host_close(&host);
}

/* ---- life --------------------------------------------------------------------------------------- */

static void created_and_destroyed_many_times(void)
{
	for (uint32_t i = 0; i < 40; i++) {
		host_init(&host);
		host_limit(&host, "a1", HG_OUT, 100000, SMALL_BURST);
		host_start(&host, 1 + i % 3);
		host_send(&host, "a1", "up0", 1000, 0, 50);
		host_expect(&host, "up0", 0, 1);
		/* Ended with packets in the queue, on the device, and with a worker on its way. */
		host_send(&host, "up0", "b1", 1000, 0, 50);
		host_init(&host);
	}
}

static const struct hg_test tests[] = {
	HG_TEST(s5_1_instance_to_uplink_and_back),
	HG_TEST(s5_1_local_traffic_uses_no_uplink),
	HG_TEST(s5_1_tenants_are_kept_apart),
	HG_TEST(s5_1_broadcast_stays_in_the_tenant),
	HG_TEST(s5_1_spoofed_source_is_dropped),
	HG_TEST(s5_1_trunk_carries_its_vlans_tagged),
	HG_TEST(s5_1_trunk_may_not_spoof_in_any_of_its_vlans),
	HG_TEST(s5_1_learning_is_bounded_by_port),
	HG_TEST(s5_1_jumbo_frames_arrive_whole),
	HG_TEST(s5_1_floods_are_dropped_by_kind),
	HG_TEST(s5_1_spoofed_addresses_are_counted_by_reason),
	HG_TEST(two_workers_carry_all_ways),
	HG_TEST(three_hundred_instances),
	HG_TEST(asked_again_while_it_is_written_down),
	HG_TEST(malformed_frames_are_counted_at_their_port),
	HG_TEST(segment_travels_whole_where_it_can),
	HG_TEST(segment_is_split_where_it_cannot),
	HG_TEST(vanished_device_takes_only_its_port_down),
	HG_TEST(uplink_that_vanishes_comes_back),
	HG_TEST(missing_device_does_not_fail_a_change),
	HG_TEST(s1_11_failed_change_changes_nothing),
	HG_TEST(full_card_goes_on_by_itself),
	HG_TEST(guest_that_takes_nothing_is_counted),
	HG_TEST(created_and_destroyed_many_times),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
