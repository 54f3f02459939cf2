/* steps: single, idempotent edits of a desired state, for hooks of other programs.
 *
 * Why        What starts a container knows one instance, not the whole host; it must be able to say the
 *            same thing twice and be done.
 * Model      state in force -> tree -> the edit -> the validator of whole files -> a new state. A step that
 *            finds what it asks for in place changes nothing and says so.
 * Bodies     Trees with the keys of the resource (docs/configuration.md) and, beside them, where it
 *            belongs: `tenant` for an instance, `instance` for a port. `name` may be repeated.
 * Errors     as api/config.h; -ENOENT for a tenant, instance or uplink that is not there, naming those that
 *            are.
 *            Line and column are those of the body. On error nothing is returned.
 * Memory     *ret is the caller's, also when nothing changed. Threads: any.
 */
#ifndef HG_API_STEPS_H
#define HG_API_STEPS_H

#include "api/config.h"

/* instance add: creates the instance or makes it what the body says. A key of the body (contract, ports)
 * replaces that part as a whole; what the body leaves out stays as it is, and so does the tenant of an
 * instance that exists. Another tenant in the body moves it. */
HG_MUST_CHECK int hg_steps_instance_put(const struct hg_desired *now, const char *name,
					const struct hg_tree *body,
					hg_config_device_fn check_device, struct hg_desired **ret,
					bool *ret_changed, struct hg_error *reterr);
/* instance remove, with its ports. One that is not there is no error: nothing changes. */
HG_MUST_CHECK int hg_steps_instance_remove(const struct hg_desired *now, const char *name,
					   struct hg_desired **ret, bool *ret_changed,
					   struct hg_error *reterr);

/* port attach: the port becomes what the body says, whole; another instance in the body moves it. */
HG_MUST_CHECK int hg_steps_port_put(const struct hg_desired *now, const char *name,
				    const struct hg_tree *body, hg_config_device_fn check_device,
				    struct hg_desired **ret, bool *ret_changed,
				    struct hg_error *reterr);
/* uplink set: each key of the body replaces that of the uplink; what the body leaves out stays as it is. The
 * uplink must be there: what makes one is a whole file. */
HG_MUST_CHECK int hg_steps_uplink_put(const struct hg_desired *now, const char *name,
				      const struct hg_tree *body, hg_config_device_fn check_device,
				      struct hg_desired **ret, bool *ret_changed,
				      struct hg_error *reterr);

/* port detach. One that is not there is no error: nothing changes. */
HG_MUST_CHECK int hg_steps_port_remove(const struct hg_desired *now, const char *name,
				       struct hg_desired **ret, bool *ret_changed,
				       struct hg_error *reterr);

#endif
