#include "control/credit_store.h"

#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define VERSION 1
#define KEEP_POINTS_NS (INT64_C(15) * 24 * 3600 * HG_NS_PER_S)
/* Another process that looks at the database may hold it for a moment. */
#define BUSY_MS 1000

struct hg_credit_store {
	sqlite3 *db;
	sqlite3_stmt *save, *load, *old, *forget, *set_meta, *get_meta, *add_point, *points,
		*drop_points;
	hg_ns dropped_at_wall_ns;
};

/* The numbers of a ledger, in the order of the table's columns. */
#define LEDGER_COLUMNS(X)                       \
	X(earn, cfg.earn_cpu_ns_per_h)          \
	X(max, cfg.max_cpu_ns)                  \
	X(launch, cfg.launch_cpu_ns)            \
	X(surplus_max, cfg.surplus_max_cpu_ns)  \
	X(max_age, cfg.max_age_ns)              \
	X(at, at_ns)                            \
	X(gift, gift_cpu_ns)                    \
	X(earned, earned_cpu_ns)                \
	X(surplus, surplus_cpu_ns)              \
	X(remainder, remainder)                 \
	X(newest_slot, newest_slot)             \
	X(total_earned, totals.earned_cpu_ns)   \
	X(total_gift, totals.gift_cpu_ns)       \
	X(total_used, totals.used_cpu_ns)       \
	X(total_lost, totals.lost_cpu_ns)       \
	X(total_expired, totals.expired_cpu_ns) \
	X(total_charged, totals.charged_cpu_ns) \
	X(total_sent, totals.sent_cpu_ns)       \
	X(total_received, totals.received_cpu_ns)

#define AS_COLUMN(name, member) #name " INTEGER NOT NULL, "
#define AS_NAME(name, member) #name ", "
#define AS_MARK(name, member) "?, "

static const char make_tables[] =
	"BEGIN;"
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
	"CREATE TABLE ledger(name TEXT PRIMARY KEY, " LEDGER_COLUMNS(
		AS_COLUMN) "mode INTEGER NOT NULL, slots TEXT NOT NULL, group_identity INTEGER NOT "
			   "NULL, "
			   "group_used INTEGER NOT NULL, stopped_at INTEGER NOT NULL, keep_stopped "
			   "INTEGER NOT NULL"
			   ") WITHOUT ROWID;"
			   "CREATE TABLE point(name TEXT NOT NULL, wall INTEGER NOT NULL, balance "
			   "INTEGER NOT NULL, "
			   "surplus INTEGER NOT NULL, used INTEGER NOT NULL, earned INTEGER NOT "
			   "NULL, "
			   "charged INTEGER NOT NULL, PRIMARY KEY(name, wall)) WITHOUT ROWID;"
			   "CREATE INDEX point_wall ON point(wall);"
			   "PRAGMA user_version = 1;"
			   "COMMIT;";

/* ---- opening ------------------------------------------------------------------------------------ */

static int fail(struct hg_credit_store *s, struct hg_error *reterr)
{
	const char *path = sqlite3_db_filename(s->db, "main");

	return hg_error_set(reterr, -HG_EIO, "the store of credits ", path == NULL ? "" : path,
			    " cannot be used: ", sqlite3_errmsg(s->db), NULL);
}

static int run(struct hg_credit_store *s, const char *sql, struct hg_error *reterr)
{
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(s, reterr);
}

/* The first column of the first row: a number, or a text that is copied. */
static bool ask(struct hg_credit_store *s, const char *sql, int64_t *ret_number, char *ret_text,
		size_t size)
{
	sqlite3_stmt *statement;
	bool has_row = false;

	if (sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL) != SQLITE_OK)
		return false;
	if (sqlite3_step(statement) == SQLITE_ROW) {
		const unsigned char *text = sqlite3_column_text(statement, 0);

		has_row = true;
		if (ret_number != NULL)
			*ret_number = sqlite3_column_int64(statement, 0);
		if (ret_text != NULL)
			snprintf(ret_text, size, "%s", text == NULL ? "" : (const char *)text);
	}
	sqlite3_finalize(statement);
	return has_row;
}

static int check(struct hg_credit_store *s, const char *path, struct hg_error *reterr)
{
	char verdict[160] = "", number[32];
	int64_t version = 0, n_tables = 0;

	if (!ask(s, "PRAGMA quick_check(1)", NULL, verdict, sizeof(verdict)) ||
	    strcmp(verdict, "ok") != 0)
		return hg_error_set(reterr, -HG_EINVAL, "the store of credits ", path,
				    " is damaged: ",
				    verdict[0] != '\0' ? verdict : sqlite3_errmsg(s->db), NULL);
	if (!ask(s, "PRAGMA user_version", &version, NULL, 0) ||
	    !ask(s, "SELECT count(*) FROM sqlite_schema", &n_tables, NULL, 0))
		return fail(s, reterr);
	if (version == 0 && n_tables == 0)
		return run(s, make_tables, reterr);
	snprintf(number, sizeof(number), "%" PRId64, version);
	if (version != VERSION)
		return hg_error_set(reterr, -HG_EINVAL, "the store of credits ", path,
				    " has version ", number, "; this program knows version 1",
				    NULL);
	return 0;
}

static int prepare(struct hg_credit_store *s, struct hg_error *reterr)
{
	const struct {
		sqlite3_stmt **statement;
		const char *sql;
	} rows[] = {
		{&s->save,
		 "INSERT OR REPLACE INTO ledger(name, " LEDGER_COLUMNS(
			 AS_NAME) "mode, slots, group_identity, group_used, stopped_at, "
				  "keep_stopped) VALUES(?, " LEDGER_COLUMNS(AS_MARK) "?, ?, ?, ?, "
										     "?, ?)"},
		{&s->load,
		 "SELECT " LEDGER_COLUMNS(AS_NAME) "mode, slots, group_identity, group_used, "
						   "stopped_at, keep_stopped FROM ledger WHERE "
						   "name = ?"},
		{&s->old, "SELECT name FROM ledger WHERE at < ?"},
		{&s->forget, "DELETE FROM ledger WHERE name = ?"},
		{&s->set_meta, "INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)"},
		{&s->get_meta, "SELECT value FROM meta WHERE key = ?"},
		{&s->add_point, "INSERT OR REPLACE INTO point VALUES(?, ?, ?, ?, ?, ?, ?)"},
		{&s->points,
		 "SELECT * FROM (SELECT wall, balance, surplus, used, earned, charged FROM point "
		 "WHERE name = ? AND wall >= ? ORDER BY wall DESC LIMIT ?) ORDER BY wall"},
		{&s->drop_points, "DELETE FROM point WHERE wall < ?"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (sqlite3_prepare_v3(s->db, rows[i].sql, -1, SQLITE_PREPARE_PERSISTENT,
				       rows[i].statement, NULL) != SQLITE_OK)
			return fail(s, reterr);
	}
	return 0;
}

static int open_once(const char *path, struct hg_credit_store **ret, struct hg_error *reterr)
{
	struct hg_credit_store *s = calloc(1, sizeof(*s));
	int rc = 0;

	if (s == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for the store of credits", NULL);
	if (sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) !=
	    SQLITE_OK)
		rc = hg_error_set(reterr, -HG_EIO, "cannot open the store of credits ", path, ": ",
				  sqlite3_errmsg(s->db), NULL);
	if (rc == 0) {
		sqlite3_busy_timeout(s->db, BUSY_MS);
		rc = check(s, path, reterr);
	}
	if (rc == 0)
		rc = run(s, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", reterr);
	if (rc == 0)
		rc = prepare(s, reterr);
	if (rc < 0) {
		hg_credit_store_close(s);
		return rc;
	}
	*ret = s;
	return 0;
}

/* Moves what is there out of the way, under a name that says when. */
static int put_aside(const char *path, hg_ns wall_ns, struct hg_error *reterr)
{
	static const char *const ends[] = {"", "-wal", "-shm"};
	time_t seconds = (time_t)(wall_ns / HG_NS_PER_S);
	char date[32], from[4096], to[4200];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y%m%dT%H%M%SZ", &tm);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(from, sizeof(from), "%s%s", path, ends[i]);
		snprintf(to, sizeof(to), "%s.damaged-%s%s", path, date, ends[i]);
		if (rename(from, to) < 0 && errno != ENOENT)
			return hg_error_set(reterr, -HG_EIO, "cannot put ", from, " aside as ", to,
					    ": ", strerror(errno), NULL);
	}
	return 0;
}

int hg_credit_store_open(const char *path, bool want_fresh, hg_ns wall_ns,
			 struct hg_credit_store **ret, struct hg_error *reterr)
{
	struct hg_error ignored = {0};
	int rc = open_once(path, ret, want_fresh ? &ignored : reterr);

	if (rc == 0 || !want_fresh)
		return rc;
	rc = put_aside(path, wall_ns, reterr);
	return rc < 0 ? rc : open_once(path, ret, reterr);
}

void hg_credit_store_close(struct hg_credit_store *store)
{
	if (store == NULL)
		return;
	sqlite3_finalize(store->save);
	sqlite3_finalize(store->load);
	sqlite3_finalize(store->old);
	sqlite3_finalize(store->forget);
	sqlite3_finalize(store->set_meta);
	sqlite3_finalize(store->get_meta);
	sqlite3_finalize(store->add_point);
	sqlite3_finalize(store->points);
	sqlite3_finalize(store->drop_points);
	sqlite3_close(store->db);
	free(store);
}

/* Carries out a statement that returns nothing. */
static int step(struct hg_credit_store *s, sqlite3_stmt *statement, struct hg_error *reterr)
{
	int rc = sqlite3_step(statement) == SQLITE_DONE ? 0 : fail(s, reterr);

	sqlite3_reset(statement);
	return rc;
}

static void bind_text(sqlite3_stmt *statement, int column, const char *text)
{
	sqlite3_bind_text(statement, column, text, -1, SQLITE_TRANSIENT);
}

/* ---- the clock ---------------------------------------------------------------------------------- */

static int set_meta(struct hg_credit_store *s, const char *key, int64_t value,
		    struct hg_error *reterr)
{
	bind_text(s->set_meta, 1, key);
	sqlite3_bind_int64(s->set_meta, 2, value);
	return step(s, s->set_meta, reterr);
}

static int save_clock(struct hg_credit_store *s, const struct hg_stored_clock *clock,
		      struct hg_error *reterr)
{
	int rc;

	if ((rc = set_meta(s, "ledger", clock->ledger_ns, reterr)) < 0 ||
	    (rc = set_meta(s, "monotonic", clock->at.monotonic_ns, reterr)) < 0 ||
	    (rc = set_meta(s, "boot", clock->at.boot_ns, reterr)) < 0 ||
	    (rc = set_meta(s, "wall", clock->at.wall_ns, reterr)) < 0)
		return rc;
	bind_text(s->set_meta, 1, "boot_id");
	bind_text(s->set_meta, 2, clock->at.boot_id);
	return step(s, s->set_meta, reterr);
}

static bool get_meta(struct hg_credit_store *s, const char *key, int64_t *ret_value, char *ret_text,
		     size_t size)
{
	bool has_row;

	bind_text(s->get_meta, 1, key);
	has_row = sqlite3_step(s->get_meta) == SQLITE_ROW;
	if (has_row && ret_value != NULL)
		*ret_value = sqlite3_column_int64(s->get_meta, 0);
	if (has_row && ret_text != NULL)
		snprintf(ret_text, size, "%s", (const char *)sqlite3_column_text(s->get_meta, 0));
	sqlite3_reset(s->get_meta);
	return has_row;
}

int hg_credit_store_clock(struct hg_credit_store *store, struct hg_stored_clock *ret_clock,
			  struct hg_error *reterr)
{
	*ret_clock = (struct hg_stored_clock){.ledger_ns = HG_NEVER};
	if (!get_meta(store, "ledger", &ret_clock->ledger_ns, NULL, 0))
		return 0;
	if (!get_meta(store, "monotonic", &ret_clock->at.monotonic_ns, NULL, 0) ||
	    !get_meta(store, "boot", &ret_clock->at.boot_ns, NULL, 0) ||
	    !get_meta(store, "wall", &ret_clock->at.wall_ns, NULL, 0) ||
	    !get_meta(store, "boot_id", NULL, ret_clock->at.boot_id,
		      sizeof(ret_clock->at.boot_id)) ||
	    ret_clock->ledger_ns < 0)
		return hg_error_set(reterr, -HG_EINVAL,
				    "the store of credits is damaged: its clock is not whole",
				    NULL);
	return 0;
}

/* ---- ledgers ------------------------------------------------------------------------------------ */

/* Numbers with blanks between. */
#define SLOTS_BYTES ((HG_LEDGER_SLOTS + 1u) * 21u)

static void slots_to_text(const struct hg_ledger *ledger, char text[SLOTS_BYTES])
{
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i <= HG_LEDGER_SLOTS; i++)
		n += (size_t)snprintf(text + n, SLOTS_BYTES - n, "%" PRId64 " ",
				      ledger->slots_cpu_ns[i]);
}

static bool slots_from_text(struct hg_ledger *ledger, const char *text)
{
	char *end = NULL;

	if (text == NULL)
		return false;
	for (size_t i = 0; i <= HG_LEDGER_SLOTS; i++, text = end) {
		errno = 0;
		ledger->slots_cpu_ns[i] = strtoll(text, &end, 10);
		if (end == text || errno != 0)
			return false;
	}
	return true;
}

static int save_one(struct hg_credit_store *s, const struct hg_stored *stored,
		    struct hg_error *reterr)
{
	const struct hg_ledger *l = &stored->ledger;
	char slots[SLOTS_BYTES];
	int column = 1;

	slots_to_text(l, slots);
	bind_text(s->save, column++, stored->name);
#define X(name, member) sqlite3_bind_int64(s->save, column++, (int64_t)l->member);
	LEDGER_COLUMNS(X)
#undef X
	sqlite3_bind_int64(s->save, column++, l->cfg.mode);
	bind_text(s->save, column++, slots);
	sqlite3_bind_int64(s->save, column++, (int64_t)stored->group_identity);
	sqlite3_bind_int64(s->save, column++, stored->group_used_cpu_ns);
	sqlite3_bind_int64(s->save, column++, stored->stopped_at_ns);
	sqlite3_bind_int64(s->save, column, stored->keep_stopped_ns);
	return step(s, s->save, reterr);
}

int hg_credit_store_save(struct hg_credit_store *store, const struct hg_stored_clock *clock,
			 const struct hg_stored *const *rows, unsigned n, struct hg_error *reterr)
{
	int rc = run(store, "BEGIN IMMEDIATE", reterr);

	if (rc < 0)
		return rc;
	rc = save_clock(store, clock, reterr);
	for (unsigned i = 0; i < n && rc == 0; i++)
		rc = save_one(store, rows[i], reterr);
	if (rc == 0)
		rc = run(store, "COMMIT", reterr);
	if (rc < 0)
		(void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

static int load_row(sqlite3_stmt *row, struct hg_stored *stored, struct hg_error *reterr)
{
	struct hg_ledger *l = &stored->ledger;
	int column = 0, rc;

#define X(name, member) \
	memcpy(&l->member, &(int64_t){sqlite3_column_int64(row, column++)}, sizeof(int64_t));
	LEDGER_COLUMNS(X)
#undef X
	l->cfg.mode = (enum hg_credit_mode)sqlite3_column_int64(row, column++);
	if (!slots_from_text(l, (const char *)sqlite3_column_text(row, column++)))
		return hg_error_set(reterr, -HG_EINVAL, "its slots are no numbers", NULL);
	stored->group_identity = (uint64_t)sqlite3_column_int64(row, column++);
	stored->group_used_cpu_ns = sqlite3_column_int64(row, column++);
	stored->stopped_at_ns = sqlite3_column_int64(row, column++);
	stored->keep_stopped_ns = sqlite3_column_int64(row, column);
	rc = hg_ledger_check(l, reterr);
	if (rc == 0 && (stored->group_used_cpu_ns < 0 || stored->stopped_at_ns < 0 ||
			stored->keep_stopped_ns < 0))
		rc = hg_error_set(reterr, -HG_EINVAL, "a time in it is below 0", NULL);
	return rc;
}

int hg_credit_store_load(struct hg_credit_store *store, const char *name,
			 struct hg_stored *ret_stored, struct hg_error *reterr)
{
	int rc, found;

	*ret_stored = (struct hg_stored){0};
	snprintf(ret_stored->name, sizeof(ret_stored->name), "%s", name);
	bind_text(store->load, 1, name);
	found = sqlite3_step(store->load);
	if (found == SQLITE_ROW) {
		rc = load_row(store->load, ret_stored, reterr);
		if (rc < 0)
			hg_error_at(reterr, name);
		rc = rc < 0 ? rc : 1;
	} else {
		rc = found == SQLITE_DONE ? 0 : fail(store, reterr);
	}
	sqlite3_reset(store->load);
	return rc;
}

int hg_credit_store_drop(struct hg_credit_store *store, const char *name, struct hg_error *reterr)
{
	bind_text(store->forget, 1, name);
	return step(store, store->forget, reterr);
}

static int forget_old(struct hg_credit_store *s, hg_ns before_ns,
		      bool (*is_kept)(void *user, const char *name), void *user, unsigned *ret_n,
		      struct hg_error *reterr)
{
	int rc, found;

	sqlite3_bind_int64(s->old, 1, before_ns);
	while ((found = sqlite3_step(s->old)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(s->old, 0);

		if (name == NULL || is_kept(user, name))
			continue;
		bind_text(s->forget, 1, name);
		rc = step(s, s->forget, reterr);
		if (rc < 0) {
			sqlite3_reset(s->old);
			return rc;
		}
		++*ret_n;
	}
	rc = found == SQLITE_DONE ? 0 : fail(s, reterr);
	sqlite3_reset(s->old);
	return rc;
}

int hg_credit_store_forget(struct hg_credit_store *store, hg_ns before_ns,
			   bool (*is_kept)(void *user, const char *name), void *user,
			   unsigned *ret_n, struct hg_error *reterr)
{
	unsigned n = 0;
	int rc = run(store, "BEGIN IMMEDIATE", reterr);

	if (rc < 0)
		return rc;
	rc = forget_old(store, before_ns, is_kept, user, &n, reterr);
	if (rc == 0)
		rc = run(store, "COMMIT", reterr);
	if (rc < 0)
		(void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	else
		*ret_n = n;
	return rc;
}

/* ---- history ------------------------------------------------------------------------------------ */

int hg_credit_store_add_point(struct hg_credit_store *store, const char *name,
			      const struct hg_credits_point *point, struct hg_error *reterr)
{
	const int64_t values[] = {point->wall_ns,     point->balance_cpu_ns, point->surplus_cpu_ns,
				  point->used_cpu_ns, point->earned_cpu_ns,  point->charged_cpu_ns};

	bind_text(store->add_point, 1, name);
	for (int i = 0; i < (int)(sizeof(values) / sizeof(values[0])); i++)
		sqlite3_bind_int64(store->add_point, i + 2, values[i]);
	if (point->wall_ns - store->dropped_at_wall_ns > 3600 * HG_NS_PER_S) {
		store->dropped_at_wall_ns = point->wall_ns;
		sqlite3_bind_int64(store->drop_points, 1, point->wall_ns - KEEP_POINTS_NS);
		if (step(store, store->drop_points, reterr) < 0)
			return -HG_EIO;
	}
	return step(store, store->add_point, reterr);
}

int hg_credit_store_points(struct hg_credit_store *store, const char *name, hg_ns since_wall_ns,
			   struct hg_credits_point *ret_points, unsigned n, struct hg_error *reterr)
{
	unsigned n_found = 0;
	int rc;

	bind_text(store->points, 1, name);
	sqlite3_bind_int64(store->points, 2, since_wall_ns);
	sqlite3_bind_int64(store->points, 3, n);
	while ((rc = sqlite3_step(store->points)) == SQLITE_ROW && n_found < n) {
		struct hg_credits_point *p = &ret_points[n_found++];

		p->wall_ns = sqlite3_column_int64(store->points, 0);
		p->balance_cpu_ns = sqlite3_column_int64(store->points, 1);
		p->surplus_cpu_ns = sqlite3_column_int64(store->points, 2);
		p->used_cpu_ns = sqlite3_column_int64(store->points, 3);
		p->earned_cpu_ns = sqlite3_column_int64(store->points, 4);
		p->charged_cpu_ns = sqlite3_column_int64(store->points, 5);
	}
	rc = rc == SQLITE_DONE || rc == SQLITE_ROW ? (int)n_found : fail(store, reterr);
	sqlite3_reset(store->points);
	return rc;
}
