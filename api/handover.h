/* handover: what one headgated tells the next in a planned restart, as one JSON document.
 *
 * Why        Both may be of different versions: what they say to one another is text with a number, and names.
 * Model      The state in force, what comes back unless it is confirmed, where both came from. Packets and
 *            descriptors go beside it (dataplane/handover.h).
 * Promise    The number is said before anything else (HG_HANDOVER_FORMAT): a version that does not know it refuses
 *            while nothing has been stopped yet. Keys that a reader does not know are passed over.
 * Memory     Allocates; read: hg_handover_fini(). Threads: the control lane.
 * Errors     write: -ENOMEM; read: -EINVAL with what is wrong, and whatever hg_config_parse() says.
 */
#ifndef HG_API_HANDOVER_H
#define HG_API_HANDOVER_H

#include "api/config.h"
#include "api/statefile.h"
#include "control/control.h"

#define HG_HANDOVER_FORMAT 1u

struct hg_handover {
	char version[32]; /* of who wrote it */
	struct hg_source source; /* the configuration file's content that the state was made from */
	struct hg_control_state state;
	hg_ns stopped_at_ns; /* since when nothing is received; the clock is the host's */
	uint64_t n_left_in_cards; /* packets that cards still had: lost */
};

HG_MUST_CHECK int hg_handover_write(const struct hg_handover *handover, char **ret_text,
				    size_t *ret_n_bytes, struct hg_error *reterr);
HG_MUST_CHECK int hg_handover_read(const char *text, size_t n_bytes,
				   hg_config_device_fn check_device, struct hg_handover *ret,
				   struct hg_error *reterr);
/* Of one that was read. */
void hg_handover_fini(struct hg_handover *handover);

#endif
