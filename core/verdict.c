#include "core/verdict.h"

#include "core/fnv.h"

#include <stddef.h>
#include <string.h>

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

static const struct word refusals[] = {
#define X(id, name, text) {name, text},
	HG_GUEST_REFUSALS(X)
#undef X
};

static struct word find(const struct word *words, size_t n, unsigned idx)
{
	static const struct word unknown = {"?", "?"};

	return idx < n ? words[idx] : unknown;
}

/* Over the names with their ends. */
static uint64_t add_names(uint64_t hash, const struct word *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		hash = hg_fnv(hash, words[i].name, strlen(words[i].name) + 1u);
	return hash;
}

uint64_t hg_verdict_layout(void)
{
	return add_names(add_names(HG_FNV_BASIS, drops, HG_N_DROPS), limits, HG_N_LIMITS);
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

const char *hg_guest_refusal_name(enum hg_guest_refusal why)
{
	return find(refusals, HG_N_GUEST_REFUSALS, (unsigned)why).name;
}
