#include "core/class.h"

#include <string.h>

static int fail(uint32_t idx, const char *field, const char *text, struct hg_error *reterr)
{
	int rc = hg_error_set(reterr, -HG_EINVAL, text, NULL);

	hg_error_at(reterr, field);
	hg_error_at_index(reterr, "", idx);
	return rc;
}

static bool is_name(const char *name)
{
	size_t n = 0;

	for (; n < HG_CLASS_NAME_BYTES && name[n] != '\0'; n++) {
		char c = name[n];
		bool is_word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

		if (!is_word && (n == 0 || strchr("._-", c) == NULL))
			return false;
	}
	return n > 0 && n < HG_CLASS_NAME_BYTES;
}

/* Another class of the set that comes before and has the same name. */
static bool is_taken(const struct hg_class_set *set, uint32_t idx)
{
	for (uint32_t i = 0; i < idx; i++)
		if (strcmp(set->classes[i].name, set->classes[idx].name) == 0)
			return true;
	return false;
}

static int validate_class(const struct hg_class_set *set, uint32_t i, uint64_t *dscps,
			  unsigned *pcps, struct hg_error *reterr)
{
	const struct hg_class *c = &set->classes[i];

	if (!is_name(c->name))
		return fail(i, "name", "a class has a name of 1 to 15 of a-z, 0-9, '.', '_', '-'",
			    reterr);
	if (is_taken(set, i))
		return fail(i, "name", "another class of this contract has that name", reterr);
	if (c->weight > HG_CLASS_WEIGHT_MAX)
		return fail(i, "weight", "is out of range: allowed is 1 to 1000, or strict",
			    reterr);
	if (c->dscps & *dscps)
		return fail(i, "dscp", "a class before this one has one of these already", reterr);
	if (c->pcps & *pcps)
		return fail(i, "pcp", "a class before this one has one of these already", reterr);
	if (c->dscps == 0 && c->pcps == 0 && i + 1u < set->n)
		return fail(i, "dscp",
			    "this class asks for no packet; only the last one may, which gets "
			    "the rest",
			    reterr);
	*dscps |= c->dscps;
	*pcps |= c->pcps;
	return 0;
}

int hg_class_set_validate(const struct hg_class_set *set, struct hg_error *reterr)
{
	uint64_t dscps = 0;
	unsigned pcps = 0;

	if (set->n == 0)
		return 0;
	if (set->n < HG_CLASSES_MIN || set->n > HG_CLASSES_MAX)
		return hg_error_set(reterr, -HG_EINVAL, "a contract has none, or 2 to 8 classes",
				    NULL);
	for (uint32_t i = 0; i < set->n; i++) {
		int rc = validate_class(set, i, &dscps, &pcps, reterr);

		if (rc < 0)
			return rc;
	}
	return 0;
}

bool hg_class_set_equal(const struct hg_class_set *a, const struct hg_class_set *b)
{
	if (a->n != b->n)
		return false;
	for (uint32_t i = 0; i < a->n; i++) {
		const struct hg_class *x = &a->classes[i], *y = &b->classes[i];

		if (strcmp(x->name, y->name) != 0 || x->dscps != y->dscps || x->pcps != y->pcps ||
		    x->weight != y->weight)
			return false;
	}
	return true;
}
