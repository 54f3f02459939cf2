/* credits: processor credits of this host's instances, as they run.
 *
 * Why        S6: core/ledger says what is owed, core/share what may be had now, host/cgroup carries it out. This
 *            is the loop between them, and the memory that outlives it.
 * Model      Each governed instance is a row: a control group, a ledger (its own or its tenant's pool's), and a
 *            grant. tick() visits those that are due:
 *              read use -> charge the ledger -> divide (core/share) -> write the limits that changed
 *            Who has plenty is due when it could come near its end at full speed, at most 1 s from now; who glides,
 *            every interval (100 ms), and exactly when its credits end. A host is full when its instances use 95 %
 *            of what they may together; then use says little of demand, and whoever uses more than half of its
 *            baseline is taken to want all it may have.
 *            Which limit is worth a write is core/hold's: hardly any once who has no credits rests at its baseline.
 *            On a full host who begins to burst is seen at the next look, at most 1 s later; until then baselines
 *            are kept by the scheduler's weights, and who has plenty and uses less than half of its baseline stays
 *            open: a limit would be written to all of them each time that the host fills up, and hold nobody.
 * Clock      Ledgers live on a clock of their own: it goes on with the host's (suspended time counted or not, as
 *            said), over restarts by the clock of the same boot, over reboots by the wall's, never back.
 * Store      SQLite (control/credit_store.h). Saved: every 10 s those that changed, and at once what somebody
 *            asked for (grants, transfers, changes). What was used since is not lost either: the group's own
 *            counter goes on, and is booked from where the store left off. After a reboot counters begin anew:
 *            then up to 10 s of use are not booked, in the tenant's favour.
 * Faults     A group that is not there (yet, or any more) leaves its row waiting, with the reason; it is looked for
 *            every second. A quota that the kernel refuses is said once and tried again. No row's fault touches
 *            another's. Without a store that can be used nothing is governed, and why is said, until a fresh one
 *            is asked for.
 * Stop       destroy() leaves each group at its baseline or open, as configured, and says which.
 * Time       now_ns is the monotonic clock; the other clocks come from cfg->clocks. Memory: allocates.
 * Threads    The control lane. Cost: 2 us for each that is due, 8 us for each limit written.
 * Errors     -EINVAL -ENOENT -ENOSPC -EIO with reterr.
 */
#ifndef HG_CONTROL_CREDITS_H
#define HG_CONTROL_CREDITS_H

#include "control/control.h"
#include "core/ledger.h"
#include "core/share.h"

#define HG_CREDITS_INTERVAL_NS (100 * HG_NS_PER_MS)
#define HG_CREDITS_KEEP_REMOVED_NS (INT64_C(30) * 24 * 3600 * HG_NS_PER_S)

struct hg_credits;

/* What time it is, by every clock that matters. */
struct hg_clocks {
	hg_ns monotonic_ns; /* stands still while the host is suspended */
	hg_ns boot_ns; /* goes on then */
	hg_ns wall_ns; /* can be set */
	char boot_id[40]; /* another one after each boot */
};

struct hg_credits_cfg {
	const char *root; /* of the host's files; "" : this host */
	const char *store; /* path of the database; NULL: balances live as long as the process */
	bool want_fresh_store; /* a damaged one is put aside, and a new one begun */
	bool is_suspended_counted; /* time in which the host was suspended earns */
	hg_ns interval_ns; /* HG_CREDITS_INTERVAL_NS */
	hg_ns keep_removed_ns; /* balances of those that went; in (0, ...], HG_NEVER: for ever */
	uint64_t host_mcpu; /* where the configuration says `all` */
	void (*clocks)(void *user, struct hg_clocks *ret);
	void (*log)(void *user, enum hg_log_level level, const char *sentence);
	void *user;
};

enum hg_credits_state {
	HG_CREDITS_OPEN = 0, /* no limit */
	HG_CREDITS_GLIDING, /* between full speed and the baseline */
	HG_CREDITS_BASELINE, /* at the baseline: no credits */
	HG_CREDITS_HOST, /* the host is full of bursts */
	HG_CREDITS_WAITING, /* its control group is not there */
	HG_CREDITS_FAILING, /* its control group cannot be read or written */
	HG_CREDITS_OBSERVED, /* mode: observe; nothing is written */
	HG_N_CREDITS_STATES
};
const char *hg_credits_state_name(enum hg_credits_state state);

/* One governed instance, or a pool. Credits in ns of processor time. */
struct hg_credits_row {
	const char *name; /* of the instance, or of the tenant whose pool it is */
	bool is_pool, is_pooled;
	enum hg_credits_state state;
	hg_ns state_since_wall_ns;
	char reason[160]; /* of WAITING and FAILING */
	char cgroup[256]; /* its folder, where it was found */
	uint64_t baseline_mcpu, ceiling_mcpu;
	uint64_t used_mcpu; /* over the last interval that was looked at */
	uint64_t limit_mcpu; /* HG_SHARE_OPEN: none */
	uint64_t throttled; /* periods in which the kernel held it */
	hg_ns throttled_ns;
	uint64_t limit_writes;
	struct hg_ledger ledger; /* as booked; of a pooled instance the pool's */
	int64_t balance_cpu_ns;
	hg_ns exhausted_in_ns; /* forecast at the present use; HG_NEVER */
	bool is_alarmed; /* below alarm_below */
};

HG_MUST_CHECK int hg_credits_create(const struct hg_credits_cfg *cfg, struct hg_credits **ret,
				    struct hg_error *reterr);
void hg_credits_destroy(struct hg_credits *credits);
/* Saves everything; from then on nothing is booked or written, and destroy() leaves groups as they are: another
 * process goes on with them. false: it does not, and this one goes on as if nothing had been. */
HG_MUST_CHECK int hg_credits_rest(struct hg_credits *credits, bool is_resting, hg_ns now_ns,
				  struct hg_error *reterr);
/* What the wall's clock says: histories and instants of rows are on it. */
hg_ns hg_credits_wall_ns(struct hg_credits *credits);
/* Empty, or why nothing is governed. */
const char *hg_credits_fault(const struct hg_credits *credits);

/* Whether the baselines fit the host. */
HG_MUST_CHECK int hg_credits_check(const struct hg_credits *credits,
				   const struct hg_desired *desired, struct hg_error *reterr);
/* Another desired state: rows come, go and change; balances stay. Those that went stay in the store
 * for cfg.keep_removed_ns, so that one that was removed by mistake gets its balance back, and are deleted then (looked
 * for each hour, counted, and said); who comes back later than its terms keep its balance begins anew. */
HG_MUST_CHECK int hg_credits_apply(struct hg_credits *credits, const struct hg_desired *desired,
				   hg_ns now_ns, struct hg_error *reterr);
/* Does what is due; returns when to call it again. */
hg_ns hg_credits_tick(struct hg_credits *credits, hg_ns now_ns);

uint32_t hg_credits_n_rows(const struct hg_credits *credits);
/* By number, or by name; false: there is none. Booked up to the last visit. */
bool hg_credits_row(struct hg_credits *credits, uint32_t idx, struct hg_credits_row *ret_row);
bool hg_credits_find(struct hg_credits *credits, const char *name, struct hg_credits_row *ret_row);

/* Saved before they return. n_cpu_ns > 0. -ENOENT: no such row. */
HG_MUST_CHECK int hg_credits_grant(struct hg_credits *credits, const char *name, int64_t n_cpu_ns,
				   struct hg_error *reterr);
HG_MUST_CHECK int hg_credits_transfer(struct hg_credits *credits, const char *from, const char *to,
				      int64_t n_cpu_ns, struct hg_error *reterr);

/* ---- an instance on its way from host to host ---- */

/* Opens what it needs, if nobody was governed yet. Returns what fault() does. */
const char *hg_credits_ready(struct hg_credits *credits);
/* What an instance holds, booked up to now. *ret_has false: nothing of its own; it is not governed, or shares a pool. */
HG_MUST_CHECK int hg_credits_carry(struct hg_credits *credits, const char *name, hg_ns now_ns,
				   bool *ret_has, struct hg_ledger_saved *ret,
				   struct hg_error *reterr);
/* After the apply() that removed whom carry() told of: *ret becomes what it held when it went, and the store's row is empty
 * when this returns. On error the row is as it was, as far as the store can tell, and *ret must not be handed out.
 * A crash before this leaves the balance in the store, where whoever comes back finds it; after it the balance is in
 * *ret alone. */
HG_MUST_CHECK int hg_credits_take_away(struct hg_credits *credits, const char *name,
				       struct hg_ledger_saved *ret, struct hg_error *reterr);
/* The apply() in which the instance is new gives it this, in place of launch credits and of what the store has of an
 * earlier one of its name, in the transaction in which it is stored first. What its group used before is not booked.
 * saved: the caller's, until arrived(). -EIO: nothing is governed, and why. */
HG_MUST_CHECK int hg_credits_expect(struct hg_credits *credits, const char *name,
				    const struct hg_ledger_saved *saved, struct hg_error *reterr);
/* false: the change was taken back; the store has again what it had of that name. */
void hg_credits_arrived(struct hg_credits *credits, bool is_in_force);

/* What happened: one row each 5 minutes, kept for 15 days. */
struct hg_credits_point {
	hg_ns wall_ns;
	int64_t balance_cpu_ns, surplus_cpu_ns;
	int64_t used_cpu_ns, earned_cpu_ns, charged_cpu_ns; /* since the point before */
};
/* Up to n of the latest points not before since_wall_ns, the oldest first; returns how many, or an error. */
HG_MUST_CHECK int hg_credits_history(struct hg_credits *credits, const char *name,
				     hg_ns since_wall_ns, struct hg_credits_point *ret_points,
				     unsigned n, struct hg_error *reterr);

/* The cost of the loop itself. */
struct hg_credits_cost {
	uint64_t ticks, visits, limit_writes, saves;
	uint64_t forgotten; /* balances of those that went, deleted */
};
void hg_credits_cost(const struct hg_credits *credits, struct hg_credits_cost *ret);

#endif
