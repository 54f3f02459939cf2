/* statefile: what is in force, kept over restarts and crashes.
 *
 * Why        What `headgate apply`, `instance add` and `port attach` change at run time must be there
 *            after a crash, and yet an operator who edits the configuration file must win.
 * Model      A file of the configuration's own text behind a first line that says which content of the
 *            configuration file it was made from (FNV-1a, 64 bits, and its length). At start:
 *              the saved state is used     when the configuration file still has that content;
 *              the configuration file wins when it has another, or nothing was saved, or what was saved
 *                                          cannot be read.
 * Promise    save: atomic and durable. After a crash at any instant the file is the old one or the new
 *            one, whole (written aside, synced, renamed, folder synced).
 * Memory     load: *ret is the caller's, hg_config_destroy(). Threads: any, one writer for a path.
 * Errors     save: -EIO or -EPERM with the path and the system's reason. load: -ENOENT nothing saved;
 *            -EAGAIN made from another content; -EINVAL and others: it cannot be read.
 */
#ifndef HG_API_STATEFILE_H
#define HG_API_STATEFILE_H

#include "api/config.h"

struct hg_source { /* a content of the configuration file */
	uint64_t hash;
	uint64_t n_bytes;
};

struct hg_source hg_statefile_source(const char *text, size_t n_bytes);

HG_MUST_CHECK int hg_statefile_save(const char *path, struct hg_source source,
				    const struct hg_desired *desired, struct hg_error *reterr);
HG_MUST_CHECK int hg_statefile_load(const char *path, struct hg_source source,
				    hg_config_device_fn check_device, struct hg_desired **ret,
				    struct hg_error *reterr);

#endif
