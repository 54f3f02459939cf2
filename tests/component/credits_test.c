/* Balances: spent, shared, moved, shown; and what survives what. */
#include "tests/component/credits_world.h"

#include <signal.h>
#include <sys/resource.h>

/* ---- spending ----------------------------------------------------------------------------------- */

static void s6_2_the_door_is_open_while_credits_last(void)
{
	begin_with(1);
	grant("web0", 30 * S);
	run(S);
	HG_CHECK_EQ(limit_of(0), UINT64_MAX);
	HG_CHECK_EQ(row("web0").state, HG_CREDITS_OPEN);
	/* A burst is under way before the loop has looked even once. */
	w.wants_mcpu[0] = 1000;
	kernel(90 * MS);
	HG_CHECK_EQ(w.used_cpu_ns[0], 90 * MS);
	run(10 * S);
	HG_CHECK_EQ(row("web0").state, HG_CREDITS_OPEN);
	end();
}

/* What was used is what was entitled: credits and earnings, to 0.1 %, and no jump on the way down. */
static void s6_3_spends_all_and_glides_to_the_baseline(void)
{
	int64_t entitled;
	uint64_t before = UINT64_MAX;

	begin_with(1);
	grant("web0", 20 * S);
	w.wants_mcpu[0] = 1000;
	for (unsigned i = 0; i < 600; i++) {
		run(100 * MS);
		HG_CHECK(limit_of(0) <= before || limit_of(0) < 206);
		before = limit_of(0);
	}
	entitled = 20 * S + 60 * S / 5;
	HG_CHECK_BETWEEN(w.used_cpu_ns[0], entitled - entitled / 1000, entitled + entitled / 1000);
	HG_CHECK_EQ(row("web0").state, HG_CREDITS_BASELINE);
	HG_CHECK_BETWEEN(limit_of(0), 196, 204);
	HG_CHECK_HAS(w.said, "web0 is held at its baseline");
	end();
}

static void s6_6_baselines_are_kept_when_bursts_ask_for_more_than_there_is(void)
{
	int64_t before[4];

	begin_with(4);
	w.instances[0].cpu.weight = 3;
	apply();
	for (unsigned i = 0; i < 3; i++) {
		char name[8];

		snprintf(name, sizeof(name), "web%u", i);
		grant(name, 1000 * S);
		w.wants_mcpu[i] = 1000;
	}
	w.wants_mcpu[3] = 1000; /* without credits */
	run(5 * S);
	memcpy(before, w.used_cpu_ns, sizeof(before));
	run(10 * S);
	/* 2 processors: 0.2 to each, and 1.2 to the three with credits, 3 to 1 to 1, and at most 1. */
	HG_CHECK_BETWEEN(w.used_cpu_ns[3] - before[3], 19 * S / 10, 21 * S / 10);
	HG_CHECK_BETWEEN(w.used_cpu_ns[0] - before[0], 89 * S / 10, 93 * S / 10);
	HG_CHECK_BETWEEN(w.used_cpu_ns[1] - before[1], 42 * S / 10, 46 * S / 10);
	HG_CHECK_EQ(row("web0").state, HG_CREDITS_HOST);
	/* What was not served was not charged. */
	HG_CHECK_EQ(1000 * S + (int64_t)row("web1").ledger.totals.earned_cpu_ns - w.used_cpu_ns[1],
		    row("web1").balance_cpu_ns);
	w.wants_mcpu[0] = w.wants_mcpu[1] = 0;
	run(3 * S);
	HG_CHECK_EQ(row("web2").state, HG_CREDITS_OPEN);
	end();
}

static void s6_9_unlimited_is_open_and_owes(void)
{
	begin_with(1);
	w.instances[0].cpu.credits.mode = HG_CPU_UNLIMITED;
	w.instances[0].cpu.credits.surplus_max_ucredits = 100000; /* 6 s */
	apply();
	w.wants_mcpu[0] = 1000;
	run(20 * S);
	HG_CHECK_EQ(limit_of(0), UINT64_MAX);
	HG_CHECK_EQ(row("web0").ledger.surplus_cpu_ns, 6 * S);
	HG_CHECK_BETWEEN(row("web0").ledger.totals.charged_cpu_ns, 9 * S, 10 * S);
	end();
}

static void s6_10_pooled_instances_share_one_balance(void)
{
	begin_with(2);
	w.instances[0].cpu.is_pooled = w.instances[1].cpu.is_pooled = true;
	apply();
	grant("acme", 12 * S);
	w.wants_mcpu[0] = 1000;
	run(10 * S);
	/* It alone used up what both earned, and the gift. */
	HG_CHECK_BETWEEN(w.used_cpu_ns[0], 9 * S, 10 * S);
	HG_CHECK_EQ(row("web1").balance_cpu_ns, row("acme").balance_cpu_ns);
	HG_CHECK(row("acme").is_pool);
	w.wants_mcpu[1] = 1000;
	run(50 * S);
	HG_CHECK_BETWEEN(w.used_cpu_ns[0] + w.used_cpu_ns[1], 36 * S - S / 10, 36 * S + S / 10);
	end();
}

static void s6_11_transfer_moves_credits_at_once(void)
{
	struct hg_error err = {0};

	begin_with(2);
	grant("web0", 50 * S);
	HG_CHECK_EQ(hg_credits_transfer(w.credits, "web0", "web1", 30 * S, &err), 0);
	HG_CHECK_EQ(row("web0").balance_cpu_ns, 20 * S);
	HG_CHECK_EQ(row("web1").balance_cpu_ns, 30 * S);
	HG_CHECK_EQ(hg_credits_transfer(w.credits, "web0", "web1", 30 * S, &err), -HG_ENOSPC);
	HG_CHECK_EQ(hg_credits_transfer(w.credits, "web0", "web0", S, NULL), -HG_EINVAL);
	HG_CHECK_EQ(hg_credits_transfer(w.credits, "web0", "nobody", S, NULL), -HG_ENOENT);
	HG_CHECK_EQ(hg_credits_grant(w.credits, "web0", -5, NULL), -HG_EINVAL);
	end();
}

static void s6_12_alarm_and_forecast(void)
{
	begin_with(1);
	w.instances[0].cpu.credits.alarm_below_ucredits = 250000; /* 15 s */
	apply();
	grant("web0", 40 * S);
	run(S);
	w.n_warnings = 0;
	w.wants_mcpu[0] = 1000;
	run(2 * S);
	/* 38.4 s at 0.8 a second. */
	HG_CHECK_BETWEEN(row("web0").exhausted_in_ns, 46 * S, 50 * S);
	HG_CHECK(!row("web0").is_alarmed);
	run(35 * S);
	HG_CHECK(row("web0").is_alarmed);
	HG_CHECK_EQ(w.n_warnings, 1);
	HG_CHECK_HAS(w.said, "below 0.25");
	w.wants_mcpu[0] = 0;
	run(60 * S);
	HG_CHECK(!row("web0").is_alarmed);
	end();
}

/* ---- surviving ---------------------------------------------------------------------------------- */

static void s6_7_use_while_nobody_looked_is_booked(void)
{
	int64_t balance;

	begin_with(1);
	grant("web0", 60 * S);
	run(S);
	balance = row("web0").balance_cpu_ns;
	stop();
	/* A minute without the daemon. */
	w.used_cpu_ns[0] += 30 * S;
	put_use(0);
	pass(60 * S);
	start(false);
	apply();
	run(MS);
	HG_CHECK_BETWEEN(row("web0").balance_cpu_ns, balance + 12 * S - 30 * S - MS,
			 balance + 12 * S - 30 * S + MS);
	end();
}

/* Copies what is on the disk in the middle of things: the process is gone from one instant to the next. */
static void kill_and_start(void)
{
	char command[512];

	snprintf(command, sizeof(command), "mkdir %s/k && cp %s* %s/k/", w.root, w.store, w.root);
	HG_CHECK_EQ(system(command), 0);
	hg_credits_destroy(w.credits);
	snprintf(command, sizeof(command), "cp -f %s/k/* %s/ && rm -r %s/k", w.root, w.root,
		 w.root);
	HG_CHECK_EQ(system(command), 0);
	start(false);
	apply();
}

static void s6_7_nothing_is_lost_when_the_process_is_killed(void)
{
	int64_t balance;

	begin_with(1);
	grant("web0", 60 * S);
	w.wants_mcpu[0] = 500;
	run(17 * S); /* saved at 10 s or so; used since then */
	balance = row("web0").balance_cpu_ns;
	kill_and_start();
	run(MS);
	HG_CHECK_BETWEEN(row("web0").balance_cpu_ns, balance - 2 * MS, balance + 2 * MS);
	end();
}

static void s6_7_a_clock_that_is_set_changes_nothing(void)
{
	int64_t balance;

	begin_with(1);
	grant("web0", 60 * S);
	run(5 * S);
	balance = row("web0").balance_cpu_ns;
	w.clocks.wall_ns -= 365 * 86400 * S;
	run(5 * S);
	HG_CHECK_EQ(row("web0").balance_cpu_ns, balance + S);
	w.clocks.wall_ns += 3650 * 86400 * S;
	run(5 * S);
	HG_CHECK_EQ(row("web0").balance_cpu_ns, balance + 2 * S);
	stop();
	w.clocks.wall_ns -= 86400 * S;
	pass(5 * S);
	start(false);
	apply();
	run(MS);
	HG_CHECK_BETWEEN(row("web0").balance_cpu_ns, balance + 3 * S, balance + 3 * S + MS);
	end();
}

static void s6_7_a_reboot_keeps_balances_and_earns_by_the_wall(void)
{
	int64_t balance;

	begin_with(1);
	grant("web0", 60 * S);
	run(5 * S);
	balance = row("web0").balance_cpu_ns;
	stop();
	drop_group(0);
	w.used_cpu_ns[0] = 0;
	make_group(0);
	strcpy(w.clocks.boot_id, "boot-2");
	pass(100 * S);
	w.clocks.monotonic_ns = w.clocks.boot_ns = 20 * S;
	w.used_cpu_ns[0] = 3 * S; /* since the boot */
	put_use(0);
	start(false);
	apply();
	run(MS);
	HG_CHECK_BETWEEN(row("web0").balance_cpu_ns, balance + 17 * S - MS, balance + 17 * S + MS);
	end();
}

static void s6_7_suspended_time_counts_as_the_operator_says(void)
{
	int64_t balance;

	begin_with(1);
	run(5 * S);
	apply();
	balance = row("web0").balance_cpu_ns;
	w.clocks.boot_ns += 3600 * S;
	w.clocks.wall_ns += 3600 * S;
	run(5 * S);
	apply();
	HG_CHECK_EQ(row("web0").balance_cpu_ns, balance + S);
	end();
}

static void s6_7_a_group_made_again_goes_on_with_its_balance(void)
{
	int64_t balance;

	begin_with(1);
	grant("web0", 60 * S);
	w.wants_mcpu[0] = 1000;
	run(5 * S);
	balance = row("web0").balance_cpu_ns;
	drop_group(0);
	pass(30 * S);
	(void)hg_credits_tick(w.credits, w.clocks.monotonic_ns);
	HG_CHECK_EQ(row("web0").state, HG_CREDITS_WAITING);
	HG_CHECK_HAS(row("web0").reason, "g0");
	w.used_cpu_ns[0] = 0;
	make_group(0);
	w.wants_mcpu[0] = 0;
	run(2 * S);
	HG_CHECK_EQ(row("web0").state, HG_CREDITS_OPEN);
	HG_CHECK_BETWEEN(row("web0").balance_cpu_ns, balance, balance + 2 * S);
	end();
}

static void s6_4_a_new_machine_is_given_its_launch_credits_again(void)
{
	begin_with(1);
	w.instances[0].cpu.credits.launch_ucredits = 500000; /* 30 s */
	w.instances[0].cpu.keep_stopped_ns = 0;
	w.desired.n_instances = 0;
	apply();
	w.desired.n_instances = 1;
	stop();
	unlink(w.store);
	start(false);
	apply();
	HG_CHECK_EQ(row("web0").ledger.gift_cpu_ns, 30 * S);
	w.wants_mcpu[0] = 1000;
	run(20 * S);
	HG_CHECK_BETWEEN(row("web0").ledger.gift_cpu_ns, 10 * S - MS, 10 * S + MS);
	drop_group(0);
	pass(5 * S);
	(void)hg_credits_tick(w.credits, w.clocks.monotonic_ns);
	w.used_cpu_ns[0] = 0;
	make_group(0);
	pass(2 * S);
	w.wants_mcpu[0] = 0;
	run(S);
	HG_CHECK_EQ(row("web0").ledger.gift_cpu_ns, 30 * S);
	end();
}

#define DAY (86400 * S)

/* Removes the second of two, lets days pass, and brings it back. */
static void remove_for(hg_ns for_ns)
{
	w.desired.n_instances = 1;
	apply();
	for (unsigned i = 0; i < 2; i++) { /* a look in between, and one at the end */
		pass(for_ns / 2);
		run(11 * S);
	}
	w.desired.n_instances = 2;
	apply();
}

static void s6_7_who_was_removed_by_mistake_gets_its_balance_back(void)
{
	struct hg_credits_cost cost;

	begin_with(2);
	grant("web1", 60 * S);
	run(5 * S);
	remove_for(29 * DAY);
	HG_CHECK_BETWEEN(row("web1").ledger.gift_cpu_ns, 60 * S, 60 * S);
	hg_credits_cost(w.credits, &cost);
	HG_CHECK_EQ(cost.forgotten, 0);
	run(5 * S);
	/* Ten seconds at a fifth: nothing was earned while it was gone. */
	HG_CHECK_BETWEEN(row("web1").ledger.earned_cpu_ns, 19 * S / 10, 21 * S / 10);
	/* And is not kept for ever. */
	remove_for(31 * DAY);
	HG_CHECK_EQ(row("web1").ledger.gift_cpu_ns, 0);
	hg_credits_cost(w.credits, &cost);
	HG_CHECK_EQ(cost.forgotten, 1);
	HG_CHECK_HAS(w.said, "1 balances are deleted");
	end();
}

static void look_and_save(void)
{
	(void)hg_credits_tick(w.credits, w.clocks.monotonic_ns);
	pass(11 * S);
	(void)hg_credits_tick(w.credits, w.clocks.monotonic_ns);
}

/* Who is configured is never forgotten: neither a pool of which all members are stopped, nor who waits for a daemon that
 * was away. */
static void s6_7_who_is_configured_is_never_forgotten(void)
{
	struct hg_credits_cost cost;

	begin_with(2);
	w.instances[0].cpu.is_pooled = true;
	apply();
	grant("acme", 60 * S);
	grant("web1", 60 * S);
	drop_group(0);
	drop_group(1);
	for (unsigned i = 0; i < 2; i++) {
		pass(40 * DAY);
		look_and_save();
	}
	stop();
	pass(40 * DAY);
	start(false);
	apply();
	look_and_save();
	hg_credits_cost(w.credits, &cost);
	HG_CHECK_EQ(cost.forgotten, 0);
	HG_CHECK_EQ(row("acme").ledger.gift_cpu_ns, 60 * S);
	HG_CHECK_EQ(row("web1").ledger.gift_cpu_ns, 60 * S);
	end();
}

/* ---- stores ------------------------------------------------------------------------------------- */

static void spoil(const char *with)
{
	FILE *f = fopen(w.store, "w");

	fputs(with, f);
	fclose(f);
}

static void s6_7_a_damaged_store_is_kept_aside_only_when_told_to(void)
{
	char command[256];

	begin_with(1);
	grant("web0", 60 * S);
	stop();
	spoil("this is no database, and it is long enough to be looked at as one, is it not?\n");
	start(false);
	apply();
	HG_CHECK_HAS(hg_credits_fault(w.credits), "is damaged: file is not a database");
	HG_CHECK_HAS(w.said, "processors are not governed");
	HG_CHECK_EQ(hg_credits_tick(w.credits, w.clocks.monotonic_ns), HG_NEVER);
	HG_CHECK_EQ(hg_credits_grant(w.credits, "web0", S, NULL), -HG_EIO);
	stop();
	start(true);
	apply();
	HG_CHECK_STR(hg_credits_fault(w.credits), "");
	HG_CHECK_EQ(row("web0").balance_cpu_ns, 0);
	snprintf(command, sizeof(command), "grep -q 'no database' %s.damaged-*Z", w.store);
	HG_CHECK_EQ(system(command), 0);
	end();
}

/* What cannot be kept is not given, and which file has no room is said. */
static void s6_7_a_store_without_room_refuses_and_is_named(void)
{
	const struct rlimit none = {.rlim_cur = 512, .rlim_max = RLIM_INFINITY};
	struct hg_error err = {0};
	struct rlimit before;

	begin_with(1);
	grant("web0", 60 * S);
	signal(SIGXFSZ, SIG_IGN);
	HG_CHECK_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
	HG_CHECK_EQ(setrlimit(RLIMIT_FSIZE, &none), 0);
	HG_CHECK_EQ(hg_credits_grant(w.credits, "web0", 30 * S, &err), -HG_EIO);
	HG_CHECK_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
	HG_CHECK_HAS(err.text, w.store);
	HG_CHECK_HAS(err.text, "cannot be used: ");
	HG_CHECK_EQ(row("web0").balance_cpu_ns, 60 * S);
	grant("web0", 30 * S);
	HG_CHECK_EQ(row("web0").balance_cpu_ns, 90 * S);
	end();
}

static void s6_7_a_newer_store_is_refused(void)
{
	char command[256];

	begin_with(1);
	stop();
	snprintf(command, sizeof(command),
		 "python3 -c \"import sqlite3,sys; d=sqlite3.connect('%s'); "
		 "d.execute('PRAGMA user_version=7'); d.commit()\"",
		 w.store);
	HG_CHECK_EQ(system(command), 0);
	start(false);
	apply();
	HG_CHECK_HAS(hg_credits_fault(w.credits), "has version 7; this program knows version 1");
	end();
}

static void s6_12_history_has_a_point_each_five_minutes(void)
{
	struct hg_credits_point points[16];
	int n;

	begin_with(1);
	grant("web0", 600 * S);
	w.wants_mcpu[0] = 500;
	run(1300 * S);
	n = hg_credits_history(w.credits, "web0", 0, points, 16, NULL);
	HG_CHECK_BETWEEN(n, 4, 5);
	for (int i = 1; i < n; i++) {
		HG_CHECK_BETWEEN(points[i].wall_ns - points[i - 1].wall_ns, 299 * S, 311 * S);
		HG_CHECK_BETWEEN(points[i].used_cpu_ns, 149 * S, 156 * S);
		HG_CHECK_BETWEEN(points[i].earned_cpu_ns, 59 * S, 63 * S);
	}
	HG_CHECK_EQ(hg_credits_history(w.credits, "nobody", 0, points, 16, NULL), -HG_ENOENT);
	end();
}

static const struct hg_test tests[] = {
	HG_TEST(s6_2_the_door_is_open_while_credits_last),
	HG_TEST(s6_3_spends_all_and_glides_to_the_baseline),
	HG_TEST(s6_4_a_new_machine_is_given_its_launch_credits_again),
	HG_TEST(s6_6_baselines_are_kept_when_bursts_ask_for_more_than_there_is),
	HG_TEST(s6_7_use_while_nobody_looked_is_booked),
	HG_TEST(s6_7_nothing_is_lost_when_the_process_is_killed),
	HG_TEST(s6_7_a_clock_that_is_set_changes_nothing),
	HG_TEST(s6_7_a_reboot_keeps_balances_and_earns_by_the_wall),
	HG_TEST(s6_7_suspended_time_counts_as_the_operator_says),
	HG_TEST(s6_7_a_group_made_again_goes_on_with_its_balance),
	HG_TEST(s6_7_who_was_removed_by_mistake_gets_its_balance_back),
	HG_TEST(s6_7_who_is_configured_is_never_forgotten),
	HG_TEST(s6_7_a_damaged_store_is_kept_aside_only_when_told_to),
	HG_TEST(s6_7_a_store_without_room_refuses_and_is_named),
	HG_TEST(s6_7_a_newer_store_is_refused),
	HG_TEST(s6_9_unlimited_is_open_and_owes),
	HG_TEST(s6_10_pooled_instances_share_one_balance),
	HG_TEST(s6_11_transfer_moves_credits_at_once),
	HG_TEST(s6_12_alarm_and_forecast),
	HG_TEST(s6_12_history_has_a_point_each_five_minutes),
	{0},
};

int main(int argc, char **argv)
{
	return hg_tests_main(argc, argv, tests);
}
