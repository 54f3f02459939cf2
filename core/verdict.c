#include "core/verdict.h"

#include <stddef.h>

struct word {
	const char *name;
	const char *text;
};

static const struct word drops[] = {
#define X(id, name, text) {name, text},
	HG_DROP_REASONS(X)
#undef X
};

static const struct word limits[] = {
#define X(id, name, text) {name, text},
	HG_LIMITS(X)
#undef X
};

static struct word find(const struct word *words, size_t n, unsigned idx)
{
	static const struct word unknown = {"?", "?"};

	return idx < n ? words[idx] : unknown;
}

const char *hg_drop_name(enum hg_drop reason)
{
	return find(drops, HG_N_DROPS, (unsigned)reason).name;
}

const char *hg_drop_text(enum hg_drop reason)
{
	return find(drops, HG_N_DROPS, (unsigned)reason).text;
}

const char *hg_limit_name(enum hg_limit limit)
{
	return find(limits, HG_N_LIMITS, (unsigned)limit).name;
}

const char *hg_limit_text(enum hg_limit limit)
{
	return find(limits, HG_N_LIMITS, (unsigned)limit).text;
}
