/* handover: the packet lane of one process goes on in another.
 *
 * Why        S7.11: a planned restart loses nothing. What a process leaves behind when it merely ends is lost:
 *            packets that wait for tokens, and whatever arrives until another has opened the devices again.
 * Model      freeze -> standing_out, carry_out, hand -> (the other process) adopt, apply, standing_in, carry_in, thaw
 *            -> let_go here.
 *            Frozen, workers stand still: the control lane may look at what is theirs, and act for them.
 *            Before it freezes nothing more is received or taken from a scheduler, and cards send what they
 *            have. Devices whose descriptors can be used by another process (hg_driver.hand) are never
 *            closed: what arrives meanwhile waits in the kernel. Others are closed by let_go and opened by
 *            the other side's hg_dp_retry().
 *            Until let_go everything can be taken back: standing_in and carry_in to the lane that it came from, and
 *            thaw. Learned addresses go along with the packets.
 * Standing   is what tenants and instances are owed and owe, how they behave, and what was counted of them and of
 *            ports. It goes apart from the packets, since a version that does not know its form can still take
 *            those: then it begins anew.
 * Format     of carried packets: dataplane/carry.c; of standing: dataplane/standing.c. A number tells versions apart.
 *            Names, not slots, say whose something is, so that the other side's may differ.
 * Promise    carry_in: the same bytes, the same order of each instance; a packet whose instance or ports the other
 *            side lacks, or has under another owner, is lost, and counted.
 *            standing_in: over any window with the restart in it no more is sent than a maximum allows, and what a
 *            guarantee lags behind is made up as after any other wait. Tokens are earned while everything stood
 *            still, and whoever had something queued waited for as long. No counter goes backwards.
 *            Whoever has another tenant or uplink there begins anew; another contract keeps tokens as
 *            a change of it does.
 * Used by    apps/.
 * Threads    The control lane. Time: freeze waits for cards, up to for_ns, and else for some turns of the workers.
 * Cost       A copy of each packet that waits, out and in.
 * Errors     carry_in, standing_in: -EINVAL for anything but what carry_out, standing_out wrote; -ENOTSUP for standing
 *            of another version; then nothing was taken in.
 */
#ifndef HG_DATAPLANE_HANDOVER_H
#define HG_DATAPLANE_HANDOVER_H

#include "core/desired.h"
#include "core/error.h"
#include "core/units.h"
#include "core/verdict.h"

struct hg_dp;

/* Descriptors of one device at most. */
#define HG_DP_FDS_MAX 4u

/* An open device that another process can go on with, or, with no descriptors, one that was up and is to be so
 * again. */
struct hg_dp_device {
	char name[HG_NAME_BYTES]; /* of the port or uplink */
	char device[HG_DEVICE_BYTES], netns[HG_NAME_BYTES];
	bool is_uplink;
	int fds[HG_DP_FDS_MAX]; /* the device's own; who keeps them duplicates them */
	unsigned n_fds;
};

struct hg_dp_carried {
	uint64_t n_pkts, n_bytes; /* carried: taken out, or taken in */
	uint64_t n_lost; /* of those found */
	uint64_t drops[HG_N_DROPS]; /* why; adds up to n_lost */
};

/* Returns when every worker stands still. for_ns: how long cards may take to send what they have. Returns how many
 * packets they still have, as far as they tell: those are lost when they are closed. */
uint64_t hg_dp_freeze(struct hg_dp *dp, hg_ns for_ns);
/* Goes on where it stood. After hg_dp_adopt() it opens what was not handed over, and waits a little, 140 ms at most,
 * for what of it was up before. */
void hg_dp_thaw(struct hg_dp *dp);

/* Bytes that hg_dp_carry_out() needs at most. Frozen. */
size_t hg_dp_carry_size(const struct hg_dp *dp);
/* Takes every packet that waits out of the lane, and writes it to memory, of hg_dp_carry_size() bytes. Returns how
 * many bytes it wrote. Frozen. */
size_t hg_dp_carry_out(struct hg_dp *dp, void *memory, struct hg_dp_carried *ret);
/* Puts them into the places that they were in. Frozen. */
HG_MUST_CHECK int hg_dp_carry_in(struct hg_dp *dp, const void *memory, size_t n_bytes,
				 struct hg_dp_carried *ret, struct hg_error *reterr);

/* Bytes that hg_dp_standing_out() writes; the same until the next apply. */
size_t hg_dp_standing_size(const struct hg_dp *dp);
/* Writes them to memory, which is aligned to 8 bytes. Frozen, and before hg_dp_carry_out(): whoever has something
 * queued is told by its queue. */
void hg_dp_standing_out(struct hg_dp *dp, void *memory);
/* Frozen, before hg_dp_carry_in(). Returns in ret_n how many instances go on; the others begin anew. */
HG_MUST_CHECK int hg_dp_standing_in(struct hg_dp *dp, const void *memory, size_t n_bytes,
				    uint32_t *ret_n, struct hg_error *reterr);

/* The number of open devices at most, for hg_dp_hand(). */
unsigned hg_dp_n_devices(const struct hg_dp *dp);
/* All that are worth handing over. Returns how many. */
unsigned hg_dp_hand(struct hg_dp *dp, struct hg_dp_device *ret_devices, unsigned n);
/* From now on until hg_dp_thaw() a device that is opened is one of these, or counts as missing until the first
 * hg_dp_retry() after it. The array must outlive that; its descriptors stay the caller's. */
void hg_dp_adopt(struct hg_dp *dp, const struct hg_dp_device *devices, unsigned n);

/* Closes every device, with its far end kept. After it the lane can only be destroyed. Frozen. */
void hg_dp_let_go(struct hg_dp *dp);

#endif
