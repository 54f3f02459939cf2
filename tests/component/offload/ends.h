/* ends: the far sides of ports of every kind, which send and receive frames with what is left to do.
 *
 * Why        A test of offloads says "from this port to that one"; what is behind them is memory, a virtual machine,
 *            or a kernel.
 * Model      Each end is a port of tenant a on a host (tests/component/hosts.h), but for the one that stands behind
 *            the uplink. What an end takes is decided when it is made: by the guest's features, by what a device
 *            of memory says it can, by the kernel. vhost: tests/guest. tap, packet, xdp: a packet socket with
 *            virtio-net headers on the interface in a namespace of the test's own.
 * Promise    Neither call waits. A frame that the far side would not send is a failed test, not a lost frame.
 * Threads    The test's.
 */
#ifndef HG_TESTS_COMPONENT_OFFLOAD_ENDS_H
#define HG_TESTS_COMPONENT_OFFLOAD_ENDS_H

#include "tests/component/hosts.h"
#include "tests/component/offload/check.h"

enum end_kind { END_VHOST, END_TAP, END_PACKET, END_XDP, END_SIMNIC, END_DUMMY, N_END_KINDS };
extern const char *const end_kind_names[N_END_KINDS];

struct guest;
struct end;

/* How an end is made. */
struct end_cfg {
	const char *name; /* of the port; an interface is called after it */
	enum end_kind kind;
	struct takes takes; /* as its far side should take; the kernel's are given */
	uint64_t features; /* vhost */
	const char *device; /* simnic: what stands in front, with the plus sign */
	bool has_no_tso; /* packet: its interface does not send segments of TCP */
	bool is_behind_kernel; /* simnic: in front of a TAP, not of memory */
};

struct end {
	const struct end_cfg *cfg;
	struct host *host;
	struct takes takes;
	bool is_uplink;
	bool is_there; /* false: not possible here */
	uint8_t mac[WIRE_MAC_BYTES];
	struct guest *guest;
	struct hg_dummy *far;
	int fd;
	char path[64];
};

/* Leaves the host's network for a namespace of the test's own, with another for far sides. NULL, or why the ends
 * of kernels cannot be made here. */
const char *ends_enter(void);
/* Adds the end's port to the host's desired state, or makes it the uplink; the host is not started yet. */
void end_add(struct end *end, struct host *host, const struct end_cfg *cfg, bool is_uplink);
/* After host_start(): until its far side can send and receive. */
void end_meet(struct end *end);
/* Before host_close(). */
void end_close(struct end *end);
/* After host_close(): what it left of interfaces. */
void end_remove(struct end *end);

void end_send(struct end *end, const struct wire *wire);
bool end_receive(struct end *end, struct wire *ret_wire);
/* Whether its kernel cuts segments of so many bytes itself. */
bool end_cuts(const struct end *end, uint32_t n_bytes);
/* Frames that it may have on their way to the port at once, whatever else the machine does. */
uint32_t end_window(const struct end *end);

#endif
