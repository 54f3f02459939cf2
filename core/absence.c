#include "core/absence.h"

void hg_absence_init(struct hg_absence *a)
{
	*a = (struct hg_absence){0};
}

void hg_absence_note(struct hg_absence *a, hg_ns now_ns)
{
	uint32_t at = a->n_spells++ % HG_ABSENCE_SPELLS;

	a->spells[at].from_ns = a->due_ns;
	a->spells[at].to_ns = a->ended_ns = now_ns;
}

hg_ns hg_absence_sum(const struct hg_absence *a, hg_ns since_ns)
{
	hg_ns sum_ns = 0;

	for (uint32_t i = 0; i < HG_ABSENCE_SPELLS; i++) {
		hg_ns from_ns = a->spells[i].from_ns, to_ns = a->spells[i].to_ns;

		if (to_ns > since_ns)
			sum_ns += to_ns - (from_ns > since_ns ? from_ns : since_ns);
	}
	return sum_ns;
}
