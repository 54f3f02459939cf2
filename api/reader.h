/* reader: one object of the tree into one struct, by its table.
 *
 * Why        Whatever is wrong in a field, the message has the same shape and the right place.
 * Model      The reader walks down the tree and keeps the path to where it is. Each failure gets that path
 *            and the place of the node it is about.
 * Memory     The caller's struct; no allocation but the error's text in reterr. Threads: one owner.
 * Errors     -EINVAL, -ENOTSUP (a key that is known but not served).
 * Used by    api/config.c, api/steps.c.
 */
#ifndef HG_API_READER_H
#define HG_API_READER_H

#include "api/config.h"
#include "api/schema.h"
#include "core/text.h"

struct hg_reader {
	const struct hg_tree *tree;
	hg_config_device_fn check_device; /* NULL: none */
	struct hg_error *err;
	struct hg_text path;
	char path_buf[HG_ERROR_PATH_BYTES];
};

void hg_reader_init(struct hg_reader *reader, const struct hg_tree *tree,
		    hg_config_device_fn check_device, struct hg_error *err);

/* Down to a key or an item; the answer is what leave() takes to come back. */
size_t hg_reader_enter(struct hg_reader *reader, const char *key);
size_t hg_reader_enter_item(struct hg_reader *reader, size_t idx);
void hg_reader_leave(struct hg_reader *reader, size_t before);

/* Completes an error that hg_error_set() has just filled: the path so far goes in front, the node says
 * where. Returns rc. */
int hg_reader_fail(struct hg_reader *reader, const json_t *node, int rc);
/* The same, about the key that the node stands behind. */
int hg_reader_fail_at_key(struct hg_reader *reader, const json_t *node, int rc);

/* The node must be an object with keys of this resource only, none of them not served, all that are
 * required among them. The empty string is an empty object. */
HG_MUST_CHECK int hg_reader_check_keys(struct hg_reader *reader, const struct hg_resource *resource,
				       json_t *node);
/* check_keys, then every value into the struct at base; what is not said stays as it is there. LIST and
 * UPLINK are the caller's. */
HG_MUST_CHECK int hg_reader_read(struct hg_reader *reader, const struct hg_resource *resource,
				 json_t *node, void *base);
/* A list of at most HG_CONFIG_MAX_OF_A_KIND, or nothing at all: NULL and the empty string are empty. */
HG_MUST_CHECK int hg_reader_check_list(struct hg_reader *reader, const json_t *node);
/* The scalar's text, or NULL if it is none. Numbers of JSON are written to buf. */
#define HG_READER_TEXT_BYTES 40
const char *hg_reader_text(const json_t *node, char *buf);

#endif
