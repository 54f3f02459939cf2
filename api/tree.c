/* What stays of api/yaml.h once the text has been read: the tree and the places in it. */
#include "api/marks.h"

#include <stdlib.h>
#include <string.h>

void hg_tree_fini(struct hg_tree *tree)
{
	json_decref(tree->root);
	hg_marks_destroy(tree->marks);
	*tree = (struct hg_tree){0};
}

const struct hg_mark *hg_tree_mark(const struct hg_tree *tree, const json_t *node)
{
	return tree->marks != NULL ? hg_marks_get(tree->marks, node) : NULL;
}

/* The child that the first step of path names ("key", ".key" or "[3]"), or NULL; *path moves behind it. */
static json_t *step_into(json_t *node, const char **path)
{
	const char *p = *path;
	char key[HG_ERROR_PATH_BYTES];
	size_t n;

	if (*p == '[') {
		char *end;
		unsigned long idx = strtoul(p + 1, &end, 10);

		if (*end != ']')
			return NULL;
		*path = end + 1;
		return json_array_get(node, idx);
	}
	if (*p == '.')
		p++;
	n = strcspn(p, ".[");
	if (n == 0 || n >= sizeof(key))
		return NULL;
	memcpy(key, p, n);
	key[n] = '\0';
	*path = p + n;
	return json_object_get(node, key);
}

void hg_tree_locate(const struct hg_tree *tree, struct hg_error *err)
{
	const char *path;
	json_t *node = tree->root;

	if (err == NULL || tree->marks == NULL)
		return;
	path = err->path;
	while (node != NULL) {
		const struct hg_mark *mark = hg_tree_mark(tree, node);

		if (mark != NULL) {
			err->line = mark->line;
			err->column = mark->column;
		}
		if (*path == '\0')
			return;
		node = step_into(node, &path);
	}
}
