/* text: reads the text that names a device.
 *
 * Why        One grammar for all drivers, so that parameters look the same everywhere and a mistake is
 *            answered with what is allowed.
 * Model      device  = driver [ params ] ":" name | wrapper [ params ] "+" device
 *            params  = "(" [ key "=" value { "," key "=" value } ] ")"
 *            A name has no spaces; keys are lower-case letters, digits and "_".
 * Memory     The result points into the text for name and inner; the rest is copied. No allocation.
 * Units      those of core/units.h, as text. Threads: any.
 * Errors     -EINVAL with reterr, nothing written.
 * Used by    drivers/registry.c, every driver's check and open.
 */
#ifndef HG_DRIVERS_TEXT_H
#define HG_DRIVERS_TEXT_H

#include "core/error.h"
#include "core/units.h"

/* Longer than any driver's name, key and value that means something. */
#define HG_DEV_WORD_BYTES 24
#define HG_DEV_VALUE_BYTES 128 /* the name of a file */
#define HG_DEV_PARAMS_MAX 24

struct hg_dev_text {
	char driver[HG_DEV_WORD_BYTES];
	const char *name; /* behind the colon; NULL for a wrapper */
	const char *inner; /* behind the plus sign; NULL but for a wrapper */
	unsigned n_params;
	struct {
		char key[HG_DEV_WORD_BYTES];
		char value[HG_DEV_VALUE_BYTES];
	} params[HG_DEV_PARAMS_MAX];
};

HG_MUST_CHECK int hg_dev_text_parse(const char *device, struct hg_dev_text *ret_text,
				    struct hg_error *reterr);

/* Refuses keys that are not in the list (ended by NULL), with the list and the nearest match. */
HG_MUST_CHECK int hg_dev_text_allow(const struct hg_dev_text *text, const char *const *keys,
				    struct hg_error *reterr);

/* The value of a key, or NULL if it was not given. */
const char *hg_dev_text_param(const struct hg_dev_text *text, const char *key);

/* Reads a whole number in [lo, hi]; without the key *ret keeps what it has. */
HG_MUST_CHECK int hg_dev_text_number(const struct hg_dev_text *text, const char *key, uint64_t lo,
				     uint64_t hi, uint64_t *ret, struct hg_error *reterr);

/* Reads one word of a list (ended by NULL) as its index; without the key *ret keeps what it has. */
HG_MUST_CHECK int hg_dev_text_choice(const struct hg_dev_text *text, const char *key,
				     const char *const *words, unsigned *ret,
				     struct hg_error *reterr);

/* For drivers on an interface of the kernel: no parameters, and a name that an interface may have
 * (1 to 15 bytes, none of them '/', ':' or a space, not "." or ".."). */
HG_MUST_CHECK int hg_dev_text_check_interface(const char *device, struct hg_error *reterr);

/* The word of the list (ended by NULL) with the fewest edits from `word`, if there are at most 3 and
 * no more than half its letters; else NULL. */
const char *hg_dev_text_nearest(const char *word, const char *const *words);

#endif
