/* config: configuration text to a desired state, and back.
 *
 * Why        Whole files, JSON from the API and single steps go through one validator, so that what one
 *            refuses no other lets in; and what is in force can be written down again.
 * Model      text -> tree (api/yaml.h) -> struct hg_desired, field by field by the table of api/schema.h,
 *            then hg_contract_validate() for each contract and hg_admit() for the whole.
 * Promise    parse(export(x)) == x for every x that parses. What is in force can thus be saved as text
 *            and read at the next start.
 * Errors     The first one, with path, line and column; text says what is allowed and, for a misspelled
 *            word, the nearest match. -EINVAL, -EEXIST (a name twice), -ENOENT (an uplink, a tenant that
 *            is not there), -ENOSPC (admission), -ENOTSUP (a key known but not served), -ENOMEM, -EIO,
 *            -EPERM. hg_config_error_format() puts it into one line for a person.
 * Memory     A state is allocated as a whole and belongs to the caller: hg_config_destroy().
 * Threads    Any; nothing is shared.
 */
#ifndef HG_API_CONFIG_H
#define HG_API_CONFIG_H

#include "api/yaml.h"
#include "core/desired.h"

/* Most of each kind, as the packet lane's. */
#define HG_CONFIG_MAX_OF_A_KIND 65536u

/* Checks a device text ("tap:web1-0"), and whether it can be in a network namespace (NULL: nothing is said of one), and
 * says in reterr what is wrong, as the packet lane's hg_dev_check() does. ret_place, of HG_DEVICE_PLACE_BYTES, holds "" and
 * may get what the device occupies on this host: two of one place are refused, however they are written. NULL: it is not
 * asked. NULL for the function: device texts are taken as they are. */
typedef int (*hg_config_device_fn)(const char *device, const char *netns, char *ret_place,
				   struct hg_error *reterr);

/* -EINVAL too where nothing is written, or only comments: a host without tenants is {}. */
HG_MUST_CHECK int hg_config_parse(const char *text, size_t n_bytes,
				  hg_config_device_fn check_device, struct hg_desired **ret,
				  struct hg_error *reterr);
/* The same for a tree. Lines are known as far as the tree has them. in_force, for a step from there (NULL: none): two
 * devices of one place that are both in it are let be, since whoever can make a symbolic link beside one guest's socket
 * must not keep all others from being changed. */
HG_MUST_CHECK int hg_config_from_tree(const struct hg_tree *tree, hg_config_device_fn check_device,
				      const struct hg_desired *in_force, struct hg_desired **ret,
				      struct hg_error *reterr);
/* All but admission: for comparing with what may not fit beside what is in force. */
HG_MUST_CHECK int hg_config_read(const struct hg_tree *tree, hg_config_device_fn check_device,
				 struct hg_desired **ret, struct hg_error *reterr);
/* Reads a whole file of up to HG_YAML_MAX_BYTES. "-" is standard input. The
 * caller frees *ret_text with free(); it is not terminated. */
HG_MUST_CHECK int hg_config_read_file(const char *path, char **ret_text, size_t *ret_n_bytes,
				      struct hg_error *reterr);
/* The same for a regular file only, which is read without waiting for anybody: a pipe into which nobody writes must not
 * hold up a daemon. */
HG_MUST_CHECK int hg_config_read_now(const char *path, char **ret_text, size_t *ret_n_bytes,
				     struct hg_error *reterr);
/* Reads and parses a file. */
HG_MUST_CHECK int hg_config_load_file(const char *path, hg_config_device_fn check_device,
				      struct hg_desired **ret, struct hg_error *reterr);

/* A state with nothing in it, as of an empty file. NULL: no memory. */
struct hg_desired *hg_config_create(void);
/* NULL: no memory. */
struct hg_desired *hg_config_copy(const struct hg_desired *desired);
void hg_config_destroy(struct hg_desired *desired);
bool hg_config_equal(const struct hg_desired *a, const struct hg_desired *b);

/* Canonical: table order, defaults left out. The caller json_decref()s or free()s. */
HG_MUST_CHECK int hg_config_export_json(const struct hg_desired *desired, json_t **ret,
					struct hg_error *reterr);
HG_MUST_CHECK int hg_config_export_yaml(const struct hg_desired *desired, char **ret_text,
					size_t *ret_n_bytes, struct hg_error *reterr);

/* What differs, as an array of objects, each with `op` ("add", "remove", "change"), `kind`, `name`,
 * `path`, `from` and `to` (change only), and `line`, the sentence for a person:
 *   tenants.acme.instances.web1.contract.out.max: 5Gbit -> 2Gbit
 *   + instance web2 (tenant acme)
 * Empty: the two are the same. Things are matched by name; their order does not count. */
HG_MUST_CHECK int hg_config_diff(const struct hg_desired *from, const struct hg_desired *to,
				 json_t **ret, struct hg_error *reterr);

/* One paragraph: how much of everything, and for each uplink its guarantees against its capacity. Cut to
 * size, always terminated. Returns buf. */
char *hg_config_summary(const struct hg_desired *desired, char *buf, size_t size);

/* "FILE:LINE:COLUMN: PATH: sentence", with the parts that are known; file may be NULL. Returns buf. */
char *hg_config_error_format(const struct hg_error *err, const char *file, char *buf, size_t size);

#endif
