/* Processor credits, as this host and these arguments have them. */
#include "apps/daemon.h"

#include <string.h>
#include <unistd.h>

static void clocks(void *user, struct hg_clocks *ret)
{
	static char boot_id[HG_BOOT_ID_BYTES];

	(void)user;
	if (boot_id[0] == '\0')
		hg_clock_boot_id("", boot_id);
	*ret = (struct hg_clocks){.monotonic_ns = hg_clock_now_ns(),
				  .boot_ns = hg_clock_boot_ns(),
				  .wall_ns = hg_clock_wall_ns()};
	memcpy(ret->boot_id, boot_id, sizeof(boot_id));
}

static void log_sentence(void *user, enum hg_log_level level, const char *sentence)
{
	(void)user;
	hg_say(level, "%s", sentence);
}

int hg_daemon_create_credits(struct hg_daemon *d, struct hg_error *reterr)
{
	long n_processors = sysconf(_SC_NPROCESSORS_ONLN);
	const struct hg_credits_cfg cfg = {
		.root = "",
		.store = d->args.credits,
		.want_fresh_store = d->args.want_fresh_credits,
		.is_suspended_counted = d->args.is_suspended_counted,
		.interval_ns = HG_CREDITS_INTERVAL_NS,
		.keep_removed_ns = HG_CREDITS_KEEP_REMOVED_NS,
		.host_mcpu = (uint64_t)(n_processors > 0 ? n_processors : 1) * HG_MCPU_PER_CPU,
		.clocks = clocks,
		.log = log_sentence,
	};

	return hg_credits_create(&cfg, &d->credits, reterr);
}
