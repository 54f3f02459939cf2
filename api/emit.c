/* A tree to YAML text. */
#include "api/yaml.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct writer {
	yaml_emitter_t emitter;
	char *text;
	size_t n, size;
};

static int write_text(void *user, unsigned char *bytes, size_t n)
{
	struct writer *w = user;

	if (w->n + n + 1u > w->size) {
		size_t size = (w->n + n + 1u) * 2u;
		char *text = realloc(w->text, size);

		if (text == NULL)
			return 0;
		w->text = text;
		w->size = size;
	}
	memcpy(w->text + w->n, bytes, n);
	w->n += n;
	w->text[w->n] = '\0';
	return 1;
}

/* Each step below answers 1, or 0 when memory ran out, as libyaml does. */
static int emit_event(struct writer *w, yaml_event_t *event, int is_ready)
{
	return is_ready && yaml_emitter_emit(&w->emitter, event);
}

/* Would another reader of YAML take this for a number (YAML 1.1 reads 02:00 as 120), a truth value or
 * nothing? Then it is quoted. */
static bool needs_quotes(const char *text)
{
	static const char *const words[] = {"null", "true", "false", "yes", "no", "on",
					    "off",  "y",    "n",     "~",   ""};
	bool has_digit = false;
	unsigned n_dots = 0;
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(text, words[i]) == 0)
			return true;
	}
	for (i = 0; text[i] != '\0' && strchr("0123456789abcdefABCDEF:._+-xo", text[i]); i++) {
		has_digit |= text[i] >= '0' && text[i] <= '9';
		n_dots += text[i] == '.';
	}
	return text[i] == '\0' && has_digit && n_dots != 3;
}

static int emit_text(struct writer *w, const char *text, size_t n, bool is_quoted)
{
	yaml_event_t event;

	return emit_event(w, &event,
			  yaml_scalar_event_initialize(&event, NULL, NULL,
						       (const yaml_char_t *)text, (int)n, 1, 1,
						       is_quoted ? YAML_DOUBLE_QUOTED_SCALAR_STYLE
								 : YAML_ANY_SCALAR_STYLE));
}

static bool is_scalar(const json_t *node)
{
	return !json_is_object(node) && !json_is_array(node);
}

static bool is_list_of_scalars(const json_t *node)
{
	for (size_t i = 0; i < json_array_size(node); i++) {
		if (!is_scalar(json_array_get(node, i)))
			return false;
	}
	return json_is_array(node);
}

/* Small enough for one line. */
static bool is_flat(json_t *node)
{
	const char *key;
	json_t *value;

	if (json_is_array(node))
		return is_list_of_scalars(node);
	json_object_foreach(node, key, value)
	{
		if (!is_scalar(value) && !is_list_of_scalars(value))
			return false;
	}
	return true;
}

static int emit_node(struct writer *w, json_t *node, bool is_root);

static int emit_object(struct writer *w, json_t *node, bool is_root)
{
	bool is_flow = is_flat(node) && !is_root;
	yaml_event_t event;
	const char *key;
	json_t *value;
	int is_ok =
		emit_event(w, &event,
			   yaml_mapping_start_event_initialize(&event, NULL, NULL, 1,
							       is_flow ? YAML_FLOW_MAPPING_STYLE
								       : YAML_BLOCK_MAPPING_STYLE));

	json_object_foreach(node, key, value)
	{
		is_ok = is_ok && emit_text(w, key, strlen(key), needs_quotes(key)) &&
			emit_node(w, value, /* is_root= */ false);
	}
	return is_ok && emit_event(w, &event, yaml_mapping_end_event_initialize(&event));
}

static int emit_array(struct writer *w, json_t *node)
{
	yaml_event_t event;
	int is_ok = emit_event(
		w, &event,
		yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
						     is_flat(node) ? YAML_FLOW_SEQUENCE_STYLE
								   : YAML_BLOCK_SEQUENCE_STYLE));

	for (size_t i = 0; is_ok && i < json_array_size(node); i++)
		is_ok = emit_node(w, json_array_get(node, i), /* is_root= */ false);
	return is_ok && emit_event(w, &event, yaml_sequence_end_event_initialize(&event));
}

static int emit_scalar(struct writer *w, const json_t *node)
{
	char *text;
	int is_ok;

	if (json_is_string(node))
		return emit_text(w, json_string_value(node), json_string_length(node),
				 needs_quotes(json_string_value(node)));
	text = json_dumps(node, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
	if (text == NULL)
		return 0;
	is_ok = emit_text(w, text, strlen(text), /* is_quoted= */ false);
	free(text);
	return is_ok;
}

static int emit_node(struct writer *w, json_t *node, bool is_root)
{
	if (json_is_object(node))
		return emit_object(w, node, is_root);
	if (json_is_array(node))
		return emit_array(w, node);
	return emit_scalar(w, node);
}

static int emit_document(struct writer *w, json_t *root)
{
	yaml_event_t event;

	yaml_emitter_set_output(&w->emitter, write_text, w);
	yaml_emitter_set_unicode(&w->emitter, 1);
	yaml_emitter_set_width(&w->emitter, -1);
	return emit_event(w, &event,
			  yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING)) &&
	       emit_event(w, &event,
			  yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1)) &&
	       emit_node(w, root, /* is_root= */ true) &&
	       emit_event(w, &event, yaml_document_end_event_initialize(&event, 1)) &&
	       emit_event(w, &event, yaml_stream_end_event_initialize(&event));
}

int hg_yaml_emit(json_t *root, char **ret_text, size_t *ret_n_bytes, struct hg_error *reterr)
{
	struct writer w = {0};
	int is_ok = yaml_emitter_initialize(&w.emitter);

	if (is_ok) {
		is_ok = emit_document(&w, root);
		yaml_emitter_delete(&w.emitter);
	}
	if (!is_ok) {
		free(w.text);
		return hg_error_set(reterr, -HG_ENOMEM, "not enough memory to write YAML", NULL);
	}
	*ret_text = w.text;
	*ret_n_bytes = w.n;
	return 0;
}
