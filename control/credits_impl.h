/* credits_impl: what control/credits*.c share; not for others. */
#ifndef HG_CONTROL_CREDITS_IMPL_H
#define HG_CONTROL_CREDITS_IMPL_H

#include "control/credit_store.h"
#include "control/credits.h"
#include "control/names.h"
#include "core/cpu.h"
#include "core/hold.h"
#include "host/cgroup.h"

/* A ledger with what is stored beside it: an instance's, or a pool's. */
struct hg_credit_account {
	struct hg_stored stored;
	struct hg_cpu_terms terms;
	struct hg_ledger_totals at_point; /* when the last point of history was made */
	bool is_dirty; /* since it was saved */
	bool is_alarmed;
	uint32_t n_bursting; /* of a pool: members that use more than half of their baseline */
};

struct hg_credit_row {
	char name[HG_NAME_BYTES];
	struct hg_cpu cpu;
	struct hg_credit_account own; /* of a pooled one its ledger rests */
	uint32_t pool_idx; /* UINT32_MAX: none */
	struct hg_cgroup *group; /* NULL: not there */
	enum hg_credits_state state;
	hg_ns state_since_wall_ns;
	char reason[160];
	bool is_observed;
	hg_ns looked_at_ns; /* when use was read last; 0: never */
	hg_ns due_ns;
	hg_ns step_ns; /* from one look to the next while nothing changes */
	uint64_t used_mcpu;
	struct hg_hold hold;
};

struct hg_credit_pool {
	char name[HG_NAME_BYTES]; /* of the tenant */
	struct hg_credit_account account;
};

/* Who comes from another host with the next change. */
struct hg_credit_arrival {
	char name[HG_NAME_BYTES]; /* "": nobody */
	const struct hg_ledger_saved *saved;
	bool has_before;
	struct hg_stored before; /* what the store had of that name */
};

struct hg_credits {
	struct hg_credits_cfg cfg;
	char fault[HG_ERROR_TEXT_BYTES];
	struct hg_cgroups *groups;
	struct hg_credit_store *store;
	uint64_t host_mcpu;

	struct hg_credit_row *rows;
	struct hg_credit_pool *pools;
	uint32_t n_rows, n_pools;
	struct hg_names row_names, pool_names;
	/* Of the division: one of each for each row. */
	struct hg_share_ask *asks;
	struct hg_share_grant *grants;
	uint32_t *scratch, *asking;

	/* The ledgers' clock: base + (the host's clock - host_base). */
	hg_ns ledger_base_ns, host_base_ns;
	struct hg_clocks clocks; /* as of the call that is being served */
	hg_ns save_at_ns, point_at_wall_ns;
	hg_ns forget_at_ns; /* ledger clock */
	bool is_full; /* the host */
	bool is_open; /* groups and store were opened, or could not be */
	bool is_resting; /* another process goes on with the groups */
	struct hg_credit_arrival arrival;
	struct hg_credits_cost cost;
};

/* Reads the clocks; returns the ledgers' instant. */
hg_ns hg_credits_read_clocks(struct hg_credits *c);
hg_ns hg_credits_ledger_now(const struct hg_credits *c);
struct hg_credit_account *hg_credits_account_of(struct hg_credits *c, struct hg_credit_row *row);
void hg_credits_say(struct hg_credits *c, enum hg_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Opens groups and store, once: a host without governed instances needs neither. What fails is a fault. */
void hg_credits_open(struct hg_credits *c);
/* Saves what changed, or all of it. */
HG_MUST_CHECK int hg_credits_save(struct hg_credits *c, bool want_all, struct hg_error *reterr);
/* Deletes what was kept of those that went for longer than cfg.keep_removed_ns. */
void hg_credits_forget(struct hg_credits *c);
/* Makes a point of history of every account. */
void hg_credits_make_points(struct hg_credits *c);
/* The account of the one that arrives, under its terms. found: the store had one of its name. */
void hg_credits_settle(struct hg_credits *c, struct hg_stored *stored,
		       const struct hg_cpu_terms *terms, bool found);
/* Reads a row's use and books it; finds its group if it has none. */
void hg_credits_visit(struct hg_credits *c, struct hg_credit_row *row, hg_ns now_ns);
void hg_credits_set_state(struct hg_credits *c, struct hg_credit_row *row,
			  enum hg_credits_state state);

#endif
