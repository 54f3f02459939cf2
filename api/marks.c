#include "api/marks.h"

#include <stdlib.h>

struct slot {
	const json_t *node; /* NULL: free */
	struct hg_mark mark;
};

struct hg_marks {
	struct slot *slots;
	size_t n_slots; /* a power of two */
	size_t n_used; /* under three quarters of n_slots */
};

#define SLOTS_AT_FIRST 64u

/* Fibonacci hashing: nodes lie at multiples of 16, so the low bits say nothing. */
static size_t slot_of(const struct hg_marks *marks, const json_t *node)
{
	uint64_t hash = (uint64_t)(uintptr_t)node * UINT64_C(0x9e3779b97f4a7c15);

	return (size_t)(hash >> 32) & (marks->n_slots - 1u);
}

static struct slot *find(const struct hg_marks *marks, const json_t *node)
{
	size_t i = slot_of(marks, node);

	while (marks->slots[i].node != NULL && marks->slots[i].node != node)
		i = (i + 1u) & (marks->n_slots - 1u);
	return &marks->slots[i];
}

struct hg_marks *hg_marks_create(void)
{
	struct hg_marks *marks = malloc(sizeof(*marks));

	if (marks == NULL)
		return NULL;
	*marks = (struct hg_marks){.n_slots = SLOTS_AT_FIRST};
	marks->slots = calloc(marks->n_slots, sizeof(*marks->slots));
	if (marks->slots == NULL) {
		free(marks);
		return NULL;
	}
	return marks;
}

void hg_marks_destroy(struct hg_marks *marks)
{
	if (marks == NULL)
		return;
	free(marks->slots);
	free(marks);
}

static int grow(struct hg_marks *marks)
{
	struct hg_marks bigger = {.n_slots = marks->n_slots * 2u, .n_used = marks->n_used};

	bigger.slots = calloc(bigger.n_slots, sizeof(*bigger.slots));
	if (bigger.slots == NULL)
		return -HG_ENOMEM;
	for (size_t i = 0; i < marks->n_slots; i++) {
		if (marks->slots[i].node != NULL)
			*find(&bigger, marks->slots[i].node) = marks->slots[i];
	}
	free(marks->slots);
	*marks = bigger;
	return 0;
}

int hg_marks_add(struct hg_marks *marks, const json_t *node, struct hg_mark mark)
{
	if ((marks->n_used + 1u) * 4u > marks->n_slots * 3u) {
		int rc = grow(marks);

		if (rc < 0)
			return rc;
	}
	*find(marks, node) = (struct slot){.node = node, .mark = mark};
	marks->n_used++;
	return 0;
}

const struct hg_mark *hg_marks_get(const struct hg_marks *marks, const json_t *node)
{
	const struct slot *slot = find(marks, node);

	return slot->node != NULL ? &slot->mark : NULL;
}
