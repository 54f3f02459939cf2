/* credit_store: ledgers that outlive the process and the host's uptime.
 *
 * Why        S6.7: no balance is lost by kill -9, power loss or reboot.
 * Model      SQLite, write-ahead log, synchronous FULL. Tables: meta (clock of the ledgers, boot), ledger (one row
 *            for each name: the ledger as columns, the group's identity and counter up to which use was
 *            booked), history (points of 5 minutes, 15 days).
 * Promise    A save is one transaction: all of it or nothing. What load() returns was checked by hg_ledger_check().
 * Versions   PRAGMA user_version. A newer one, or one that cannot be read or does not pass its checks, is refused
 *            with what is wrong; with want_fresh it is renamed to PATH.damaged-DATE first, which is said.
 * Memory     allocates. Threads: one owner. Cost: save about 10 us a row and one sync.
 * Errors     -EIO with SQLite's words, -EINVAL damaged or newer, -EPERM, -ENOMEM.
 */
#ifndef HG_CONTROL_CREDIT_STORE_H
#define HG_CONTROL_CREDIT_STORE_H

#include "control/credits.h"

struct hg_credit_store;

/* Of one ledger. */
struct hg_stored {
	char name[HG_NAME_BYTES + 8]; /* "instance:web1", "pool:acme" */
	struct hg_ledger ledger;
	uint64_t group_identity; /* 0: it had none */
	int64_t group_used_cpu_ns; /* the group's counter up to which it was booked */
	hg_ns stopped_at_ns; /* ledger clock; when the group went; HG_NEVER: it is there */
	hg_ns keep_stopped_ns;
};

/* Of the ledgers' clock, and when that was true. */
struct hg_stored_clock {
	hg_ns ledger_ns;
	struct hg_clocks at;
};

HG_MUST_CHECK int hg_credit_store_open(const char *path, bool want_fresh, hg_ns wall_ns,
				       struct hg_credit_store **ret, struct hg_error *reterr);
void hg_credit_store_close(struct hg_credit_store *store);

/* ret_clock->ledger_ns is HG_NEVER in a new store. */
HG_MUST_CHECK int hg_credit_store_clock(struct hg_credit_store *store,
					struct hg_stored_clock *ret_clock, struct hg_error *reterr);
/* 1: found; 0: there is none of that name. */
HG_MUST_CHECK int hg_credit_store_load(struct hg_credit_store *store, const char *name,
				       struct hg_stored *ret_stored, struct hg_error *reterr);
/* All of them and the clock, in one transaction. */
HG_MUST_CHECK int hg_credit_store_save(struct hg_credit_store *store,
				       const struct hg_stored_clock *clock,
				       const struct hg_stored *const *rows, unsigned n,
				       struct hg_error *reterr);
/* Deletes the ledger of that name, if there is one. */
HG_MUST_CHECK int hg_credit_store_drop(struct hg_credit_store *store, const char *name,
				       struct hg_error *reterr);
/* Deletes ledgers that were booked last before an instant of the ledgers' clock, but for those that is_kept() says.
 * Returns how many, all in one transaction. */
HG_MUST_CHECK int hg_credit_store_forget(struct hg_credit_store *store, hg_ns before_ns,
					 bool (*is_kept)(void *user, const char *name), void *user,
					 unsigned *ret_n, struct hg_error *reterr);
HG_MUST_CHECK int hg_credit_store_add_point(struct hg_credit_store *store, const char *name,
					    const struct hg_credits_point *point,
					    struct hg_error *reterr);
HG_MUST_CHECK int hg_credit_store_points(struct hg_credit_store *store, const char *name,
					 hg_ns since_wall_ns, struct hg_credits_point *ret_points,
					 unsigned n, struct hg_error *reterr);

#endif
