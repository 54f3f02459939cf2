/* port: what may be said of the addresses and VLANs of one port.
 *
 * Why        The switch believes its ports' configuration (vswitch/guard.h, vswitch/forward.h): it must not
 *            contradict itself.
 * Model      An IP address is that of one machine. A trunk's VLANs are in order, none twice, and its own, whose
 *            frames have no tag, is not among them. own: hg_desired_vlan() of the port.
 * Memory     none. Threads: any. Cost: O(entries). Errors: -EINVAL, without a path but
 *            for "[1]", which of the addresses.
 * Used by    core/admit.c, core/owner.c, api/saved.c.
 */
#ifndef HG_CORE_PORT_H
#define HG_CORE_PORT_H

#include "core/desired.h"

HG_MUST_CHECK int hg_port_check_addresses(const struct hg_desired_port *port,
					  struct hg_error *reterr);
HG_MUST_CHECK int hg_port_check_vlans(const struct hg_desired_port *port, uint16_t own,
				      struct hg_error *reterr);

/* May the two not have the same MAC address? Not in one VLAN; and two trunks not at all, since it is looked up
 * whatever the VLAN. */
bool hg_port_share_vlan(const struct hg_desired_port *a, uint16_t own_a,
			const struct hg_desired_port *b, uint16_t own_b);
/* Is there a VLAN, or the frames without one, in which both are? */
bool hg_port_meet(const struct hg_desired_port *a, uint16_t own_a, const struct hg_desired_port *b,
		  uint16_t own_b);
bool hg_port_same_address(const struct hg_address *a, const struct hg_address *b);

#endif
