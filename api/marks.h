/* marks: the places of a tree's nodes, kept beside it.
 *
 * Why        jansson's nodes have no room for a line number.
 * Model      A hash table from the node's address to its mark. Nodes that a text was read into are never
 *            shared, so an address is one place.
 * Memory     Allocates; grows by doubling. Cost: O(1) for each node. Threads: one owner.
 * Used by    api/yaml.c, which fills it; api/tree.c, which reads it.
 */
#ifndef HG_API_MARKS_H
#define HG_API_MARKS_H

#include "api/yaml.h"

/* NULL: no memory. */
struct hg_marks *hg_marks_create(void);
void hg_marks_destroy(struct hg_marks *marks);

/* Remembers the place of a node that is not there yet. -ENOMEM. */
HG_MUST_CHECK int hg_marks_add(struct hg_marks *marks, const json_t *node, struct hg_mark mark);
/* NULL: not there. Valid until the next add. */
const struct hg_mark *hg_marks_get(const struct hg_marks *marks, const json_t *node);

#endif
