/* told: a program that measures when it is told to, a slice for each line it reads, so that sides can take turns.
 *
 * Model      Each line on stdin is a request, words with blanks between them. What is printed until the next request is
 *            asked for is its answer, figures of bench/figures.h as a rule; a line "done" ends it, and the first one
 *            says that the program is ready. The end of the input is the end of the program.
 * Threads    one. Errors: a line that is too long is cut into two requests; what a program does not understand is its
 *            own to refuse.
 * Used by    the other end is Program in bench/harness.py, which stops the program in between.
 */
#ifndef HG_BENCH_TOLD_H
#define HG_BENCH_TOLD_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HG_TOLD_WORDS = 8 };

struct hg_told {
	char line[128];
	const char *words[HG_TOLD_WORDS]; /* empty behind the last one */
};

/* Ends the answer to the last request and waits for the next; false: there is none. */
static inline bool hg_told(struct hg_told *t)
{
	char *rest = NULL;

	puts("done");
	fflush(stdout);
	if (fgets(t->line, sizeof(t->line), stdin) == NULL)
		return false;
	for (unsigned i = 0; i < HG_TOLD_WORDS; i++) {
		const char *word = strtok_r(i == 0 ? t->line : NULL, " \n", &rest);

		t->words[i] = word != NULL ? word : "";
	}
	return true;
}

/* Word i as a number; 0 if it is none. */
static inline unsigned hg_told_number(const struct hg_told *t, unsigned i)
{
	return (unsigned)strtoul(t->words[i], NULL, 10);
}

#endif
