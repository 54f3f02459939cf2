/* desired: the whole state that an operator asks for, as plain values.
 *
 * Why        Configuration text, JSON and single commands all end in this one struct; admission, the
 *            reconciler and the packet lane start from it. Nothing else describes a host.
 * Model      Flat arrays that refer to one another by index: port -> instance -> tenant -> uplink.
 * Names      [a-z0-9][a-z0-9._-]*, up to HG_NAME_BYTES - 1, unique on the host within their kind.
 * Memory     The arrays belong to who built the struct; readers keep nothing.
 * Threads    Immutable once built. Errors: see core/admit.h for the check of the whole.
 */
#ifndef HG_CORE_DESIRED_H
#define HG_CORE_DESIRED_H

#include "core/contract.h"
#include "core/cpu.h"
#include "core/watch.h"

#include <stdbool.h>

#define HG_NAME_BYTES 64
#define HG_DEVICE_BYTES 192
/* What a device occupies, as text: a name as long as a device's, with numbers of where it is. */
#define HG_DEVICE_PLACE_BYTES 320
#define HG_MAC_BYTES 6
#define HG_PORT_ADDRESSES_MAX 8
#define HG_MTU_MIN 68u
#define HG_MTU_MAX 65535u
#define HG_MTU_DEFAULT 1500u
#define HG_VLAN_NONE 0u /* untagged */
#define HG_VLAN_MAX 4094u
#define HG_VLAN_TENANT 0xffffu /* of a port: its tenant's; hg_desired_vlan() */
/* Learned addresses behind one port: a nested host's containers, but not a flood of made-up ones. */
#define HG_PORT_LEARN_DEFAULT 64u
#define HG_PORT_LEARN_MAX 4096u
#define HG_PORT_VLANS_MAX 16 /* entries: single VLANs and ranges */

#define HG_CUT_DEFAULT_NS (100 * HG_NS_PER_US)
#define HG_CUT_MIN_NS (1 * HG_NS_PER_US)
#define HG_CUT_MAX_NS (1 * HG_NS_PER_S)

struct hg_address {
	uint8_t bytes[16]; /* IPv4 in the first four */
	uint8_t len; /* 4 or 16 */
};

/* Frames to many that one port or uplink may cause, by the copy (vswitch/flood.h). 0: as by default. */
struct hg_flood_rates {
	uint32_t broadcast_pkts_per_s;
	uint32_t multicast_pkts_per_s;
	uint32_t unknown_pkts_per_s; /* of an uplink: unicast to who has not sent yet */
};
#define HG_FLOOD_RATE_MIN_PKTS_PER_S 10u
#define HG_FLOOD_RATE_MAX_PKTS_PER_S 1000000000u

struct hg_desired_uplink {
	char name[HG_NAME_BYTES];
	char device[HG_DEVICE_BYTES]; /* "xdp:eth1", "simnic(rate=1Gbit,ring=1024)+tap:out0" */
	char netns[HG_NAME_BYTES]; /* where a tap is moved to, or an interface is; empty: here */
	uint64_t capacity_bytes_per_s;
	uint32_t mtu;
	bool is_inflight_off; /* inflight: off */
	uint64_t depth_bytes; /* 0: auto; else in [one packet of the MTU, HG_DEPTH_MAX_BYTES] */
	uint32_t
		depth_scale_ppm; /* 0: none; else in [HG_DEPTH_SCALE_MIN_PPM, HG_DEPTH_SCALE_MAX_PPM] */
	struct hg_flood_rates limits;
	hg_ns cut_ns; /* segments that take longer are cut; in [HG_CUT_MIN_NS, HG_CUT_MAX_NS]; 0: never */
};

/* VLANs of a trunk port, both ends included; 1 <= first <= last <= HG_VLAN_MAX. */
struct hg_vlan_range {
	uint16_t first, last;
};

struct hg_desired_tenant {
	char name[HG_NAME_BYTES];
	struct hg_contract contract;
	struct hg_cpu_credits pool; /* of its instances that are pooled */
	uint32_t uplink_idx;
	uint16_t vlan; /* of its ports that say nothing */
};

struct hg_desired_instance {
	char name[HG_NAME_BYTES];
	struct hg_contract contract;
	struct hg_cpu cpu;
	uint32_t tenant_idx;
};

/* Copies of a port's packets, for another port; core/mirror.h. */
struct hg_mirror {
	char to[HG_NAME_BYTES]; /* the port that gets them; empty: no mirror */
	uint8_t watch; /* enum hg_watch */
	bool is_across; /* it may be another tenant's */
};

/* What guests may not do unless it is said (vswitch/guard.h). */
struct hg_desired_guard {
	bool may_route; /* ra: allow */
	bool may_serve_dhcp; /* dhcp_server: allow */
};

struct hg_desired_port {
	char name[HG_NAME_BYTES];
	char device[HG_DEVICE_BYTES];
	char netns[HG_NAME_BYTES];
	uint8_t mac[HG_MAC_BYTES];
	bool has_mac; /* false: learned from what the port sends */
	uint16_t vlan; /* of its untagged frames; or HG_VLAN_TENANT */
	/* A trunk's: sent and received with tags. In order, none twice, and without `vlan`. */
	struct hg_vlan_range vlans[HG_PORT_VLANS_MAX];
	uint32_t n_vlans;
	uint32_t mtu;
	struct hg_address addresses[HG_PORT_ADDRESSES_MAX];
	uint32_t n_addresses;
	struct hg_mirror mirror;
	uint32_t max_learned; /* addresses, where there is no MAC; in [0, HG_PORT_LEARN_MAX] */
	struct hg_desired_guard guard;
	struct hg_flood_rates limits;
	uint32_t instance_idx;
};

struct hg_desired {
	enum hg_mode mode; /* for the whole host */
	uint32_t oversubscription_ppm; /* 1,000,000: guarantees may fill the link and no more */
	uint32_t n_processors; /* of the host, for instances' baselines and bursts; 0: all */
	struct hg_desired_uplink *uplinks;
	struct hg_desired_tenant *tenants;
	struct hg_desired_instance *instances;
	struct hg_desired_port *ports;
	uint32_t n_uplinks, n_tenants, n_instances, n_ports;
};

/* The VLAN of a port's untagged frames. The indices must be right. */
static inline uint16_t hg_desired_vlan(const struct hg_desired *d,
				       const struct hg_desired_port *port)
{
	if (port->vlan != HG_VLAN_TENANT)
		return port->vlan;
	return d->tenants[d->instances[port->instance_idx].tenant_idx].vlan;
}

#define HG_OVERSUBSCRIPTION_NONE_PPM 1000000u
#define HG_OVERSUBSCRIPTION_MAX_PPM 100000000u

#endif
