/* yaml: configuration text to a tree of plain values that remembers where each of them stood.
 *
 * Why        "weight must be in [1, 1000]" helps nobody who has 4,000 lines before him; "at 812:15" does.
 * Model      YAML (of which JSON is a part) -> jansson tree. Mappings are objects, sequences arrays, and
 *            every scalar is a string, as it was written: what it means is decided by the field that it
 *            is read into (api/schema.h), so `on`, `1e3` or `010` mean nothing by themselves. No value,
 *            `null` and `~` are the empty string, which every reader takes as "nothing was said". Beside the tree stands a table from node to place.
 * Refused    duplicate keys, keys that are no scalars, anchors, aliases, tags, a second document, text
 *            that is not UTF-8, a NUL character, and whatever passes the bounds below.
 * Memory     Allocates; the tree is the caller's. Cost: linear in the text.
 * Threads    Any, one owner for each tree.
 * Errors     -EINVAL with line, column and a sentence; -ENOMEM.
 */
#ifndef HG_API_YAML_H
#define HG_API_YAML_H

#include "core/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 65,536 instances, each with a port and a contract, at about 300 bytes: 20 MB; the rest is room. */
#define HG_YAML_MAX_BYTES (64u << 20)
/* tenants, tenant, instances, instance, ports, port, addresses: 8 levels with the root; twice that. */
#define HG_YAML_MAX_DEPTH 16u

struct hg_mark { /* 1-based */
	uint32_t line, column; /* of the value */
	uint32_t key_line, key_column; /* of its key; the value's own where it has none */
};

struct hg_marks;

struct hg_tree {
	json_t *root; /* never NULL once parsed; the empty string for an empty text */
	struct hg_marks *marks; /* NULL: no places known, as for a tree that no text was read for */
};

HG_MUST_CHECK int hg_yaml_parse(const char *text, size_t n_bytes, struct hg_tree *ret,
				struct hg_error *reterr);
void hg_tree_fini(struct hg_tree *tree);

/* Where the node stood; NULL if that is not known. Valid as long as the tree. */
const struct hg_mark *hg_tree_mark(const struct hg_tree *tree, const json_t *node);

/* Fills line and column of err from its path ("tenants[0].contract.out.min"): the place of the deepest
 * node on the path that has one. */
void hg_tree_locate(const struct hg_tree *tree, struct hg_error *err);

/* The text of a tree: block style for lists of objects, one line for what is small. The caller frees
 * *ret_text with free(). */
HG_MUST_CHECK int hg_yaml_emit(json_t *root, char **ret_text, size_t *ret_n_bytes,
			       struct hg_error *reterr);

#endif
