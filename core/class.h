/* class: what an instance sends, or receives, ordered among itself by what its headers say.
 *
 * Why        S2.7: a call and a backup of the same machine share its contract, but not their patience.
 * Model      A set of named classes. A packet belongs to the first that asks for its DSCP or its VLAN
 *            priority; what nobody asks for belongs to the last. Strict classes go before weighted ones, in
 *            their order; weighted ones share what strict ones leave, by weight.
 * Promise    Classes order what the contract lets through; they change neither its rates nor its neighbours.
 * Units      none. Memory: plain values. Threads: immutable once validated.
 * Errors     validate: -EINVAL with the path of the class and what is allowed.
 * Used by    core/contract, core/sched, vswitch/classify.
 */
#ifndef HG_CORE_CLASS_H
#define HG_CORE_CLASS_H

#include "core/error.h"

#include <stdbool.h>
#include <stdint.h>

#define HG_CLASSES_MIN 2u /* one class orders nothing */
#define HG_CLASSES_MAX 8u
#define HG_CLASS_NAME_BYTES 16
#define HG_CLASS_WEIGHT_MAX 1000u
#define HG_DSCP_MAX 63u
#define HG_PCP_MAX 7u

struct hg_class {
	char name[HG_CLASS_NAME_BYTES]; /* as other names; unique in the set */
	uint64_t dscps; /* bit n: packets with DSCP n, of IPv4 or IPv6 */
	uint16_t weight; /* in [1, WEIGHT_MAX]; 0: strict */
	uint8_t pcps; /* bit n: packets with VLAN priority n; untagged ones have 0 (IEEE 802.1Q) */
};

struct hg_class_set {
	struct hg_class classes[HG_CLASSES_MAX];
	uint32_t n; /* 0: none; else in [CLASSES_MIN, CLASSES_MAX] */
};

HG_MUST_CHECK int hg_class_set_validate(const struct hg_class_set *set, struct hg_error *reterr);
bool hg_class_set_equal(const struct hg_class_set *a, const struct hg_class_set *b);

#endif
