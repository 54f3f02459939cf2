/* nearest: which of the words allowed did the writer mean?
 *
 * Why        Most wrong keys are right keys misspelled.
 * Model      Edit distance with exchanges of neighbours (optimal string alignment), case ignored. A word
 *            is near when no more than a third of its letters, and at least one, would have to change,
 *            or when one of the two begins with the other ("maximum", "max").
 * Memory     None. Cost: length of both words. Threads: any. Errors: none.
 */
#ifndef HG_API_NEAREST_H
#define HG_API_NEAREST_H

#include <stdbool.h>

struct hg_nearest {
	const char *word; /* what was written */
	const char *best; /* nearest so far; NULL: none is near */
	unsigned distance; /* of best */
};

void hg_nearest_init(struct hg_nearest *nearest, const char *word);
/* Offers one of the words allowed, which must outlive the struct. */
void hg_nearest_offer(struct hg_nearest *nearest, const char *candidate);

#endif
