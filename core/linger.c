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
	hg_ns for_ns = 2 * l->usual_ns, left_ns;

	if (l->handed_at_ns == 0)
		l->handed_at_ns = now_ns;
	/* Who is handed more and more and does not answer is not looked at for longer by that. */
	left_ns = l->handed_at_ns + HG_LINGER_MAX_NS - now_ns;
	if (l->points < HG_LINGER_LEAST || left_ns <= 0)
		return 0;
	l->is_looking = true;
	return for_ns < left_ns ? for_ns : left_ns;
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
