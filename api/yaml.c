#include "api/yaml.h"

#include "api/marks.h"
#include "core/text.h"

#include <string.h>
#include <yaml.h>

struct reader {
	yaml_parser_t parser;
	struct hg_tree tree;
	struct hg_error *err;
};

static int fail_at(struct reader *r, const yaml_mark_t *mark, const char *a, const char *b,
		   const char *c)
{
	int rc = hg_error_set(r->err, -HG_EINVAL, a, b, c, NULL);

	if (r->err != NULL && r->err->line == 0) {
		r->err->line = (uint32_t)mark->line + 1u;
		r->err->column = (uint32_t)mark->column + 1u;
	}
	return rc;
}

/* word: as somebody wrote it, so that it may be anything. */
static int fail_at_word(struct reader *r, const yaml_mark_t *mark, const char *before,
			const yaml_char_t *word, const char *after)
{
	char quoted[64];
	struct hg_text text;

	hg_text_init(&text, quoted, sizeof(quoted));
	hg_text_add_quoted(&text, (const char *)word);
	return fail_at(r, mark, before, quoted, after);
}

static int no_memory(struct reader *r)
{
	return hg_error_set(r->err, -HG_ENOMEM, "not enough memory to read the configuration",
			    NULL);
}

/* libyaml says where a byte is wrong by its offset alone. */
static yaml_mark_t mark_of_offset(const char *text, size_t offset)
{
	yaml_mark_t mark = {.index = offset};

	for (size_t i = 0; i < offset; i++) {
		mark.column++;
		if (text[i] == '\n') {
			mark.line++;
			mark.column = 0;
		}
	}
	return mark;
}

/* What an editor that indents by tabs writes. Marks count characters: it is found where all before it are of one byte. */
static bool is_tab(const yaml_parser_t *p, const yaml_mark_t *mark)
{
	size_t n = (size_t)(p->input.string.end - p->input.string.start);

	return mark->index < n && p->input.string.start[mark->index] == '\t';
}

static int parser_failed(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	const char *problem = p->problem != NULL ? p->problem : "not readable";
	yaml_mark_t mark = p->problem_mark;

	if (p->error == YAML_MEMORY_ERROR)
		return no_memory(r);
	if (p->error == YAML_READER_ERROR) {
		mark = mark_of_offset((const char *)p->input.string.start, p->problem_offset);
		return fail_at(r, &mark, "the text is not plain UTF-8: ", problem, NULL);
	}
	if (is_tab(p, &mark))
		return fail_at(r, &mark, "a tab is not allowed here; indent with blanks", NULL,
			       NULL);
	if (p->context != NULL)
		return fail_at(r, &mark, problem, " ", p->context);
	return fail_at(r, &mark, problem, NULL, NULL);
}

static int next_event(struct reader *r, yaml_event_t *ret)
{
	if (!yaml_parser_parse(&r->parser, ret))
		return parser_failed(r);
	return 0;
}

static int refuse_properties(struct reader *r, const yaml_event_t *event)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return fail_at_word(r, &event->start_mark, "an alias, ", event->data.alias.anchor,
				    ", is not served; write the value out");
	case YAML_SCALAR_EVENT:
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
		break;
	default:
		break;
	}
	if (anchor != NULL)
		return fail_at_word(r, &event->start_mark, "an anchor, ", anchor,
				    ", is not served; write the value out each time");
	if (tag != NULL)
		return fail_at_word(r, &event->start_mark, "a tag, ", tag,
				    ", is not served; each field has one kind");
	return 0;
}

static bool means_nothing(const yaml_event_t *event)
{
	const char *value = (const char *)event->data.scalar.value;

	return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (strcmp(value, "~") == 0 || strcmp(value, "null") == 0);
}

/* A scalar's text, without a character that would end it early. */
static int check_scalar(struct reader *r, const yaml_event_t *event)
{
	if (memchr(event->data.scalar.value, '\0', event->data.scalar.length) != NULL)
		return fail_at(r, &event->start_mark, "a NUL character is not allowed", NULL, NULL);
	return 0;
}

/* Takes over the reference to node, also when it fails. */
static int remember(struct reader *r, json_t *node, const yaml_mark_t *at, const yaml_mark_t *key,
		    json_t **ret)
{
	struct hg_mark mark = {
		.line = (uint32_t)at->line + 1u,
		.column = (uint32_t)at->column + 1u,
		.key_line = (uint32_t)key->line + 1u,
		.key_column = (uint32_t)key->column + 1u,
	};

	if (node == NULL)
		return no_memory(r);
	if (hg_marks_add(r->tree.marks, node, mark) < 0) {
		json_decref(node);
		return no_memory(r);
	}
	*ret = node;
	return 0;
}

/* Reads what begins with event, which it consumes. key: the place of its key. */
static int read_node(struct reader *r, yaml_event_t *event, const yaml_mark_t *key, unsigned depth,
		     json_t **ret);

static int read_items(struct reader *r, json_t *array, unsigned depth)
{
	for (;;) {
		yaml_event_t event;
		json_t *item;
		int rc = next_event(r, &event);

		if (rc < 0)
			return rc;
		if (event.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&event);
			return 0;
		}
		rc = read_node(r, &event, &event.start_mark, depth, &item);
		if (rc < 0)
			return rc;
		if (json_array_append_new(array, item) < 0)
			return no_memory(r);
	}
}

static int check_key(struct reader *r, const yaml_event_t *event, json_t *object)
{
	const char *key = (const char *)event->data.scalar.value;
	json_t *before;
	int rc = refuse_properties(r, event);

	if (rc < 0)
		return rc;
	if (event->type != YAML_SCALAR_EVENT)
		return fail_at(r, &event->start_mark, "a key must be a word", NULL, NULL);
	rc = check_scalar(r, event);
	if (rc < 0)
		return rc;
	before = json_object_get(object, key);
	if (before != NULL) {
		char after[64];
		struct hg_text text;

		hg_text_init(&text, after, sizeof(after));
		hg_text_add(&text, " is there twice; first in line ");
		hg_text_add_u64(&text, hg_tree_mark(&r->tree, before)->key_line);
		rc = fail_at_word(r, &event->start_mark, "", event->data.scalar.value, after);
	}
	return rc;
}

/* One key and its value; false in *ret_more at the end of the mapping. */
static int read_member(struct reader *r, json_t *object, unsigned depth, bool *ret_more)
{
	yaml_event_t key, value;
	json_t *node;
	int rc = next_event(r, &key);

	if (rc < 0)
		return rc;
	*ret_more = key.type != YAML_MAPPING_END_EVENT;
	if (!*ret_more)
		goto out;
	rc = check_key(r, &key, object);
	if (rc < 0)
		goto out;
	rc = next_event(r, &value);
	if (rc < 0)
		goto out;
	rc = read_node(r, &value, &key.start_mark, depth, &node);
	if (rc < 0)
		goto out;
	if (json_object_set_new_nocheck(object, (const char *)key.data.scalar.value, node) < 0)
		rc = no_memory(r);
out:
	yaml_event_delete(&key);
	return rc;
}

static int read_members(struct reader *r, json_t *object, unsigned depth)
{
	bool is_more = true;
	int rc = 0;

	while (rc == 0 && is_more)
		rc = read_member(r, object, depth, &is_more);
	return rc;
}

static json_t *fresh_node(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_MAPPING_START_EVENT:
		return json_object();
	case YAML_SEQUENCE_START_EVENT:
		return json_array();
	default:
		if (means_nothing(event))
			return json_string("");
		return json_stringn_nocheck((const char *)event->data.scalar.value,
					    event->data.scalar.length);
	}
}

static int read_node(struct reader *r, yaml_event_t *event, const yaml_mark_t *key, unsigned depth,
		     json_t **ret)
{
	yaml_event_type_t type = event->type;
	yaml_mark_t at = event->start_mark;
	json_t *node = NULL;
	int rc = refuse_properties(r, event);

	if (rc == 0 && depth >= HG_YAML_MAX_DEPTH)
		rc = fail_at(r, &at, "nested too deeply", NULL, NULL);
	if (rc == 0 && type == YAML_SCALAR_EVENT)
		rc = check_scalar(r, event);
	if (rc == 0)
		rc = remember(r, fresh_node(event), &at, key, &node);
	yaml_event_delete(event);
	if (rc < 0)
		return rc;
	if (type == YAML_MAPPING_START_EVENT)
		rc = read_members(r, node, depth + 1u);
	else if (type == YAML_SEQUENCE_START_EVENT)
		rc = read_items(r, node, depth + 1u);
	if (rc < 0) {
		json_decref(node);
		return rc;
	}
	*ret = node;
	return 0;
}

/* Reads one event that must be of this type, or says that the text has more than one document. */
static int expect_event(struct reader *r, yaml_event_type_t type)
{
	yaml_event_t event;
	int rc = next_event(r, &event);

	if (rc < 0)
		return rc;
	if (event.type != type)
		rc = fail_at(r, &event.start_mark, "a second document begins here; one is allowed",
			     NULL, NULL);
	yaml_event_delete(&event);
	return rc;
}

static int read_stream(struct reader *r)
{
	yaml_event_t event;
	int rc = expect_event(r, YAML_STREAM_START_EVENT);

	if (rc == 0)
		rc = next_event(r, &event);
	if (rc < 0)
		return rc;
	if (event.type == YAML_STREAM_END_EVENT) {
		yaml_mark_t start = {0};

		yaml_event_delete(&event);
		return remember(r, json_string(""), &start, &start, &r->tree.root);
	}
	yaml_event_delete(&event);
	rc = next_event(r, &event);
	if (rc == 0)
		rc = read_node(r, &event, &event.start_mark, 0, &r->tree.root);
	if (rc == 0)
		rc = expect_event(r, YAML_DOCUMENT_END_EVENT);
	if (rc == 0)
		rc = expect_event(r, YAML_STREAM_END_EVENT);
	return rc;
}

int hg_yaml_parse(const char *text, size_t n_bytes, struct hg_tree *ret, struct hg_error *reterr)
{
	struct reader r = {.err = reterr};
	int rc;

	if (n_bytes > HG_YAML_MAX_BYTES)
		return hg_error_set(reterr, -HG_EINVAL, "the configuration is larger than 64 MiB",
				    NULL);
	r.tree.marks = hg_marks_create();
	if (r.tree.marks == NULL)
		return no_memory(&r);
	if (!yaml_parser_initialize(&r.parser)) {
		hg_marks_destroy(r.tree.marks);
		return no_memory(&r);
	}
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, n_bytes);
	rc = read_stream(&r);
	yaml_parser_delete(&r.parser);
	if (rc < 0) {
		hg_tree_fini(&r.tree);
		return rc;
	}
	*ret = r.tree;
	return 0;
}
