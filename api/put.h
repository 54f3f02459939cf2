/* put: one more key of an answer.
 *
 * Why        An answer is put together of many small parts, of which none can do anything about missing memory: a key is
 *            left out then, and who asked is answered by what could be said.
 * Memory     The value belongs to the object from here on, NULL too. Threads: the object's. Errors: none.
 */
#ifndef HG_API_PUT_H
#define HG_API_PUT_H

#include <jansson.h>
#include <stdint.h>

static inline void hg_put(json_t *object, const char *key, json_t *value)
{
	(void)json_object_set_new(object, key, value);
}

static inline void hg_put_u64(json_t *object, const char *key, uint64_t value)
{
	hg_put(object, key, json_integer((json_int_t)value));
}

static inline void hg_put_text(json_t *object, const char *key, const char *text)
{
	hg_put(object, key, json_string(text));
}

#endif
