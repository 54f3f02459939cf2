/* saved: an instance as one document, to be carried to another host.
 *
 * Why        S5.1, migration: contract, ports, tokens, learned addresses and counters in one file that a person can read, a
 *            program can change, and no host takes on trust.
 * Model      JSON (as api/yaml.h reads it), of sections:
 *              headgate   kind, version, and the names of sections that must be understood
 *              tenant     whose it is
 *              instance   as in the configuration: name, contract, ports
 *              state      tokens, what is due, behaviour, learned addresses (api/saved_schema.h)
 *              totals     what was counted
 *            credits  processor credits, where it has some of its own (api/saved_credits.h)
 *            and others that a later version may have, or what extensions of the switch keep.
 * Versions   A new fact is a new section: known sections have no unknown keys. A reader leaves out a section that it does
 *            not know, and says so, unless headgate.required names it: then it refuses the whole. What would change
 *            the meaning of a known section is a new version; a reader refuses versions above its own.
 *            Reasons of drops and names of limits that it does not know it leaves out, too: they are counters.
 * Promise    read(write(x)) is x, to the last digit, where names, ports and the tenant are the same.
 *            Whatever is read is in its ranges; what is refused has changed nothing.
 * Errors     With path, line and column, as api/config.h. -EEXIST: the instance, or the name, MAC address, address or device
 *            of one of its ports is on this host already, with the name of its owner; -ENOENT: no such tenant or
 *            uplink; -ENOTSUP: a version or a section that is not known; -ENOSPC: admission; -EINVAL, -ENOMEM.
 * Memory     The caller's: hg_arrival_destroy(), json_decref(). Threads: any.
 */
#ifndef HG_API_SAVED_H
#define HG_API_SAVED_H

#include "api/config.h"
#include "core/instance_state.h"

#define HG_SAVED_VERSION 1u

/* A host with an instance that is about to arrive. */
struct hg_arrival {
	struct hg_desired *desired;
	uint32_t instance_idx; /* in it */
	struct hg_saved_instance saved;
	json_t *left_out; /* an array of paths: sections and counters that are not known here */
	bool needs_credits; /* headgate.required names them: where they cannot be kept nothing is restored */
};

HG_MUST_CHECK int hg_saved_write(const struct hg_desired *desired, uint32_t instance_idx,
				 const struct hg_saved_instance *saved, json_t **ret,
				 struct hg_error *reterr);

/* name: what the instance is expected to be called; NULL: anything. uplink: where a tenant that is not on this host yet
 * is made; NULL: it must be here. */
HG_MUST_CHECK int hg_saved_read(const struct hg_desired *now, const char *name, const char *uplink,
				const struct hg_tree *document, hg_config_device_fn check_device,
				struct hg_arrival **ret, struct hg_error *reterr);
void hg_arrival_destroy(struct hg_arrival *arrival);

#endif
