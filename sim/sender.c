#include "sim/sender.h"

#include "sim/random.h"

/* Around `mean`, between half of it and one and a half. */
static hg_ns around(struct hg_sender *sender, hg_ns mean_ns)
{
	uint32_t spread = mean_ns < UINT32_MAX ? (uint32_t)mean_ns : UINT32_MAX;

	return mean_ns / 2 + (hg_ns)hg_random_below(&sender->random, spread + (spread == 0));
}

void hg_sender_init(struct hg_sender *sender, const struct hg_sender_cfg *cfg, uint64_t seed,
		    hg_ns now_ns)
{
	*sender = (struct hg_sender){.cfg = *cfg, .random = seed, .next_at_ns = HG_NEVER};
	switch (cfg->arrivals) {
	case HG_ARRIVALS_SATURATE:
		sender->is_on = true;
		break;
	case HG_ARRIVALS_ON_OFF:
		sender->next_at_ns = now_ns + around(sender, cfg->off_ns);
		break;
	case HG_ARRIVALS_EVERY:
		sender->next_at_ns = now_ns + around(sender, cfg->period_ns);
		break;
	case HG_ARRIVALS_LOOP:
		sender->next_at_ns = now_ns + around(sender, cfg->think_ns);
		break;
	}
}

struct hg_sender_size hg_sender_size(struct hg_sender *sender)
{
	if (sender->cfg.n_sizes == 1)
		return sender->cfg.sizes[0];
	return sender->cfg.sizes[hg_random_below(&sender->random, sender->cfg.n_sizes)];
}

bool hg_sender_arrives(struct hg_sender *sender, hg_ns *ret_at_ns, hg_ns now_ns)
{
	hg_ns at_ns = sender->next_at_ns;

	if (at_ns > now_ns)
		return false;
	switch (sender->cfg.arrivals) {
	case HG_ARRIVALS_SATURATE:
		break;
	case HG_ARRIVALS_ON_OFF:
		for (; sender->next_at_ns <= now_ns; sender->is_on = !sender->is_on)
			sender->next_at_ns += around(sender, sender->is_on ? sender->cfg.off_ns
									   : sender->cfg.on_ns);
		return false;
	case HG_ARRIVALS_EVERY:
		sender->next_at_ns += around(sender, sender->cfg.period_ns);
		break;
	case HG_ARRIVALS_LOOP:
		sender->next_at_ns = HG_NEVER;
		break;
	}
	*ret_at_ns = at_ns;
	return true;
}

uint32_t hg_sender_refill(const struct hg_sender *sender, uint32_t n_queued)
{
	if (!sender->is_on || n_queued >= sender->cfg.backlog_pkts)
		return 0;
	return sender->cfg.backlog_pkts - n_queued;
}

void hg_sender_left(struct hg_sender *sender, hg_ns end_ns)
{
	if (sender->cfg.arrivals == HG_ARRIVALS_LOOP)
		sender->next_at_ns = end_ns + around(sender, sender->cfg.think_ns);
}
