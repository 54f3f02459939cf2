#include "api/schema.h"

#include "core/depth.h"

#include <string.h>

#define AT(type, member) \
	.offset = offsetof(struct type, member), .size = sizeof(((struct type *)0)->member)
#define UNSERVED(name, why)                                       \
	{                                                         \
		.key = name, .kind = HG_KIND_UNSERVED, .doc = why \
	}
#define PKT_RATE_MIN 10u
#define PKT_RATE_MAX UINT64_C(1000000000)

static const char *const mode_words[] = {"enforce", "observe", NULL};
static const char *const accounting_words[] = {"wire", "l2", NULL};
static const char *const inflight_words[] = {"on", "off", NULL};
static const char *const refuse_words[] = {"refuse", "allow", NULL};
/* In the order of enum hg_priority and enum hg_follow. */
static const char *const priority_words[] = {"normal", "high", "low", NULL};
static const char *const behaviour_words[] = {"depth", "rate", "none", NULL};

/* In the order of enum hg_watch. */
static const char *const watch_words[] = {"both", "out", "in", NULL};
static const char *const across_words[] = {"off", "on", NULL};

static const struct hg_field idle_fields[] = {
	{.key = "after",
	 .kind = HG_KIND_TIME,
	 AT(hg_policy, idle_after_ns),
	 .lo = HG_IDLE_AFTER_MIN_NS,
	 .hi = HG_IDLE_AFTER_MAX_NS,
	 .fallback = HG_IDLE_AFTER_DEFAULT_NS,
	 .doc = "How long no token must have been taken before the instance counts as idle."},
	{.key = "reserve",
	 .kind = HG_KIND_SIZE,
	 AT(hg_policy, reserve_bytes),
	 .lo = 0,
	 .hi = HG_BURST_MAX_BYTES,
	 .fallback = HG_SCHEMA_ONE_BURST,
	 .fallback_text = "one burst",
	 .doc = "Tokens found on waking from idleness; no more than the burst."},
	{0},
};

/* The code points that have names (RFC 2474, 2597, 3246, 5865, 8622). */
static const char *const dscp_words[HG_DSCP_MAX + 1u] = {
	[0] = "cs0",   [8] = "cs1",   [16] = "cs2",  [24] = "cs3",  [32] = "cs4",  [40] = "cs5",
	[48] = "cs6",  [56] = "cs7",  [10] = "af11", [12] = "af12", [14] = "af13", [18] = "af21",
	[20] = "af22", [22] = "af23", [26] = "af31", [28] = "af32", [30] = "af33", [34] = "af41",
	[36] = "af42", [38] = "af43", [46] = "ef",   [44] = "va",   [1] = "le",
};

static const struct hg_field class_fields[] = {
	{.key = "name",
	 .kind = HG_KIND_NAME,
	 AT(hg_class, name),
	 .is_required = true,
	 .doc = "Unique among the classes of the contract; at most 15 letters."},
	{.key = "dscp",
	 .kind = HG_KIND_CODES,
	 AT(hg_class, dscps),
	 .hi = HG_DSCP_MAX,
	 .words = dscp_words,
	 .doc = "Packets of IPv4 and IPv6 with these code points belong here."},
	{.key = "pcp",
	 .kind = HG_KIND_CODES,
	 AT(hg_class, pcps),
	 .hi = HG_PCP_MAX,
	 .doc = "So do frames with these VLAN priorities; untagged ones have 0."},
	{.key = "weight",
	 .kind = HG_KIND_COUNT,
	 AT(hg_class, weight),
	 .lo = 1,
	 .hi = HG_CLASS_WEIGHT_MAX,
	 .fallback = 1,
	 .zero_word = "strict",
	 .doc = "Its share of what strict classes leave; `strict`: it goes before all weighted "
		"ones, and before the strict ones that follow."},
	{0},
};

static const struct hg_field policy_fields[] = {
	{.key = "min",
	 .kind = HG_KIND_RATE,
	 AT(hg_policy, min_bytes_per_s),
	 .lo = HG_RATE_MIN_BYTES_PER_S,
	 .hi = HG_RATE_MAX_BYTES_PER_S,
	 .may_be_0 = true,
	 .doc = "The guaranteed rate on the uplink, in wire bytes."},
	{.key = "max",
	 .kind = HG_KIND_RATE,
	 AT(hg_policy, max_bytes_per_s),
	 .lo = HG_RATE_MIN_BYTES_PER_S,
	 .hi = HG_RATE_MAX_BYTES_PER_S,
	 .doc = "The most that is let through, to wherever it goes, even when the link is idle."},
	{.key = "max_pkts",
	 .kind = HG_KIND_PKT_RATE,
	 AT(hg_policy, max_pkts_per_s),
	 .lo = PKT_RATE_MIN,
	 .hi = PKT_RATE_MAX,
	 .doc = "The most packets that are let through."},
	{.key = "weight",
	 .kind = HG_KIND_COUNT,
	 AT(hg_policy, weight),
	 .lo = 1,
	 .hi = HG_WEIGHT_MAX,
	 .fallback = HG_WEIGHT_DEFAULT,
	 .doc = "The share of what is left when every guarantee is kept."},
	{.key = "burst",
	 .kind = HG_KIND_SIZE,
	 AT(hg_policy, burst_bytes),
	 .lo = HG_BURST_MIN_BYTES,
	 .hi = HG_BURST_MAX_BYTES,
	 .fallback = HG_BURST_DEFAULT_BYTES,
	 .doc = "How much may go at once after a pause: the size of the token bucket."},
	{.key = "idle",
	 .kind = HG_KIND_OBJECT,
	 .of = &hg_schema_idle,
	 .doc = "When it counts as idle, and what it finds on waking, in this direction."},
	{.key = "accounting",
	 .kind = HG_KIND_WORD,
	 AT(hg_policy, accounting),
	 .words = accounting_words,
	 .doc = "What the maxima of this direction count: bytes on the wire, or frames alone "
		"(`l2`)."},
	{.key = "priority",
	 .kind = HG_KIND_WORD,
	 AT(hg_policy, priority),
	 .words = priority_words,
	 .is_instance_only = true,
	 .doc = "Orders what exceeds the guarantees, of instances alone: `low` goes when no `high` "
		"has anything, with little in the card, and after a timeout all the same."},
	{.key = "behaviour",
	 .kind = HG_KIND_WORD,
	 AT(hg_policy, behaviour),
	 .words = behaviour_words,
	 .is_instance_only = true,
	 .is_out_only = true,
	 .doc = "What is tightened step by step, never below the guarantee, while an instance "
		"keeps "
		"asking for more than its maximum: its share of the card's queue (`depth`), its "
		"maximum as well (`rate`), or nothing. In `out` alone."},
	{.key = "classes",
	 .kind = HG_KIND_CLASSES,
	 AT(hg_policy, classes),
	 .of = &hg_schema_class,
	 .is_instance_only = true,
	 .doc = "What an instance has to send (or to receive) is ordered among itself by DSCP and "
		"VLAN priority: 2 to 8 classes."},
	UNSERVED("credits", "credits for sending above a baseline are not served yet"),
	{0},
};

static const struct hg_field contract_fields[] = {
	{.key = "out",
	 .kind = HG_KIND_OBJECT,
	 .offset = offsetof(struct hg_contract, dir[HG_OUT]),
	 .of = &hg_schema_policy,
	 .doc = "What the instance sends."},
	{.key = "in",
	 .kind = HG_KIND_OBJECT,
	 .offset = offsetof(struct hg_contract, dir[HG_IN]),
	 .of = &hg_schema_policy,
	 .doc = "What the instance receives."},
	{.key = "mode",
	 .kind = HG_KIND_WORD,
	 AT(hg_contract, mode),
	 .words = mode_words,
	 .doc = "`observe`: measured and explained, nothing held."},
	{.key = "idle",
	 .kind = HG_KIND_OBJECT,
	 .of = &hg_schema_idle,
	 .is_shared = true,
	 .doc = "Idleness for both directions; `out` and `in` may say otherwise."},
	{.key = "accounting",
	 .kind = HG_KIND_WORD,
	 AT(hg_policy, accounting),
	 .is_shared = true,
	 .words = accounting_words,
	 .doc = "What the maxima count, for both directions; `out` and `in` may say otherwise."},
	{.key = "priority",
	 .kind = HG_KIND_WORD,
	 AT(hg_policy, priority),
	 .is_shared = true,
	 .words = priority_words,
	 .is_instance_only = true,
	 .doc = "For both directions, of instances alone; `out` and `in` may say otherwise."},
	{.key = "behaviour",
	 .kind = HG_KIND_WORD,
	 AT(hg_policy, behaviour),
	 .is_shared = true,
	 .words = behaviour_words,
	 .is_instance_only = true,
	 .is_out_only = true,
	 .fallback_text = "as in `out`",
	 .doc = "What follows the behaviour of what is sent, of instances alone."},
	{.key = "classes",
	 .kind = HG_KIND_CLASSES,
	 AT(hg_policy, classes),
	 .of = &hg_schema_class,
	 .is_shared = true,
	 .is_instance_only = true,
	 .fallback_text = "as in each direction",
	 .doc = "For both directions, of instances alone; `out` and `in` may say otherwise."},
	UNSERVED("credits", "credits for sending above a baseline are not served yet"),
	UNSERVED("quota", "transfer quotas are not served yet"),
	{0},
};

static const struct hg_field mirror_fields[] = {
	{.key = "to",
	 .kind = HG_KIND_TEXT,
	 AT(hg_mirror, to),
	 .doc = "The port that gets the copies, and nothing else: it is no part of its tenant's "
		"network any more, and what it sends is dropped. It has no mirror of its own."},
	{.key = "direction",
	 .kind = HG_KIND_WORD,
	 AT(hg_mirror, watch),
	 .words = watch_words,
	 .doc = "What is copied: what the instance sends (`out`), receives (`in`), or both."},
	{.key = "across_tenants",
	 .kind = HG_KIND_WORD,
	 AT(hg_mirror, is_across),
	 .words = across_words,
	 .doc = "`on`: the destination may be another tenant's, who then reads what this one says. "
		"`off`: that is refused."},
	{0},
};

static const struct hg_field guard_fields[] = {
	{.key = "ra",
	 .kind = HG_KIND_WORD,
	 AT(hg_desired_guard, may_route),
	 .words = refuse_words,
	 .doc = "Router advertisements and redirects: `allow` where the instance is a router."},
	{.key = "dhcp_server",
	 .kind = HG_KIND_WORD,
	 AT(hg_desired_guard, may_serve_dhcp),
	 .words = refuse_words,
	 .doc = "Answers of a DHCP or DHCPv6 server: `allow` where the instance is one, or a "
		"relay."},
	{0},
};

static const struct hg_field limits_fields[] = {
	{.key = "broadcast",
	 .kind = HG_KIND_PKT_RATE,
	 AT(hg_flood_rates, broadcast_pkts_per_s),
	 .lo = HG_FLOOD_RATE_MIN_PKTS_PER_S,
	 .hi = HG_FLOOD_RATE_MAX_PKTS_PER_S,
	 .zero_word = "default",
	 .fallback_text = "20Kpps",
	 .doc = "Copies of broadcasts that the instance sends."},
	{.key = "multicast",
	 .kind = HG_KIND_PKT_RATE,
	 AT(hg_flood_rates, multicast_pkts_per_s),
	 .lo = HG_FLOOD_RATE_MIN_PKTS_PER_S,
	 .hi = HG_FLOOD_RATE_MAX_PKTS_PER_S,
	 .zero_word = "default",
	 .fallback_text = "20Kpps",
	 .doc = "Copies of frames to other groups that it sends."},
	{0},
};

static const struct hg_field uplink_limits_fields[] = {
	{.key = "broadcast",
	 .kind = HG_KIND_PKT_RATE,
	 AT(hg_flood_rates, broadcast_pkts_per_s),
	 .lo = HG_FLOOD_RATE_MIN_PKTS_PER_S,
	 .hi = HG_FLOOD_RATE_MAX_PKTS_PER_S,
	 .zero_word = "default",
	 .fallback_text = "100Kpps",
	 .doc = "Copies of broadcasts that come from the link."},
	{.key = "multicast",
	 .kind = HG_KIND_PKT_RATE,
	 AT(hg_flood_rates, multicast_pkts_per_s),
	 .lo = HG_FLOOD_RATE_MIN_PKTS_PER_S,
	 .hi = HG_FLOOD_RATE_MAX_PKTS_PER_S,
	 .zero_word = "default",
	 .fallback_text = "100Kpps",
	 .doc = "Copies of frames to other groups that come from it."},
	{.key = "unknown",
	 .kind = HG_KIND_PKT_RATE,
	 AT(hg_flood_rates, unknown_pkts_per_s),
	 .lo = HG_FLOOD_RATE_MIN_PKTS_PER_S,
	 .hi = HG_FLOOD_RATE_MAX_PKTS_PER_S,
	 .zero_word = "default",
	 .fallback_text = "1Kpps",
	 .doc = "Copies of frames to single addresses that nobody has sent from yet."},
	{0},
};

static const struct hg_field port_fields[] = {
	{.key = "name",
	 .kind = HG_KIND_NAME,
	 AT(hg_desired_port, name),
	 .is_required = true,
	 .doc = "Unique among the ports of the host."},
	{.key = "device",
	 .kind = HG_KIND_TEXT,
	 AT(hg_desired_port, device),
	 .is_required = true,
	 .is_device = true,
	 .doc = "What carries its packets: `tap:web1-0`; `packet:veth3`; `vhost:web1.sock`, a "
		"virtual machine by vhost-user, whose socket is in `/run/headgate` where it does "
		"not begin with `/`. `vhost(queues=N,listen=on):...`: queue pairs that it may "
		"use, 1 to 16, 4 if not said; whether headgate makes the socket, for machines that "
		"only connect."},
	{.key = "netns",
	 .kind = HG_KIND_TEXT,
	 AT(hg_desired_port, netns),
	 .doc = "The network namespace, by name or path, that a TAP is moved to, or in which the "
		"interface of `packet` and `xdp` is. A `vhost` port is in none."},
	{.key = "mac",
	 .kind = HG_KIND_MAC,
	 AT(hg_desired_port, mac),
	 .has_offset = offsetof(struct hg_desired_port, has_mac),
	 .fallback_text = "learned",
	 .doc = "The address that the instance sends from, and no other; learned from its packets "
		"where nothing is said. No two ports in one VLAN have the same."},
	{.key = "addresses",
	 .kind = HG_KIND_ADDRESSES,
	 AT(hg_desired_port, addresses),
	 .has_offset = offsetof(struct hg_desired_port, n_addresses),
	 .doc = "The IPv4 and IPv6 addresses of the instance: once there are any, it sends from no "
		"others, in packets as in ARP and neighbour discovery, but from the link-local "
		"address "
		"that follows from its MAC address. No two instances have the same in one VLAN of "
		"one uplink. Left out for an instance that routes for others."},
	{.key = "learn",
	 .kind = HG_KIND_COUNT,
	 AT(hg_desired_port, max_learned),
	 .lo = 0,
	 .hi = HG_PORT_LEARN_MAX,
	 .fallback = HG_PORT_LEARN_DEFAULT,
	 .doc = "How many addresses are learned behind a port without a `mac`; each is forgotten "
		"300 s after it was last heard of."},
	{.key = "guard",
	 .kind = HG_KIND_OBJECT,
	 .offset = offsetof(struct hg_desired_port, guard),
	 .of = &hg_schema_guard,
	 .doc = "What an instance with a `mac` or `addresses` may do only where it is said."},
	{.key = "limits",
	 .kind = HG_KIND_OBJECT,
	 .offset = offsetof(struct hg_desired_port, limits),
	 .of = &hg_schema_limits,
	 .doc = "How much it may have sent to many."},
	{.key = "vlan",
	 .kind = HG_KIND_COUNT,
	 AT(hg_desired_port, vlan),
	 .lo = 1,
	 .hi = HG_VLAN_MAX,
	 .fallback = HG_VLAN_TENANT,
	 .fallback_text = "the tenant's",
	 .zero_word = "none",
	 .doc = "The VLAN that the port belongs to: the instance's frames have no tag, and carry "
		"this one on the uplink. `none`: no tag there either."},
	{.key = "vlans",
	 .kind = HG_KIND_VLANS,
	 AT(hg_desired_port, vlans),
	 .has_offset = offsetof(struct hg_desired_port, n_vlans),
	 .doc = "Makes the port a trunk: it also sends and receives these VLANs, with tags. Frames "
		"with others are dropped. `vlan` is not among them."},
	{.key = "mtu",
	 .kind = HG_KIND_COUNT,
	 AT(hg_desired_port, mtu),
	 .lo = HG_MTU_MIN,
	 .hi = HG_MTU_MAX,
	 .fallback = HG_MTU_DEFAULT,
	 .doc = "The largest IP packet, in bytes."},
	{.key = "mirror",
	 .kind = HG_KIND_OBJECT,
	 .offset = offsetof(struct hg_desired_port, mirror),
	 .of = &hg_schema_mirror,
	 .fallback_text = "none",
	 .doc = "Copies of what the instance sends and receives here, for another port."},
	UNSERVED("queue", "queues of the card for one port are not served yet"),
	UNSERVED("extensions", "extensions of the switch are not served yet"),
	{0},
};

static const struct hg_field instance_fields[] = {
	{.key = "name",
	 .kind = HG_KIND_NAME,
	 AT(hg_desired_instance, name),
	 .is_required = true,
	 .doc = "Unique among the instances of the host."},
	{.key = "contract",
	 .kind = HG_KIND_OBJECT,
	 .offset = offsetof(struct hg_desired_instance, contract),
	 .of = &hg_schema_contract,
	 .doc = "What the instance is owed inside its tenant."},
	{.key = "ports",
	 .kind = HG_KIND_LIST,
	 .of = &hg_schema_port,
	 .doc = "Its ports on the switch."},
	{.key = "cpu",
	 .kind = HG_KIND_OBJECT,
	 .offset = offsetof(struct hg_desired_instance, cpu),
	 .of = &hg_schema_cpu,
	 .fallback_text = "not governed",
	 .doc = "What it is owed of the host's processors, with credits that roll over."},
	UNSERVED("credits", "credits for sending and receiving are not served yet"),
	UNSERVED("disk", "block device throughput is not governed yet"),
	UNSERVED("alarms", "alarms are not served yet"),
	{0},
};

static const struct hg_field tenant_fields[] = {
	{.key = "name",
	 .kind = HG_KIND_NAME,
	 AT(hg_desired_tenant, name),
	 .is_required = true,
	 .doc = "Unique among the tenants of the host."},
	{.key = "uplink",
	 .kind = HG_KIND_UPLINK,
	 .fallback_text = "the first one",
	 .doc = "The uplink that its guarantees hold on."},
	{.key = "vlan",
	 .kind = HG_KIND_COUNT,
	 AT(hg_desired_tenant, vlan),
	 .lo = 1,
	 .hi = HG_VLAN_MAX,
	 .fallback = HG_VLAN_NONE,
	 .doc = "The VLAN of its ports that say nothing about it."},
	{.key = "contract",
	 .kind = HG_KIND_OBJECT,
	 .offset = offsetof(struct hg_desired_tenant, contract),
	 .of = &hg_schema_contract,
	 .doc = "What all of its instances together are owed."},
	{.key = "instances",
	 .kind = HG_KIND_LIST,
	 .of = &hg_schema_instance,
	 .doc = "Its machines, containers and processes."},
	{.key = "pool",
	 .kind = HG_KIND_OBJECT,
	 .offset = offsetof(struct hg_desired_tenant, pool),
	 .of = &hg_schema_pool,
	 .fallback_text = "of what its members have",
	 .doc = "Processor credits that its instances with `pool: yes` have together."},
	UNSERVED("cpu", "the host's processors are divided among instances, not tenants"),
	UNSERVED("vni", "overlays are not served yet"),
	UNSERVED("quota", "transfer quotas are not served yet"),
	{0},
};

static const struct hg_field uplink_fields[] = {
	{.key = "name",
	 .kind = HG_KIND_NAME,
	 AT(hg_desired_uplink, name),
	 .is_required = true,
	 .doc = "Unique among the uplinks of the host."},
	{.key = "device",
	 .kind = HG_KIND_TEXT,
	 AT(hg_desired_uplink, device),
	 .is_required = true,
	 .is_device = true,
	 .doc = "The card or link: `xdp:eth1`, which the host goes on using, and behind which "
		"every "
		"port needs a `mac`; `packet:eth1`, which is taken from the host; `tap:out0`; "
		"`simnic(rate=1Gbit,ring=1024)+tap:out0`, a modelled card."},
	{.key = "netns",
	 .kind = HG_KIND_TEXT,
	 AT(hg_desired_uplink, netns),
	 .doc = "The network namespace, by name or path, that a TAP is moved to, or in which the "
		"interface of `packet` and `xdp` is."},
	{.key = "capacity",
	 .kind = HG_KIND_RATE,
	 AT(hg_desired_uplink, capacity_bytes_per_s),
	 .lo = HG_RATE_MIN_BYTES_PER_S,
	 .hi = HG_RATE_MAX_BYTES_PER_S,
	 .is_required = true,
	 .doc = "The rate of the link, each way. What guarantees may fill is 99.5 % of it."},
	{.key = "mtu",
	 .kind = HG_KIND_COUNT,
	 AT(hg_desired_uplink, mtu),
	 .lo = HG_MTU_MIN,
	 .hi = HG_MTU_MAX,
	 .fallback = HG_MTU_DEFAULT,
	 .doc = "The largest IP packet, in bytes."},
	{.key = "inflight",
	 .kind = HG_KIND_WORD,
	 AT(hg_desired_uplink, is_inflight_off),
	 .words = inflight_words,
	 .doc = "`on`: the card's queue is kept as short as a busy link allows, and shared among "
		"instances. `off`: the link is paced a little under its rate instead."},
	{.key = "depth",
	 .kind = HG_KIND_SIZE,
	 AT(hg_desired_uplink, depth_bytes),
	 .lo = HG_DEPTH_MIN_BYTES,
	 .hi = HG_DEPTH_MAX_BYTES,
	 .zero_word = "auto",
	 .doc = "The most that the card may hold unsent, in wire bytes: found and followed by "
		"itself, or pinned. At least one packet of the `mtu` on the wire."},
	{.key = "depth_scale",
	 .kind = HG_KIND_FACTOR,
	 AT(hg_desired_uplink, depth_scale_ppm),
	 .lo = HG_DEPTH_SCALE_MIN_PPM,
	 .hi = HG_DEPTH_SCALE_MAX_PPM,
	 .fallback = HG_DEPTH_SCALE_MIN_PPM,
	 .doc = "By how much a depth that was found is multiplied, toward throughput. A pinned one "
		"is not."},
	{.key = "cut",
	 .kind = HG_KIND_TIME,
	 AT(hg_desired_uplink, cut_ns),
	 .lo = HG_CUT_MIN_NS,
	 .hi = HG_CUT_MAX_NS,
	 .fallback = HG_CUT_DEFAULT_NS,
	 .may_be_0 = true,
	 .zero_word = "never",
	 .doc = "A segment that would occupy the link, or use its contract's maximum, for longer "
		"than this is cut before it is scheduled. `never` can be written `0us`."},
	{.key = "limits",
	 .kind = HG_KIND_OBJECT,
	 .offset = offsetof(struct hg_desired_uplink, limits),
	 .of = &hg_schema_uplink_limits,
	 .doc = "How much the link may send to many."},
	UNSERVED("queues", "flows on queues of the card are not served yet"),
	UNSERVED("flows", "flow rules of the card are not served yet"),
	UNSERVED("overlay", "overlays are not served yet"),
	UNSERVED("headroom", "receiver-driven guarantees are not served yet"),
	{0},
};

static const struct hg_field host_fields[] = {
	{.key = "mode",
	 .kind = HG_KIND_WORD,
	 AT(hg_desired, mode),
	 .words = mode_words,
	 .doc = "`observe`: everything is measured and explained, and nothing is held, on the "
		"whole host."},
	{.key = "oversubscription",
	 .kind = HG_KIND_FACTOR,
	 AT(hg_desired, oversubscription_ppm),
	 .lo = HG_OVERSUBSCRIPTION_NONE_PPM,
	 .hi = HG_OVERSUBSCRIPTION_MAX_PPM,
	 .fallback = HG_OVERSUBSCRIPTION_NONE_PPM,
	 .doc = "By how much the guarantees may exceed what the uplinks carry. Above 1 they can be "
		"missed."},
	{.key = "processors",
	 .kind = HG_KIND_COUNT,
	 AT(hg_desired, n_processors),
	 .lo = 1,
	 .hi = HG_CPU_VCPUS_MAX,
	 .zero_word = "all",
	 .doc = "How many of the host's processors instances may have together: what their "
		"baselines are admitted against, and bursts divided from."},
	{.key = "uplinks",
	 .kind = HG_KIND_LIST,
	 .of = &hg_schema_uplink,
	 .doc = "The links out of the host."},
	{.key = "tenants",
	 .kind = HG_KIND_LIST,
	 .of = &hg_schema_tenant,
	 .doc = "Whom the host is shared by."},
	UNSERVED("peers", "receiver-driven guarantees between hosts are not served yet"),
	UNSERVED("switches", "one switch for the host is served; several are not yet"),
	UNSERVED("extensions", "extensions of the switch are not served yet"),
	UNSERVED("store", "stores are not served yet"),
	UNSERVED("alarms", "alarms are not served yet"),
	UNSERVED("access", "access control beyond the socket's rights is not served yet"),
	{0},
};

const struct hg_resource hg_schema_idle = {
	.name = "idle",
	.title = "Idle",
	.anchor = "idle",
	.where = "contract.idle, contract.out.idle, contract.in.idle",
	.doc = "An instance that takes no tokens for a while gives its share to the others.",
	.fields = idle_fields,
};
const struct hg_resource hg_schema_class = {
	.name = "a class",
	.title = "Class",
	.anchor = "class",
	.where = "contract.classes[], contract.out.classes[], contract.in.classes[]",
	.doc = "A packet belongs to the first class that asks for it, and to the last if none "
	       "does.",
	.fields = class_fields,
};
const struct hg_resource hg_schema_policy = {
	.name = "a policy",
	.title = "Policy",
	.anchor = "policy",
	.where = "contract.out, contract.in",
	.doc = "One direction of a contract.",
	.fields = policy_fields,
};
const struct hg_resource hg_schema_contract = {
	.name = "a contract",
	.title = "Contract",
	.anchor = "contract",
	.where = "contract",
	.doc = "What a tenant or an instance is owed, for sending and for receiving apart.",
	.fields = contract_fields,
};
const struct hg_resource hg_schema_guard = {
	.name = "a guard",
	.title = "Guard",
	.anchor = "guard",
	.where = "tenants[].instances[].ports[].guard",
	.doc = "What a hostile guest would take over its neighbours with.",
	.fields = guard_fields,
};
const struct hg_resource hg_schema_limits = {
	.name = "a set of limits",
	.title = "Limits",
	.anchor = "limits",
	.where = "tenants[].instances[].ports[].limits",
	.doc = "A frame to many becomes as many as there are ports, at the host's cost: what is "
	       "counted is copies.",
	.fields = limits_fields,
};
const struct hg_resource hg_schema_uplink_limits = {
	.name = "a set of limits of an uplink",
	.title = "Limits of an uplink",
	.anchor = "limits-of-an-uplink",
	.where = "uplinks[].limits",
	.doc = "As for a port; what is above them is dropped and counted.",
	.fields = uplink_limits_fields,
};
const struct hg_resource hg_schema_port = {
	.name = "a port",
	.title = "Port",
	.anchor = "port",
	.where = "tenants[].instances[].ports[]",
	.doc = "One interface of an instance on the switch.",
	.fields = port_fields,
};
const struct hg_resource hg_schema_mirror = {
	.name = "a mirror",
	.title = "Mirror",
	.anchor = "mirror",
	.where = "tenants[].instances[].ports[].mirror",
	.doc = "Copies of a port's packets. They are charged to the instance that gets them: its "
	       "contract for receiving bounds them, and so does what a worker spares for copies. "
	       "What finds no room is dropped as `mirror_full`; the packets themselves never wait.",
	.fields = mirror_fields,
};
const struct hg_resource hg_schema_instance = {
	.name = "an instance",
	.title = "Instance",
	.anchor = "instance",
	.where = "tenants[].instances[]",
	.doc = "A virtual machine, a container or a plain process.",
	.fields = instance_fields,
};
const struct hg_resource hg_schema_tenant = {
	.name = "a tenant",
	.title = "Tenant",
	.anchor = "tenant",
	.where = "tenants[]",
	.doc = "A customer: the owner of instances.",
	.fields = tenant_fields,
};
const struct hg_resource hg_schema_uplink = {
	.name = "an uplink",
	.title = "Uplink",
	.anchor = "uplink",
	.where = "uplinks[]",
	.doc = "A link out of the host.",
	.fields = uplink_fields,
};
const struct hg_resource hg_schema_host = {
	.name = "the host",
	.title = "Host",
	.anchor = "host",
	.where = "the top of the file",
	.doc = "What holds for the whole host.",
	.fields = host_fields,
};

const struct hg_resource *const hg_schema_all[] = {
	&hg_schema_host,          &hg_schema_uplink, &hg_schema_tenant, &hg_schema_contract,
	&hg_schema_policy,        &hg_schema_idle,   &hg_schema_class,  &hg_schema_instance,
	&hg_schema_port,          &hg_schema_mirror, &hg_schema_guard,  &hg_schema_limits,
	&hg_schema_uplink_limits, &hg_schema_cpu,    &hg_schema_pool,   NULL,
};

const struct hg_field *hg_schema_find(const struct hg_resource *resource, const char *key)
{
	for (const struct hg_field *f = resource->fields; f->key != NULL; f++) {
		if (strcmp(f->key, key) == 0)
			return f;
	}
	return NULL;
}
