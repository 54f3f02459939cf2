#include "tools/load/latency.h"

#include <string.h>

#define SUB_BITS 5u /* log2(HG_LATENCY_SUB) */

void hg_latency_init(struct hg_latency *l)
{
	memset(l, 0, sizeof(*l));
}

/* Values below one octave of steps are exact; above, the top SUB_BITS + 1 bits choose the step. */
static unsigned step_of(uint64_t value_ns)
{
	unsigned bits, shift;

	if (value_ns < HG_LATENCY_SUB)
		return (unsigned)value_ns;
	bits = 63u - (unsigned)__builtin_clzll(value_ns);
	shift = bits - SUB_BITS;
	if (shift + 1u >= HG_LATENCY_OCTAVES)
		return HG_LATENCY_SUB * HG_LATENCY_OCTAVES - 1u;
	return (shift + 1u) * HG_LATENCY_SUB + (unsigned)((value_ns >> shift) - HG_LATENCY_SUB);
}

static uint64_t upper_edge(unsigned step)
{
	unsigned octave = step / HG_LATENCY_SUB, sub = step % HG_LATENCY_SUB;

	if (octave == 0)
		return sub;
	return ((uint64_t)(HG_LATENCY_SUB + sub + 1u) << (octave - 1u)) - 1u;
}

void hg_latency_add(struct hg_latency *l, uint64_t value_ns)
{
	l->counts[step_of(value_ns)]++;
	l->count++;
	if (value_ns > l->max_ns)
		l->max_ns = value_ns;
}

void hg_latency_merge(struct hg_latency *into, const struct hg_latency *from)
{
	for (unsigned i = 0; i < HG_LATENCY_SUB * HG_LATENCY_OCTAVES; i++)
		into->counts[i] += from->counts[i];
	into->count += from->count;
	if (from->max_ns > into->max_ns)
		into->max_ns = from->max_ns;
}

uint64_t hg_latency_quantile(const struct hg_latency *l, uint32_t ppm)
{
	/* Rounded up: the p50 of three values is the second. */
	uint64_t rank = (l->count * ppm + 999999u) / 1000000u, seen = 0;

	if (l->count == 0)
		return 0;
	for (unsigned i = 0; i < HG_LATENCY_SUB * HG_LATENCY_OCTAVES; i++) {
		seen += l->counts[i];
		if (seen >= rank && seen > 0)
			return upper_edge(i) < l->max_ns ? upper_edge(i) : l->max_ns;
	}
	return l->max_ns;
}
