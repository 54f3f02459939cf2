#include "core/linger.h"

/* A slow answer is forgotten within some dozen quick ones. */
#define FORGET_PART 8

void hg_linger_note(struct hg_linger *l, hg_ns took_ns)
{
	l->is_looking = false;
	if (took_ns > HG_LINGER_MAX_NS)
		return;
	if (l->points < HG_LINGER_MOST)
		l->points++;
	if (took_ns > l->usual_ns)
		l->usual_ns = took_ns;
	else
		l->usual_ns -= (l->usual_ns - took_ns) / FORGET_PART;
}

hg_ns hg_linger_handed(struct hg_linger *l, hg_ns now_ns)
{
	hg_ns for_ns = 2 * l->usual_ns;

	if (l->handed_at_ns == 0)
		l->handed_at_ns = now_ns;
	if (l->points < HG_LINGER_LEAST)
		return 0;
	l->is_looking = true;
	return for_ns < HG_LINGER_MAX_NS ? for_ns : HG_LINGER_MAX_NS;
}

void hg_linger_ends(struct hg_linger *l)
{
	if (!l->is_looking)
		return;
	l->is_looking = false;
	l->points = (int16_t)(l->points - HG_LINGER_MISS);
	if (l->points < -HG_LINGER_MISS)
		l->points = -HG_LINGER_MISS;
}
