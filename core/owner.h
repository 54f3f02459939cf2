/* owner: whose is a MAC address, whose an IP address?
 *
 * Why        Two ports that are told to have one address take each other's packets, and each is right by its own
 *            configuration: neither the switch nor the guard (vswitch/guard.h) could say who is wrong.
 * Model      A MAC address is one port's among those that it shares a VLAN with, two trunks always (hg_port_share_vlan).
 *            An IP address is one instance's in a network: an uplink and a VLAN (hg_port_meet). Tenants with VLANs
 *            or uplinks apart may have the same; ports of one instance, too: they are one machine.
 * Promise    The sentence names both: port, instance and tenant. Neither is the one that came last: a step puts what is
 *            new where its tenant stands.
 * Memory     The caller lends scratch: n_slots words, a power of two, at least twice what hg_owner_count() says.
 * Threads    any. Cost: O(ports + addresses); times the VLANs in which one address is.
 * Errors     -EEXIST, with the path below the port *ret_port_idx: "mac" or "addresses[1]".
 * Used by    core/admit.c.
 */
#ifndef HG_CORE_OWNER_H
#define HG_CORE_OWNER_H

#include "core/desired.h"
#include "core/error.h"

#include <stddef.h>

/* Ports or addresses, whichever are more. */
size_t hg_owner_count(const struct hg_desired *desired);

/* Indices of the desired state are in range, and so are ports' own fields. */
HG_MUST_CHECK int hg_owner_check(const struct hg_desired *desired, uint64_t *scratch,
				 size_t n_slots, uint32_t *ret_port_idx, struct hg_error *reterr);

#endif
