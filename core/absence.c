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
	a->away_ns += now_ns - a->due_ns;
}

hg_ns hg_absence_sum(const struct hg_absence *a, hg_ns since_ns, hg_ns least_ns)
{
	hg_ns sum_ns = 0;

	/* The latest first; one that never was ended at 0. */
	for (uint32_t i = 1; i <= HG_ABSENCE_SPELLS; i++) {
		uint32_t at = (a->n_spells - i) % HG_ABSENCE_SPELLS;
		hg_ns from_ns = a->spells[at].from_ns, to_ns = a->spells[at].to_ns;

		if (to_ns <= since_ns)
			break;
		if (to_ns - from_ns > least_ns)
			sum_ns += to_ns - (from_ns > since_ns ? from_ns : since_ns);
	}
	return sum_ns;
}
