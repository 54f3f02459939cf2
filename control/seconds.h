/* seconds: all that is measured of one host, closed once a second.
 *
 * Why        Contracts, ports, links and the host are shown side by side and must be of one instant.
 * Model      Rows (control/rows.h) for tenants and instances; for links the counters at the end of the
 *            last second, and what was seen of their cards' queues (control/card.h); for ports and links whether they were there, so that what comes and goes is
 *            said once.
 * Memory     Allocates in build. Threads: the control lane. Errors: build: -ENOMEM, nothing changed.
 */
#ifndef HG_CONTROL_SECONDS_H
#define HG_CONTROL_SECONDS_H

#include "control/card.h"
#include "control/rows.h"

/* A port or an uplink, as last seen. */
struct hg_seen {
	char name[HG_NAME_BYTES];
	bool was_seen;
	enum hg_port_link link;
	uint64_t tx_wire_bytes, rx_wire_bytes; /* uplinks */
	uint64_t out_bytes_per_s, in_bytes_per_s; /* uplinks */
};

struct hg_seconds {
	struct hg_rows tenants, instances;
	struct hg_room (*rooms)[HG_N_DIRS]; /* by tenant */
	struct hg_seen *ports, *uplinks;
	struct hg_card *cards; /* by uplink */
	uint32_t n_ports, n_uplinks;

	hg_ns opened_at_ns; /* the start of the open second, the end of the last closed one */
	hg_ns stolen_ns; /* reading at that instant */
	hg_ns busy_ns; /* likewise */
	uint64_t n_closed, n_stolen;
	hg_ns last_stolen_ns; /* in the last closed second */
	uint32_t busy_ppm;
};

/* An empty host whose first second opens now. */
void hg_seconds_init(struct hg_seconds *seconds, hg_ns stolen_ns, hg_ns now_ns);
void hg_seconds_fini(struct hg_seconds *seconds);

/* What `old` becomes with another desired state. hg_seconds_fini(old) when it is in force. */
HG_MUST_CHECK int hg_seconds_build(const struct hg_seconds *old, const struct hg_desired *desired,
				   hg_ns now_ns, struct hg_seconds *ret_seconds,
				   struct hg_error *reterr);

/* Closes the open second and opens the next. `desired` is what the seconds were built for. */
void hg_seconds_close(struct hg_seconds *seconds, struct hg_dp *dp,
		      const struct hg_desired *desired, hg_ns stolen_ns, hg_ns now_ns);

/* Looks at each port and uplink, and tells of each that came or went since the last look. */
typedef void (*hg_seconds_tell_fn)(void *user, const char *kind, const char *name,
				   enum hg_port_link link, const char *reason);
void hg_seconds_look(struct hg_seconds *seconds, struct hg_dp *dp, hg_seconds_tell_fn tell,
		     void *user);
/* The same of what is worth saying of the uplinks' card queues. */
void hg_seconds_look_cards(struct hg_seconds *seconds, struct hg_dp *dp, bool is_observed,
			   hg_card_say_fn say, void *user);
/* What was measured so far, for another process: control/standing.c, control/control.h. */
size_t hg_seconds_standing_size(const struct hg_seconds *seconds);
void hg_seconds_standing_out(const struct hg_seconds *seconds, void *memory);
HG_MUST_CHECK int hg_seconds_standing_check(const void *memory, size_t n_bytes, hg_ns now_ns,
					    struct hg_error *reterr);
HG_MUST_CHECK int hg_seconds_standing_in(struct hg_seconds *seconds, const void *memory,
					 size_t n_bytes, hg_ns now_ns, struct hg_error *reterr);

#endif
