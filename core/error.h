/* error: what went wrong, in a form that a person and a program can both use.
 *
 * Why        A refusal that does not say where, what and what is allowed costs its reader an hour.
 * Model      The caller owns a struct hg_error and passes it as the last parameter, or NULL. The
 *            callee fills it and returns the same negative code. The first error wins, so the struct
 *            is cleared before it is used.
 * Codes      -EINVAL -ENOENT -EEXIST -ENOSPC (does not fit: admission) -EBUSY -EAGAIN -EPERM
 *            -ENOTSUP -ENOMEM -EIO -ETIMEDOUT. Numbers are Linux's; core may not include errno.h.
 * Path       Where in the configuration, as people write it: tenants[0].contract.out.min
 * Memory     No allocation; long text is cut, always terminated.
 * Threads    One owner.
 */
#ifndef HG_CORE_ERROR_H
#define HG_CORE_ERROR_H

#include "core/compiler.h"

#include <stddef.h>
#include <stdint.h>

enum {
	HG_EPERM = 1,
	HG_ENOENT = 2,
	HG_EIO = 5,
	HG_EAGAIN = 11,
	HG_ENOMEM = 12,
	HG_EBUSY = 16,
	HG_EEXIST = 17,
	HG_EINVAL = 22,
	HG_ENOSPC = 28,
	HG_ENOTSUP = 95,
	HG_ETIMEDOUT = 110,
};

#define HG_ERROR_PATH_BYTES 160
#define HG_ERROR_TEXT_BYTES 400
/* Of a device's state, why it is not up: a sentence that names the longest path of a unix socket, 107 bytes, and a
 * program, such as "the socket PATH belongs to NAME (process N), which listens on it" (199). */
#define HG_REASON_BYTES 256

struct hg_error {
	int code; /* 0 or one of the negative codes above */
	char path[HG_ERROR_PATH_BYTES];
	char text[HG_ERROR_TEXT_BYTES]; /* one sentence, no full stop, no line end */
	/* Where in the file, 1-based; 0: not known. Filled by who read the file. */
	uint32_t line;
	uint32_t column;
};

void hg_error_clear(struct hg_error *err);

/* Fills err unless it is NULL or already holds an error, and returns code. The text is put together
 * from the strings that follow, up to a NULL:
 *   return hg_error_set(reterr, -HG_EINVAL, "min is ", a, ", more than max ", b, NULL); */
HG_MUST_CHECK int hg_error_set(struct hg_error *err, int code, ...);

/* Puts `prefix` in front of the path, with a dot between where one is needed: callees name what is
 * theirs ("out.min"), callers where it stood ("tenants[0].contract"). */
void hg_error_at(struct hg_error *err, const char *prefix);
/* The same with "name[idx]"; "[idx]" where there is no name. */
void hg_error_at_index(struct hg_error *err, const char *name, uint32_t idx);

/* "EINVAL" and so on, for JSON; "?" for a code outside the list. */
const char *hg_error_name(int code);

#endif
