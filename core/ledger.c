#include "core/ledger.h"

#include "core/text.h"

#include <string.h>

#define HOUR_NS (INT64_C(3600) * HG_NS_PER_S)
#define N_SLOTS ((int64_t)HG_LEDGER_SLOTS + 1)

/* An age times a rate passes 2^64. */
__extension__ typedef __int128 wide;

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* ---- configuration ------------------------------------------------------------------------------ */

static int refuse(struct hg_error *reterr, const char *field, const char *allowed)
{
	int rc = hg_error_set(reterr, -HG_EINVAL, "out of range; allowed is ", allowed, NULL);

	hg_error_at(reterr, field);
	return rc;
}

int hg_ledger_validate(const struct hg_ledger_cfg *cfg, struct hg_error *reterr)
{
	static const char balance[] = "0 to 10,000,000 credits";

	if (cfg->earn_cpu_ns_per_h < 0 || cfg->earn_cpu_ns_per_h > HG_LEDGER_EARN_MAX_CPU_NS_PER_H)
		return refuse(reterr, "earn", "0 to 245,760 credits an hour");
	if (cfg->max_cpu_ns < 0 || cfg->max_cpu_ns > HG_LEDGER_BALANCE_MAX_CPU_NS)
		return refuse(reterr, "max", balance);
	if (cfg->launch_cpu_ns < 0 || cfg->launch_cpu_ns > HG_LEDGER_BALANCE_MAX_CPU_NS)
		return refuse(reterr, "launch", balance);
	if (cfg->surplus_max_cpu_ns < 0 || cfg->surplus_max_cpu_ns > HG_LEDGER_BALANCE_MAX_CPU_NS)
		return refuse(reterr, "surplus_max", balance);
	if (cfg->max_age_ns != 0 &&
	    (cfg->max_age_ns < HG_LEDGER_AGE_MIN_NS || cfg->max_age_ns > HG_LEDGER_AGE_MAX_NS))
		return refuse(reterr, "max_age", "1m to 8784h (366 days), or none");
	if (cfg->mode != HG_CREDIT_STANDARD && cfg->mode != HG_CREDIT_UNLIMITED)
		return refuse(reterr, "mode", "standard, unlimited");
	return 0;
}

/* ---- slots -------------------------------------------------------------------------------------- */

/* Up, so that HG_LEDGER_SLOTS of them are never younger than max_age. */
static hg_ns slot_ns(const struct hg_ledger_cfg *cfg)
{
	return (cfg->max_age_ns + (hg_ns)HG_LEDGER_SLOTS - 1) / (hg_ns)HG_LEDGER_SLOTS;
}

/* Of an instant; below 0 before the clock began: what came from elsewhere may be older than this clock. */
static int64_t slot_at(const struct hg_ledger_cfg *cfg, hg_ns at_ns)
{
	int64_t length;

	if (cfg->max_age_ns == 0)
		return 0;
	length = slot_ns(cfg);
	return at_ns >= 0 ? at_ns / length : -((length - 1 - at_ns) / length);
}

static hg_ns next_cut_ns(const struct hg_ledger *l)
{
	return l->cfg.max_age_ns == 0 ? HG_NEVER : (l->newest_slot + 1) * slot_ns(&l->cfg);
}

static int64_t *slot(struct hg_ledger *l, int64_t number)
{
	int64_t place = number % N_SLOTS;

	return &l->slots_cpu_ns[place < 0 ? place + N_SLOTS : place];
}

static int64_t oldest_slot(const struct hg_ledger *l)
{
	return l->newest_slot - N_SLOTS + 1;
}

/* Time has come to the next cut: the oldest slot expires, and makes room for a new one. */
static void cut(struct hg_ledger *l)
{
	int64_t *place = slot(l, ++l->newest_slot);

	l->totals.expired_cpu_ns += (uint64_t)*place;
	l->earned_cpu_ns -= *place;
	*place = 0;
}

/* Takes up to n from the earned pot, the oldest first, and returns how many it took. */
static int64_t spend_oldest(struct hg_ledger *l, int64_t n_cpu_ns)
{
	int64_t left = least(n_cpu_ns, l->earned_cpu_ns), spent = left;

	l->earned_cpu_ns -= spent;
	for (int64_t i = oldest_slot(l); left > 0; i++) {
		int64_t part = least(left, *slot(l, i));

		*slot(l, i) -= part;
		left -= part;
	}
	return spent;
}

/* n more in a slot; a surplus is repaid first. */
static void put(struct hg_ledger *l, int64_t n_cpu_ns, int64_t number)
{
	int64_t repaid = least(n_cpu_ns, l->surplus_cpu_ns);

	l->surplus_cpu_ns -= repaid;
	l->earned_cpu_ns += n_cpu_ns - repaid;
	*slot(l, number) += n_cpu_ns - repaid;
}

/* What does not fit is lost: the newest, since what was there before did fit. */
static void lose_above_max(struct hg_ledger *l)
{
	for (int64_t i = l->newest_slot; l->earned_cpu_ns > l->cfg.max_cpu_ns; i--) {
		int64_t part = least(l->earned_cpu_ns - l->cfg.max_cpu_ns, *slot(l, i));

		*slot(l, i) -= part;
		l->earned_cpu_ns -= part;
		l->totals.lost_cpu_ns += (uint64_t)part;
	}
}

static void charge_above_max(struct hg_ledger *l)
{
	int64_t above = l->surplus_cpu_ns - l->cfg.surplus_max_cpu_ns;

	if (above <= 0)
		return;
	l->surplus_cpu_ns -= above;
	l->totals.charged_cpu_ns += (uint64_t)above;
}

/* ---- booking ------------------------------------------------------------------------------------ */

/* What for_ns earns, with the remainder carried. More than any pot can hold counts in the totals alone. */
static int64_t earn(struct hg_ledger *l, hg_ns for_ns)
{
	wide units = (wide)for_ns * l->cfg.earn_cpu_ns_per_h + l->remainder;
	wide gain = units / HOUR_NS;
	/* Beyond this all of it is lost in any case. */
	wide useful = (wide)l->surplus_cpu_ns + l->cfg.max_cpu_ns + HG_LEDGER_BALANCE_MAX_CPU_NS;

	l->remainder = (int64_t)(units % HOUR_NS);
	l->totals.earned_cpu_ns += (uint64_t)gain;
	if (gain > useful) {
		l->totals.lost_cpu_ns += (uint64_t)(gain - useful);
		gain = useful;
	}
	return (int64_t)gain;
}

/* A stretch without a cut in which the gift either pays for all that is used or for nothing. */
static void book_even(struct hg_ledger *l, int64_t used_cpu_ns, hg_ns for_ns)
{
	put(l, earn(l, for_ns), l->newest_slot);
	l->surplus_cpu_ns += used_cpu_ns - spend_oldest(l, used_cpu_ns);
	lose_above_max(l);
	charge_above_max(l);
}

/* part / whole of n, down. */
static int64_t part_of(int64_t n, int64_t part, int64_t whole)
{
	return (int64_t)((wide)n * part / whole);
}

/* A stretch without a cut. */
static void book(struct hg_ledger *l, int64_t used_cpu_ns, hg_ns for_ns)
{
	int64_t given = least(used_cpu_ns, l->gift_cpu_ns);
	hg_ns given_for_ns = given == used_cpu_ns ? for_ns : part_of(for_ns, given, used_cpu_ns);

	if (given > 0) {
		l->gift_cpu_ns -= given;
		book_even(l, 0, given_for_ns);
		used_cpu_ns -= given;
		for_ns -= given_for_ns;
	}
	book_even(l, used_cpu_ns, for_ns);
}

void hg_ledger_charge(struct hg_ledger *ledger, int64_t used_cpu_ns, hg_ns now_ns)
{
	ledger->totals.used_cpu_ns += (uint64_t)used_cpu_ns;
	while (next_cut_ns(ledger) <= now_ns) {
		hg_ns for_ns = next_cut_ns(ledger) - ledger->at_ns;
		int64_t part = part_of(used_cpu_ns, for_ns, now_ns - ledger->at_ns);

		book(ledger, part, for_ns);
		ledger->at_ns += for_ns;
		used_cpu_ns -= part;
		cut(ledger);
	}
	if (now_ns < ledger->at_ns)
		now_ns = ledger->at_ns;
	book(ledger, used_cpu_ns, now_ns - ledger->at_ns);
	ledger->at_ns = now_ns;
}

/* ---- life --------------------------------------------------------------------------------------- */

void hg_ledger_init(struct hg_ledger *ledger, const struct hg_ledger_cfg *cfg, hg_ns now_ns)
{
	*ledger = (struct hg_ledger){
		.cfg = *cfg,
		.at_ns = now_ns,
		.gift_cpu_ns = cfg->launch_cpu_ns,
		.newest_slot = slot_at(cfg, now_ns),
		.totals.gift_cpu_ns = (uint64_t)cfg->launch_cpu_ns,
	};
}

/* The slot for what was earned at an instant. */
static int64_t slot_for(const struct hg_ledger *l, hg_ns at_ns)
{
	int64_t number = slot_at(&l->cfg, at_ns);

	if (number < oldest_slot(l))
		return oldest_slot(l);
	return least(number, l->newest_slot);
}

/* The slot of `to` for what lies in a slot of `from`: by its age at the same instant. */
static int64_t same_age(const struct hg_ledger *from, int64_t number, const struct hg_ledger *to)
{
	if (from->cfg.max_age_ns == 0)
		return to->newest_slot;
	return slot_for(to, number * slot_ns(&from->cfg));
}

void hg_ledger_apply(struct hg_ledger *ledger, const struct hg_ledger_cfg *cfg, hg_ns now_ns)
{
	struct hg_ledger before = *ledger;

	if (now_ns > before.at_ns)
		ledger->at_ns = now_ns;
	ledger->cfg = *cfg;
	ledger->newest_slot = slot_at(cfg, ledger->at_ns);
	memset(ledger->slots_cpu_ns, 0, sizeof(ledger->slots_cpu_ns));
	for (int64_t i = oldest_slot(&before); i <= before.newest_slot; i++)
		*slot(ledger, same_age(&before, i, ledger)) += *slot(&before, i);
	lose_above_max(ledger);
	charge_above_max(ledger);
}

void hg_ledger_skip(struct hg_ledger *ledger, hg_ns now_ns)
{
	struct hg_ledger before = *ledger;
	hg_ns for_ns = now_ns - before.at_ns;
	int64_t n_slots = before.cfg.max_age_ns == 0 ? 0 : for_ns / slot_ns(&before.cfg);

	if (for_ns <= 0)
		return;
	ledger->at_ns = now_ns;
	ledger->newest_slot = slot_at(&ledger->cfg, now_ns);
	memset(ledger->slots_cpu_ns, 0, sizeof(ledger->slots_cpu_ns));
	/* Everything moves along by whole slots; where the cut falls otherwise, into the younger one. */
	if (before.newest_slot + n_slots < ledger->newest_slot)
		n_slots++;
	for (int64_t i = oldest_slot(&before); i <= before.newest_slot; i++)
		*slot(ledger, i + n_slots) += *slot(&before, i);
}

void hg_ledger_grant(struct hg_ledger *ledger, int64_t n_cpu_ns)
{
	int64_t repaid = least(n_cpu_ns, ledger->surplus_cpu_ns);

	ledger->totals.gift_cpu_ns += (uint64_t)n_cpu_ns;
	ledger->surplus_cpu_ns -= repaid;
	ledger->gift_cpu_ns += n_cpu_ns - repaid;
}

/* ---- transfers ---------------------------------------------------------------------------------- */

static int refuse_amount(struct hg_error *reterr, const char *what, int64_t n_cpu_ns)
{
	char number[32];
	struct hg_text text;
	uint64_t hundredths = (uint64_t)(n_cpu_ns / (HG_CREDIT_CPU_NS / 100));

	hg_text_init(&text, number, sizeof(number));
	hg_text_add_u64(&text, hundredths / 100u);
	hg_text_add(&text, hundredths % 100u < 10u ? ".0" : ".");
	hg_text_add_u64(&text, hundredths % 100u);
	return hg_error_set(reterr, -HG_ENOSPC, what, number, " credits", NULL);
}

int hg_ledger_transfer(struct hg_ledger *from, struct hg_ledger *to, int64_t n_cpu_ns,
		       struct hg_error *reterr)
{
	int64_t aged = least(n_cpu_ns, from->earned_cpu_ns), gift = n_cpu_ns - aged;
	int64_t room = to->cfg.max_cpu_ns - to->earned_cpu_ns + to->surplus_cpu_ns;

	if (gift > from->gift_cpu_ns)
		return refuse_amount(reterr, "there is not that much to give: only ",
				     from->gift_cpu_ns + from->earned_cpu_ns);
	if (aged > room)
		return refuse_amount(
			reterr, "the receiver's maximum leaves room for earned credits of ", room);
	for (int64_t i = oldest_slot(from), left = aged; left > 0; i++) {
		int64_t part = least(left, *slot(from, i));

		*slot(from, i) -= part;
		from->earned_cpu_ns -= part;
		left -= part;
		put(to, part, same_age(from, i, to));
	}
	from->gift_cpu_ns -= gift;
	from->totals.sent_cpu_ns += (uint64_t)n_cpu_ns;
	hg_ledger_grant(to, gift);
	to->totals.gift_cpu_ns -= (uint64_t)gift; /* counted as received */
	to->totals.received_cpu_ns += (uint64_t)n_cpu_ns;
	return 0;
}

/* ---- from place to place ------------------------------------------------------------------------ */

/* Of the youngest that can be in a slot. */
static hg_ns age_of(const struct hg_ledger *l, int64_t number)
{
	hg_ns age_ns;

	if (l->cfg.max_age_ns == 0)
		return 0;
	age_ns = l->at_ns - (number + 1) * slot_ns(&l->cfg) + 1;
	return age_ns > 0 ? age_ns : 0;
}

int hg_ledger_save(const struct hg_ledger *ledger, struct hg_ledger_saved *ret,
		   struct hg_error *reterr)
{
	if (ledger->gift_cpu_ns > HG_LEDGER_AMOUNT_MAX_CPU_NS)
		return hg_error_set(reterr, -HG_ENOSPC,
				    "more credits were granted than can be carried, which is "
				    "16,666,666",
				    NULL);
	*ret = (struct hg_ledger_saved){
		.gift_cpu_ns = ledger->gift_cpu_ns,
		.surplus_cpu_ns = ledger->surplus_cpu_ns,
		.remainder = ledger->remainder,
	};
	for (int64_t i = oldest_slot(ledger); i <= ledger->newest_slot; i++) {
		int64_t place = i % N_SLOTS;
		int64_t n_cpu_ns = ledger->slots_cpu_ns[place < 0 ? place + N_SLOTS : place];

		if (n_cpu_ns > 0)
			ret->parts[ret->n_parts++] = (struct hg_ledger_part){
				.cpu_ns = n_cpu_ns, .age_ns = age_of(ledger, i)};
	}
	return 0;
}

void hg_ledger_empty(struct hg_ledger *ledger)
{
	ledger->totals.sent_cpu_ns += (uint64_t)(ledger->gift_cpu_ns + ledger->earned_cpu_ns);
	ledger->totals.received_cpu_ns += (uint64_t)ledger->surplus_cpu_ns;
	ledger->gift_cpu_ns = ledger->earned_cpu_ns = ledger->surplus_cpu_ns = 0;
	ledger->remainder = 0;
	memset(ledger->slots_cpu_ns, 0, sizeof(ledger->slots_cpu_ns));
}

void hg_ledger_restore(struct hg_ledger *ledger, const struct hg_ledger_saved *saved)
{
	hg_ledger_empty(ledger);
	ledger->gift_cpu_ns = saved->gift_cpu_ns;
	ledger->surplus_cpu_ns = saved->surplus_cpu_ns;
	ledger->remainder = saved->remainder;
	for (uint32_t i = 0; i < saved->n_parts; i++) {
		const struct hg_ledger_part *part = &saved->parts[i];

		*slot(ledger, slot_for(ledger, ledger->at_ns - part->age_ns)) += part->cpu_ns;
		ledger->earned_cpu_ns += part->cpu_ns;
	}
	ledger->totals.received_cpu_ns += (uint64_t)(ledger->gift_cpu_ns + ledger->earned_cpu_ns);
	ledger->totals.sent_cpu_ns += (uint64_t)ledger->surplus_cpu_ns;
	lose_above_max(ledger);
	charge_above_max(ledger);
}

/* ---- forecast ----------------------------------------------------------------------------------- */

/* at + n / (rate per hour), down; HG_NEVER where that is beyond what an instant can tell. */
static hg_ns after(hg_ns at_ns, wide n_cpu_ns, wide per_h)
{
	wide for_ns = n_cpu_ns * HOUR_NS / per_h;

	return for_ns >= HG_NEVER - at_ns ? HG_NEVER : at_ns + (hg_ns)for_ns;
}

hg_ns hg_ledger_exhausted_at_ns(const struct hg_ledger *ledger, uint64_t mcpu)
{
	const struct hg_ledger_cfg *cfg = &ledger->cfg;
	wide use_per_h = (wide)mcpu * (HOUR_NS / 1000);
	wide drain_per_h = use_per_h - cfg->earn_cpu_ns_per_h;
	wide left = (wide)ledger->earned_cpu_ns - ledger->surplus_cpu_ns;
	hg_ns at_ns = ledger->at_ns;

	if (ledger->gift_cpu_ns > 0) {
		/* While the gift pays the earned pot fills up, to its maximum. */
		wide gained;

		if (use_per_h == 0)
			return HG_NEVER;
		at_ns = after(at_ns, ledger->gift_cpu_ns, use_per_h);
		if (at_ns == HG_NEVER)
			return HG_NEVER;
		gained = (wide)(at_ns - ledger->at_ns) * cfg->earn_cpu_ns_per_h / HOUR_NS;
		left = left + gained > cfg->max_cpu_ns ? cfg->max_cpu_ns : left + gained;
	}
	if (cfg->mode == HG_CREDIT_UNLIMITED)
		left += cfg->surplus_max_cpu_ns;
	if (left <= 0)
		return at_ns;
	return drain_per_h <= 0 ? HG_NEVER : after(at_ns, left, drain_per_h);
}

/* ---- what was stored ---------------------------------------------------------------------------- */

static int broken(struct hg_error *reterr, const char *field, const char *why)
{
	int rc = hg_error_set(reterr, -HG_EINVAL, why, NULL);

	hg_error_at(reterr, field);
	return rc;
}

int hg_ledger_saved_check(const struct hg_ledger_saved *saved, struct hg_error *reterr)
{
	int64_t sum = 0;

	if (saved->gift_cpu_ns < 0 || saved->gift_cpu_ns > HG_LEDGER_AMOUNT_MAX_CPU_NS)
		return broken(reterr, "gift_cpu_ns", "not between 0 and 10^18 - 1 ns");
	if (saved->surplus_cpu_ns < 0 || saved->surplus_cpu_ns > HG_LEDGER_BALANCE_MAX_CPU_NS)
		return broken(reterr, "surplus_cpu_ns", "not between 0 and 10,000,000 credits");
	if (saved->remainder < 0 || saved->remainder > HG_LEDGER_REMAINDER_MAX)
		return broken(reterr, "remainder", "not a fraction");
	if (saved->n_parts > HG_LEDGER_SLOTS + 1u)
		return broken(reterr, "earned", "there are at most 65 parts");
	for (uint32_t i = 0; i < saved->n_parts; i++) {
		const struct hg_ledger_part *part = &saved->parts[i];

		if (part->cpu_ns < 0 || part->cpu_ns > HG_LEDGER_BALANCE_MAX_CPU_NS - sum)
			return broken(reterr, "earned",
				      "together not between 0 and 10,000,000 credits");
		if (part->age_ns < 0 || part->age_ns > HG_LEDGER_AMOUNT_MAX_CPU_NS)
			return broken(reterr, "earned", "an age is not between 0 and 10^18 - 1 ns");
		sum += part->cpu_ns;
	}
	if (sum > 0 && saved->surplus_cpu_ns > 0)
		return broken(reterr, "surplus_cpu_ns",
			      "there cannot be both earned credits and a surplus");
	return 0;
}

int hg_ledger_check(const struct hg_ledger *ledger, struct hg_error *reterr)
{
	const struct hg_ledger_totals *t = &ledger->totals;
	int64_t sum = 0;
	int rc = hg_ledger_validate(&ledger->cfg, reterr);

	if (rc < 0)
		return rc;
	if (ledger->at_ns < 0)
		return broken(reterr, "at", "before the beginning of its clock");
	if (ledger->gift_cpu_ns < 0)
		return broken(reterr, "gift", "below 0");
	if (ledger->surplus_cpu_ns < 0 || ledger->surplus_cpu_ns > ledger->cfg.surplus_max_cpu_ns)
		return broken(reterr, "surplus", "not between 0 and its limit");
	if (ledger->remainder < 0 || ledger->remainder >= HOUR_NS)
		return broken(reterr, "remainder", "not a fraction");
	if (ledger->newest_slot != slot_at(&ledger->cfg, ledger->at_ns))
		return broken(reterr, "newest_slot", "not the slot of its instant");
	for (size_t i = 0; i < (size_t)N_SLOTS; i++) {
		int64_t part = ledger->slots_cpu_ns[i];

		if (part < 0 || part > ledger->cfg.max_cpu_ns)
			return broken(reterr, "slots", "a part is not between 0 and the maximum");
		sum += part;
	}
	if (sum != ledger->earned_cpu_ns || sum > ledger->cfg.max_cpu_ns)
		return broken(reterr, "earned", "not the sum of its parts, or above the maximum");
	if (sum > 0 && ledger->surplus_cpu_ns > 0)
		return broken(reterr, "surplus", "there cannot be both credits and a surplus");
	if (t->earned_cpu_ns + t->gift_cpu_ns + t->received_cpu_ns + t->charged_cpu_ns !=
	    (uint64_t)hg_ledger_balance_cpu_ns(ledger) + t->used_cpu_ns + t->expired_cpu_ns +
		    t->lost_cpu_ns + t->sent_cpu_ns)
		return broken(reterr, "totals", "they do not add up to the balance");
	return 0;
}
