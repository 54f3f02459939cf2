/* cgroup: processor time of a control group: what was used, and how much it may have.
 *
 * Why        S6.5: an allocation is carried out by the host's own processor scheduler. Versions 1 and 2 of
 *            control groups say the same in different files; nobody above this should know which.
 * Model                     version 1                                  version 2
 *              used         cpuacct.usage                              cpu.stat: usage_usec
 *              limit        cpu.cfs_quota_us, cpu.cfs_period_us        cpu.max
 *              weight       cpu.shares                                 cpu.weight
 *              held         cpu.stat: nr_throttled, throttled_time     cpu.stat: nr_throttled, throttled_usec
 *            A group is named by path below the controller's root ("machine/web1"), or by what made it:
 *              unit:NAME        a systemd unit or slice
 *              libvirt:NAME     a libvirt domain (machine-qemu\x2dN\x2dNAME.scope, machine/qemu-N-NAME.libvirt-qemu)
 *              container:ID     the folder whose name ends in, or is, the container's id (docker-ID.scope, ID)
 * Promise    Descriptors stay open; a limit or weight is written only when it changes. A group that was
 *            deleted, or deleted and made again under the same name, is noticed (its folder's identity is
 *            part of it) and says -ENOENT until it is opened anew. What is found in place at open is kept,
 *            and put back by restore.
 * Root       Every path is below a root that the caller gives; "" is this host. Version and mount points are
 *            read from ROOT/proc/self/mountinfo.
 * Units      ns of processor time; limits in mcpu (thousandths of a processor), written as quota of a period of
 *            HG_CGROUP_PERIOD_NS, or a longer one where the quota would be below the 1 ms that Linux takes.
 * Memory     allocates at open only. Threads: one owner. Cost: sample one read (1 to 2 us), limit one write
 *            (8 us), or none.
 * Errors     open: -ENOENT no such group (where it was looked for, and how far a path leads), -ENOTSUP the processor
 *            controller is not there (with the version it is on), -EPERM, -EINVAL the name, -EEXIST more than
 *            one group fits, with their paths. sample, set: -ENOENT gone, -EIO, -EINVAL the kernel refused
 *            the value (with the value and the file).
 */
#ifndef HG_HOST_CGROUP_H
#define HG_HOST_CGROUP_H

#include "core/error.h"
#include "core/units.h"

#include <stdbool.h>
#include <stdint.h>

#define HG_CGROUP_PERIOD_NS (10 * HG_NS_PER_MS)
#define HG_CGROUP_PATH_BYTES 512u
#define HG_CGROUP_OPEN UINT64_MAX /* no limit */

/* The host's control groups. */
struct hg_cgroups;
/* One group. */
struct hg_cgroup;

struct hg_cgroup_sample {
	int64_t used_cpu_ns; /* since the group was made */
	uint64_t throttled; /* periods in which it was held */
	hg_ns throttled_ns;
	uint64_t writes; /* of limits and weights, by this object */
};

HG_MUST_CHECK int hg_cgroups_open(const char *root, struct hg_cgroups **ret_groups,
				  struct hg_error *reterr);
void hg_cgroups_close(struct hg_cgroups *groups);
/* 1 or 2: where the processor controller is. */
unsigned hg_cgroups_version(const struct hg_cgroups *groups);
/* What a write of that limit hands out by itself: Linux fills the quota up anew, and forgives what the group ran over
 * by; of one that asks for everything, about a quarter of a tick (measured: 0.9 to 1.4 ms with ticks of 4 ms). */
int64_t hg_cgroups_handed_cpu_ns(const struct hg_cgroups *groups, uint64_t mcpu);

HG_MUST_CHECK int hg_cgroup_open(struct hg_cgroups *groups, const char *name,
				 struct hg_cgroup **ret_group, struct hg_error *reterr);
/* Leaves the limit as it is; takes NULL. */
void hg_cgroup_close(struct hg_cgroup *group);
/* The folder, for people. */
const char *hg_cgroup_path(const struct hg_cgroup *group);
/* Another number for each life of a group of the same name. */
uint64_t hg_cgroup_identity(const struct hg_cgroup *group);

HG_MUST_CHECK int hg_cgroup_sample(struct hg_cgroup *group, struct hg_cgroup_sample *ret_sample,
				   struct hg_error *reterr);
/* Use alone: what the loop reads. */
HG_MUST_CHECK int hg_cgroup_used(struct hg_cgroup *group, int64_t *ret_used_cpu_ns,
				 struct hg_error *reterr);
/* mcpu in [1, ...] or HG_CGROUP_OPEN. What is in force already is not written again. */
HG_MUST_CHECK int hg_cgroup_set_limit(struct hg_cgroup *group, uint64_t mcpu,
				      struct hg_error *reterr);
/* In the unit of the version: [1, 10,000] or [2, 262,144]. */
HG_MUST_CHECK int hg_cgroup_set_weight(struct hg_cgroup *group, uint32_t weight,
				       struct hg_error *reterr);
/* The limit and the weight that were in place at open. */
HG_MUST_CHECK int hg_cgroup_restore(struct hg_cgroup *group, struct hg_error *reterr);

#endif
