#include "api/nearest.h"

#include <stddef.h>
#include <string.h>

/* Longer words are not compared: names end at 63. */
#define WORD_MAX 64u
#define FAR 1000u

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

static unsigned distance(const char *a, const char *b)
{
	unsigned rows[3][WORD_MAX + 1u];
	unsigned *before = rows[0], *above = rows[1], *row = rows[2];
	size_t n_a = strlen(a), n_b = strlen(b);

	if (n_a > WORD_MAX || n_b > WORD_MAX)
		return FAR;
	for (size_t j = 0; j <= n_b; j++)
		before[j] = above[j] = (unsigned)j;
	for (size_t i = 1; i <= n_a; i++) {
		unsigned *oldest = before;

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= n_b; j++) {
			unsigned change = lower(a[i - 1]) != lower(b[j - 1]);

			row[j] = least(above[j] + 1u, row[j - 1] + 1u, above[j - 1] + change);
			if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
			    lower(a[i - 2]) == lower(b[j - 1]) && before[j - 2] + 1u < row[j])
				row[j] = before[j - 2] + 1u;
		}
		before = above;
		above = row;
		row = oldest;
	}
	return above[n_b];
}

static bool begins_with(const char *word, const char *start)
{
	size_t n = 0;

	while (start[n] != '\0' && lower(word[n]) == lower(start[n]))
		n++;
	return n >= 2 && start[n] == '\0';
}

void hg_nearest_init(struct hg_nearest *nearest, const char *word)
{
	*nearest = (struct hg_nearest){.word = word, .distance = FAR};
}

void hg_nearest_offer(struct hg_nearest *nearest, const char *candidate)
{
	size_t n = strlen(candidate);
	unsigned limit = n >= 6u ? (unsigned)(n / 3u) : 1u;
	unsigned d = distance(nearest->word, candidate);

	if (d > limit) {
		if (!begins_with(nearest->word, candidate) &&
		    !begins_with(candidate, nearest->word))
			return;
		d = FAR - 1u; /* good enough if no other is near */
	}
	if (d < nearest->distance) {
		nearest->best = candidate;
		nearest->distance = d;
	}
}
