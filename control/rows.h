/* rows: one row for each contract, closed once a second.
 *
 * Why        The live table, the proof and `explain` all speak of the same seconds.
 * Model      A row keeps the sample at the end of the last second; closing takes a new one, and what lies
 *            between the two is the second. Rows follow their names through changes of the
 *            configuration: a contract that did not change keeps its proof and its second goes on.
 *            A second in which the contract changed is measured, but not judged.
 * Promise    Each closed second adds one to exactly one of kept, missed, stolen of every row that is
 *            older than it and has not changed in it.
 * Memory     Allocates on apply, about 2 KiB a contract. Threads: the control lane.
 * Cost       close: one sample of each direction of each contract; apply: O(n log n).
 * Errors     apply: -ENOMEM, nothing changed.
 */
#ifndef HG_CONTROL_ROWS_H
#define HG_CONTROL_ROWS_H

#include "control/measure.h"

struct hg_row_dir {
	struct hg_dp_flow last; /* at the end of the last second */
	struct hg_measure second;
	struct hg_proof proof;
};

struct hg_row {
	char name[HG_NAME_BYTES];
	struct hg_contract contract;
	hg_ns created_at_ns;
	struct hg_totals carried; /* from other hosts: not in the samples */
	bool has_changed; /* in the second that is open */
	struct hg_row_dir dir[HG_N_DIRS];
};

struct hg_rows {
	struct hg_row *rows; /* by index of the desired state */
	uint32_t n_rows;
};

typedef void (*hg_rows_sample_fn)(struct hg_dp *dp, uint32_t idx, enum hg_dir dir,
				  struct hg_dp_flow *ret);

/* Where the contracts of a kind lie in a desired state. */
struct hg_rows_source {
	const void *first; /* struct hg_desired_tenant or struct hg_desired_instance */
	size_t size; /* of one */
	size_t contract_offset; /* the name is at 0 */
	uint32_t n;
};

void hg_rows_init(struct hg_rows *rows);
void hg_rows_fini(struct hg_rows *rows);

/* Builds the rows of another desired state out of the old ones, without touching those. */
HG_MUST_CHECK int hg_rows_build(const struct hg_rows *old, const struct hg_rows_source *source,
				hg_ns now_ns, struct hg_rows *ret_rows, struct hg_error *reterr);

/* A second to close, for the rows of all tenants first and then for those of all instances. */
struct hg_rows_close {
	struct hg_dp *dp;
	hg_rows_sample_fn sample;
	hg_ns from_ns, now_ns;
	hg_ns stolen_ns;
	const struct hg_desired_instance *instances; /* NULL: the rows are tenants */
	struct hg_room (*rooms)[HG_N_DIRS]; /* of tenants: written for them, read for instances */
};

void hg_rows_close(struct hg_rows *rows, const struct hg_rows_close *close);

/* All that was counted up to `last`, which may be newer than the row's own (NULL: that). */
void hg_rows_totals(const struct hg_row *row, const struct hg_dp_flow *last, hg_ns now_ns,
		    struct hg_totals *ret);
/* A row that was just built goes on from what happened elsewhere. */
void hg_rows_carry(struct hg_row *row, const struct hg_totals *totals, hg_ns now_ns);

/* Rows for the same contracts as those that are there, which go on from the old ones of their names in another
 * process as over a change. Errors as build. */
HG_MUST_CHECK int hg_rows_adopt(const struct hg_rows *rows, const struct hg_row *old,
				uint32_t n_old, hg_ns now_ns, struct hg_rows *ret_rows,
				struct hg_error *reterr);

void hg_rows_status(const struct hg_row *row, hg_ns now_ns, struct hg_status_row *ret);

#endif
