/* cgroup_impl: what host/cgroup*.c share; not for others. */
#ifndef HG_HOST_CGROUP_IMPL_H
#define HG_HOST_CGROUP_IMPL_H

#include "host/cgroup.h"

#define HG_CGROUP_TEXT_BYTES 128u /* of a file with a number or two */

struct hg_cgroups {
	unsigned version; /* where the processor controller is */
	hg_ns tick_ns; /* of the kernel */
	char cpu_root
		[HG_CGROUP_PATH_BYTES]; /* where its groups are folders; the caller's root included */
	char use_root[HG_CGROUP_PATH_BYTES]; /* version 1: of cpuacct, which may be mounted apart */
};

/* Finds the folder that a name means, as a path below cpu_root. */
HG_MUST_CHECK int hg_cgroup_find(const struct hg_cgroups *groups, const char *name,
				 char ret_path[HG_CGROUP_PATH_BYTES], struct hg_error *reterr);

#endif
