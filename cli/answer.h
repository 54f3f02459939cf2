/* answer: what stands in the daemon's answer under a key.
 *
 * Why        A daemon of another version may leave a key out: that is nothing, and no reason to end.
 * Memory     The answer's. Threads: any. Errors: none.
 */
#ifndef HG_CLI_ANSWER_H
#define HG_CLI_ANSWER_H

#include <jansson.h>

/* 0: it is not there, or no whole number. */
static inline json_int_t hg_answer_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* "": it is not there, or no text. */
static inline const char *hg_answer_text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value == NULL ? "" : value;
}

#endif
