#include "core/cpu.h"

#include "core/desired.h"
#include "core/preset.h"
#include "core/text.h"

#include <string.h>

#define PPM UINT64_C(1000000)
#define HOUR_NS (UINT64_C(3600) * HG_NS_PER_S)
#define HOURS_OF_MAX 24
#define N_LARGEST 3u

void hg_cpu_credits_init(struct hg_cpu_credits *credits)
{
	*credits = (struct hg_cpu_credits){
		.max_ucredits = HG_CPU_UNSAID,
		.launch_ucredits = HG_CPU_UNSAID,
		.surplus_max_ucredits = HG_CPU_UNSAID,
	};
}

void hg_cpu_init(struct hg_cpu *cpu)
{
	*cpu = (struct hg_cpu){
		.vcpus = HG_CPU_UNSAID,
		.baseline_ppm = HG_CPU_UNSAID,
		.earn_ucredits_per_h = HG_CPU_UNSAID,
		.keep_stopped_ns = HG_CPU_UNSAID,
		.glide_ns = HG_CPU_GLIDE_DEFAULT_NS,
		.weight = 1,
	};
	hg_cpu_credits_init(&cpu->credits);
}

/* ---- terms -------------------------------------------------------------------------------------- */

static int64_t cpu_ns_of(uint64_t ucredits)
{
	return (int64_t)ucredits * HG_UCREDIT_CPU_NS;
}

static int64_t said_or(uint64_t ucredits, int64_t otherwise_cpu_ns)
{
	return ucredits == HG_CPU_UNSAID ? otherwise_cpu_ns : cpu_ns_of(ucredits);
}

static int64_t at_most(int64_t value, int64_t most)
{
	return value < most ? value : most;
}

/* What a day earns, as far as a balance goes. */
static int64_t day_of(int64_t earn_cpu_ns_per_h)
{
	return at_most(earn_cpu_ns_per_h, HG_LEDGER_BALANCE_MAX_CPU_NS / HOURS_OF_MAX) *
	       HOURS_OF_MAX;
}

static enum hg_credit_mode mode_of(uint8_t said, enum hg_credit_mode otherwise)
{
	if (said == HG_CPU_AUTO)
		return otherwise;
	return said == HG_CPU_UNLIMITED ? HG_CREDIT_UNLIMITED : HG_CREDIT_STANDARD;
}

void hg_cpu_resolve(const struct hg_cpu *cpu, struct hg_cpu_terms *ret_terms)
{
	static const struct hg_preset none = {.vcpus = 1};
	const struct hg_preset *preset = hg_preset_find(cpu->preset);
	const struct hg_preset *p = preset != NULL ? preset : &none;
	uint64_t vcpus = cpu->vcpus != HG_CPU_UNSAID ? cpu->vcpus : p->vcpus;
	uint64_t baseline_ppm =
		cpu->baseline_ppm != HG_CPU_UNSAID ? cpu->baseline_ppm : p->baseline_ppm;
	/* A preset of another size or baseline is that preset no more: its sums follow the baseline. */
	bool is_as_preset = preset != NULL && vcpus == p->vcpus && baseline_ppm == p->baseline_ppm;
	int64_t earn = is_as_preset ? (int64_t)p->earn_mcredits_per_h * HG_MCREDIT_CPU_NS
				    : (int64_t)(vcpus * baseline_ppm * (HOUR_NS / PPM));
	struct hg_ledger_cfg *l = &ret_terms->ledger;

	*ret_terms = (struct hg_cpu_terms){
		.baseline_mcpu = vcpus * baseline_ppm / 1000u,
		.ceiling_mcpu = vcpus * 1000u,
		.alarm_below_cpu_ns = cpu_ns_of(cpu->credits.alarm_below_ucredits),
	};
	if (ret_terms->baseline_mcpu == 0)
		ret_terms->baseline_mcpu = 1;
	l->mode = mode_of(cpu->credits.mode, p->mode);
	l->earn_cpu_ns_per_h = said_or(cpu->earn_ucredits_per_h, earn);
	l->max_cpu_ns = said_or(cpu->credits.max_ucredits,
				is_as_preset ? (int64_t)p->max_mcredits * HG_MCREDIT_CPU_NS
					     : day_of(l->earn_cpu_ns_per_h));
	l->launch_cpu_ns = said_or(cpu->credits.launch_ucredits,
				   (int64_t)p->launch_mcredits * HG_MCREDIT_CPU_NS);
	l->surplus_max_cpu_ns =
		said_or(cpu->credits.surplus_max_ucredits, day_of(l->earn_cpu_ns_per_h));
	l->max_age_ns = cpu->credits.max_age_ns;
	if (cpu->keep_stopped_ns != HG_CPU_UNSAID)
		ret_terms->keep_stopped_ns = (hg_ns)cpu->keep_stopped_ns;
	else
		ret_terms->keep_stopped_ns =
			preset == NULL ? HG_NEVER : (hg_ns)(p->keep_stopped_h * HOUR_NS);
}

void hg_cpu_resolve_pool(const struct hg_cpu_credits *pool, const struct hg_cpu_terms *members,
			 uint32_t n, struct hg_cpu_terms *ret_terms)
{
	struct hg_ledger_cfg *l = &ret_terms->ledger;
	bool is_unlimited = n > 0;

	*ret_terms = (struct hg_cpu_terms){
		.keep_stopped_ns = HG_NEVER,
		.alarm_below_cpu_ns = cpu_ns_of(pool->alarm_below_ucredits),
	};
	for (uint32_t i = 0; i < n; i++) {
		const struct hg_cpu_terms *m = &members[i];

		ret_terms->baseline_mcpu += m->baseline_mcpu;
		ret_terms->ceiling_mcpu += m->ceiling_mcpu;
		l->earn_cpu_ns_per_h = at_most(l->earn_cpu_ns_per_h + m->ledger.earn_cpu_ns_per_h,
					       HG_LEDGER_EARN_MAX_CPU_NS_PER_H);
		l->max_cpu_ns =
			at_most(l->max_cpu_ns + m->ledger.max_cpu_ns, HG_LEDGER_BALANCE_MAX_CPU_NS);
		l->launch_cpu_ns = at_most(l->launch_cpu_ns + m->ledger.launch_cpu_ns,
					   HG_LEDGER_BALANCE_MAX_CPU_NS);
		is_unlimited = is_unlimited && m->ledger.mode == HG_CREDIT_UNLIMITED;
	}
	l->mode = mode_of(pool->mode, is_unlimited ? HG_CREDIT_UNLIMITED : HG_CREDIT_STANDARD);
	l->max_cpu_ns = said_or(pool->max_ucredits, l->max_cpu_ns);
	l->launch_cpu_ns = said_or(pool->launch_ucredits, l->launch_cpu_ns);
	l->surplus_max_cpu_ns = said_or(pool->surplus_max_ucredits, day_of(l->earn_cpu_ns_per_h));
	l->max_age_ns = pool->max_age_ns;
}

/* ---- validation --------------------------------------------------------------------------------- */

static int refuse(struct hg_error *reterr, const char *field, const char *text)
{
	int rc = hg_error_set(reterr, -HG_EINVAL, text, NULL);

	hg_error_at(reterr, field);
	return rc;
}

static bool is_said_in(uint64_t value, uint64_t lo, uint64_t hi)
{
	return value == HG_CPU_UNSAID || (value >= lo && value <= hi);
}

int hg_cpu_credits_validate(const struct hg_cpu_credits *c, struct hg_error *reterr)
{
	static const char credits[] = "out of range; allowed is 0 to 9,999,999 credits";

	if (!is_said_in(c->max_ucredits, 0, HG_CPU_CREDITS_MAX_UCREDITS))
		return refuse(reterr, "max", credits);
	if (!is_said_in(c->launch_ucredits, 0, HG_CPU_CREDITS_MAX_UCREDITS))
		return refuse(reterr, "launch", credits);
	if (!is_said_in(c->surplus_max_ucredits, 0, HG_CPU_CREDITS_MAX_UCREDITS))
		return refuse(reterr, "surplus_max", credits);
	if (c->alarm_below_ucredits > HG_CPU_CREDITS_MAX_UCREDITS)
		return refuse(reterr, "alarm_below", credits);
	if (c->max_age_ns != 0 &&
	    (c->max_age_ns < HG_LEDGER_AGE_MIN_NS || c->max_age_ns > HG_LEDGER_AGE_MAX_NS))
		return refuse(reterr, "max_age", "out of range; allowed is 1m to 8784h, or none");
	if (c->mode > HG_CPU_UNLIMITED)
		return refuse(reterr, "mode", "allowed is auto, standard, unlimited");
	return 0;
}

static int unknown_preset(const struct hg_cpu *cpu, struct hg_error *reterr)
{
	size_t family = strcspn(cpu->preset, ".");
	char names[256];
	struct hg_text text;
	bool has_family = false;

	hg_text_init(&text, names, sizeof(names));
	for (uint32_t i = 0; i < HG_N_PRESETS; i++) {
		if (strncmp(hg_presets[i].name, cpu->preset, family + 1u) != 0)
			continue;
		hg_text_add(&text, has_family ? ", " : "there is no such preset; there are ");
		hg_text_add(&text, hg_presets[i].name);
		has_family = true;
	}
	if (!has_family)
		hg_text_add(&text,
			    "there is no such preset; there are t2.nano to t2.2xlarge, so of "
			    "t3, t3a and t4g, and b1ls, b1s, b1ms, b2s, b2ms, b4ms");
	return refuse(reterr, "preset", names);
}

/* Zeroes are nothing too: an instance that nobody filled in is not governed. */
static bool is_nothing(uint64_t value)
{
	return value == 0 || value == HG_CPU_UNSAID;
}

static bool says_nothing(const struct hg_cpu *cpu)
{
	return cpu->preset[0] == '\0' && is_nothing(cpu->vcpus) && is_nothing(cpu->baseline_ppm) &&
	       is_nothing(cpu->earn_ucredits_per_h) && is_nothing(cpu->credits.max_ucredits) &&
	       is_nothing(cpu->credits.launch_ucredits) && !cpu->is_pooled;
}

int hg_cpu_validate(const struct hg_cpu *cpu, struct hg_error *reterr)
{
	if (!hg_cpu_is_governed(cpu))
		return says_nothing(cpu)
			       ? 0
			       : refuse(reterr, "cgroup",
					"is missing: which control group is it? PATH, unit:NAME, "
					"libvirt:NAME, container:ID");
	if (cpu->preset[0] != '\0' && hg_preset_find(cpu->preset) == NULL)
		return unknown_preset(cpu, reterr);
	if (cpu->preset[0] == '\0' && cpu->baseline_ppm == HG_CPU_UNSAID)
		return refuse(reterr, "baseline",
			      "is missing: the part of each virtual processor that is guaranteed, "
			      "such as 20%; or a preset");
	if (!is_said_in(cpu->vcpus, 1, HG_CPU_VCPUS_MAX))
		return refuse(reterr, "vcpus", "out of range; allowed is 1 to 4,096");
	if (!is_said_in(cpu->baseline_ppm, HG_CPU_BASELINE_MIN_PPM, PPM))
		return refuse(reterr, "baseline", "out of range; allowed is 0.1% to 100%");
	if (!is_said_in(cpu->earn_ucredits_per_h, 0, HG_CPU_EARN_MAX_UCREDITS_PER_H))
		return refuse(reterr, "earn", "out of range; allowed is 0 to 245,760 an hour");
	if (cpu->glide_ns < HG_CPU_GLIDE_MIN_NS || cpu->glide_ns > HG_CPU_GLIDE_MAX_NS)
		return refuse(reterr, "glide", "out of range; allowed is 100ms to 1h");
	if (cpu->weight < 1 || cpu->weight > 1000)
		return refuse(reterr, "weight", "out of range; allowed is 1 to 1000");
	return hg_cpu_credits_validate(&cpu->credits, reterr);
}

/* ---- admission ---------------------------------------------------------------------------------- */

struct largest {
	const char *name;
	uint64_t mcpu;
};

static void keep_largest(struct largest *largest, const char *name, uint64_t mcpu)
{
	for (unsigned i = 0; i < N_LARGEST; i++) {
		struct largest was = largest[i];

		if (mcpu <= was.mcpu)
			continue;
		largest[i] = (struct largest){name, mcpu};
		name = was.name;
		mcpu = was.mcpu;
	}
}

/* "1.25" of 1250. */
static void add_processors(struct hg_text *text, uint64_t mcpu)
{
	hg_text_add_u64(text, mcpu / 1000u);
	if (mcpu % 1000u == 0)
		return;
	hg_text_add_char(text, '.');
	for (uint64_t unit = 100, rest = mcpu % 1000u; rest > 0; rest %= unit, unit /= 10u)
		hg_text_add_char(text, (char)('0' + rest / unit));
}

static int overbooked(uint64_t sum, uint64_t most, const struct largest *largest,
		      struct hg_error *reterr)
{
	char sentence[HG_ERROR_TEXT_BYTES];
	struct hg_text text;

	hg_text_init(&text, sentence, sizeof(sentence));
	hg_text_add(&text, "the baselines are ");
	add_processors(&text, sum);
	hg_text_add(&text, " processors together, and ");
	add_processors(&text, most);
	hg_text_add(&text, " can be promised; the largest are ");
	for (unsigned i = 0; i < N_LARGEST && largest[i].name != NULL; i++) {
		hg_text_add(&text, i > 0 ? ", " : "");
		hg_text_add(&text, largest[i].name);
		hg_text_add(&text, " with ");
		add_processors(&text, largest[i].mcpu);
	}
	return hg_error_set(reterr, -HG_ENOSPC, sentence, NULL);
}

int hg_cpu_admit(const struct hg_desired *desired, uint64_t host_mcpu, struct hg_error *reterr)
{
	uint64_t most = host_mcpu * desired->oversubscription_ppm / PPM, sum = 0;
	struct largest largest[N_LARGEST] = {0};

	for (uint32_t i = 0; i < desired->n_instances; i++) {
		const struct hg_desired_instance *instance = &desired->instances[i];
		struct hg_cpu_terms terms;

		if (!hg_cpu_is_governed(&instance->cpu))
			continue;
		hg_cpu_resolve(&instance->cpu, &terms);
		sum += terms.baseline_mcpu;
		keep_largest(largest, instance->name, terms.baseline_mcpu);
	}
	return sum <= most ? 0 : overbooked(sum, most, largest, reterr);
}
