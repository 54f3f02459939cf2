/* The keys of processor credits. */
#include "api/schema.h"

#include "core/cpu.h"
#include "core/share.h"

#define AT(type, member) \
	.offset = offsetof(struct type, member), .size = sizeof(((struct type *)0)->member)

static const char *const mode_words[] = {"auto", "standard", "unlimited", NULL};
static const char *const on_stop_words[] = {"baseline", "open", NULL};
static const char *const no_yes_words[] = {"no", "yes", NULL};

/* What instances and pools say alike; the struct's member differs in where it lies. */
#define CREDIT_FIELDS(type, member, otherwise)                                                     \
	{.key = "max",                                                                             \
	 .kind = HG_KIND_CREDITS,                                                                  \
	 AT(type, member max_ucredits),                                                            \
	 .hi = HG_CPU_CREDITS_MAX_UCREDITS,                                                        \
	 .fallback = HG_CPU_UNSAID,                                                                \
	 .fallback_text = otherwise ", or what a day earns",                                       \
	 .doc = "The most that earned credits add up to; more is lost."},                          \
		{.key = "launch",                                                                  \
		 .kind = HG_KIND_CREDITS,                                                          \
		 AT(type, member launch_ucredits),                                                 \
		 .hi = HG_CPU_CREDITS_MAX_UCREDITS,                                                \
		 .fallback = HG_CPU_UNSAID,                                                        \
		 .fallback_text = otherwise ", or 0",                                              \
		 .doc = "Credits given at the start: spent first, not earned again, outside the "  \
			"maximum."},                                                               \
		{.key = "max_age",                                                                 \
		 .kind = HG_KIND_TIME,                                                             \
		 AT(type, member max_age_ns),                                                      \
		 .lo = HG_LEDGER_AGE_MIN_NS,                                                       \
		 .hi = HG_LEDGER_AGE_MAX_NS,                                                       \
		 .zero_word = "none",                                                              \
		 .doc = "How long a credit that was earned can be spent, the oldest first; to a "  \
			"64th of it."},                                                            \
		{.key = "mode",                                                                    \
		 .kind = HG_KIND_WORD,                                                             \
		 AT(type, member mode),                                                            \
		 .words = mode_words,                                                              \
		 .doc = "Without credits: `standard`, the baseline; `unlimited`, never held, and " \
			"the surplus is booked. `auto`: the preset's, or standard."},              \
		{.key = "surplus_max",                                                             \
		 .kind = HG_KIND_CREDITS,                                                          \
		 AT(type, member surplus_max_ucredits),                                            \
		 .hi = HG_CPU_CREDITS_MAX_UCREDITS,                                                \
		 .fallback = HG_CPU_UNSAID,                                                        \
		 .fallback_text = "what a day earns",                                              \
		 .doc = "How much surplus later earnings repay; what goes beyond is charged."},    \
	{                                                                                          \
		.key = "alarm_below", .kind = HG_KIND_CREDITS,                                     \
		AT(type, member alarm_below_ucredits), .lo = 1, .hi = HG_CPU_CREDITS_MAX_UCREDITS, \
		.doc = "Says so in the log and in metrics when the balance falls below."           \
	}

static const struct hg_field cpu_fields[] = {
	{.key = "cgroup",
	 .kind = HG_KIND_TEXT,
	 AT(hg_cpu, cgroup),
	 .doc = "The control group, of version 1 or 2: a path below the hierarchy's root "
		"(`machine/web1`), `unit:NAME`, `libvirt:NAME` or `container:ID`."},
	{.key = "preset",
	 .kind = HG_KIND_NAME,
	 AT(hg_cpu, preset),
	 .doc = "A burstable size of a cloud, with its baseline, rates and rules: `t2.nano` to "
		"`t2.2xlarge`, so `t3`, `t3a`, `t4g`; `b1ls` to `b4ms`."},
	{.key = "vcpus",
	 .kind = HG_KIND_COUNT,
	 AT(hg_cpu, vcpus),
	 .lo = 1,
	 .hi = HG_CPU_VCPUS_MAX,
	 .fallback = HG_CPU_UNSAID,
	 .fallback_text = "the preset's, or 1",
	 .doc = "Virtual processors: the most that it can use."},
	{.key = "baseline",
	 .kind = HG_KIND_PERCENT,
	 AT(hg_cpu, baseline_ppm),
	 .lo = HG_CPU_BASELINE_MIN_PPM,
	 .hi = 1000000,
	 .fallback = HG_CPU_UNSAID,
	 .fallback_text = "the preset's",
	 .doc = "The part of each virtual processor that is guaranteed, whatever others do."},
	{.key = "earn",
	 .kind = HG_KIND_CREDITS,
	 AT(hg_cpu, earn_ucredits_per_h),
	 .hi = HG_CPU_EARN_MAX_UCREDITS_PER_H,
	 .fallback = HG_CPU_UNSAID,
	 .fallback_text = "the preset's, or what the baseline uses",
	 .doc = "Credits earned in an hour. One is one processor at full speed for a minute."},
	CREDIT_FIELDS(hg_cpu, credits., "the preset's"),
	{.key = "keep_stopped",
	 .kind = HG_KIND_TIME,
	 AT(hg_cpu, keep_stopped_ns),
	 .lo = HG_NS_PER_S,
	 .hi = HG_LEDGER_AGE_MAX_NS,
	 .zero_word = "no",
	 .fallback = HG_CPU_UNSAID,
	 .fallback_text = "the preset's, or for ever",
	 .doc = "How long the balance outlives the control group; `no`: a new start is a new "
		"machine, with launch credits."},
	{.key = "glide",
	 .kind = HG_KIND_TIME,
	 AT(hg_cpu, glide_ns),
	 .lo = HG_CPU_GLIDE_MIN_NS,
	 .hi = HG_CPU_GLIDE_MAX_NS,
	 .fallback = HG_CPU_GLIDE_DEFAULT_NS,
	 .doc = "How softly the last credits run out: what is left decays by this time."},
	{.key = "weight",
	 .kind = HG_KIND_COUNT,
	 AT(hg_cpu, weight),
	 .lo = 1,
	 .hi = 1000,
	 .fallback = 1,
	 .doc = "The share of what is left when every baseline is kept, where bursts together "
		"ask for more."},
	{.key = "pool",
	 .kind = HG_KIND_WORD,
	 AT(hg_cpu, is_pooled),
	 .words = no_yes_words,
	 .doc = "`yes`: its credits are its tenant's, with all others that say so."},
	{.key = "on_stop",
	 .kind = HG_KIND_WORD,
	 AT(hg_cpu, on_stop),
	 .words = on_stop_words,
	 .doc = "What headgated leaves behind when it stops: the `baseline` as limit, or none "
		"(`open`)."},
	{0},
};

static const struct hg_field pool_fields[] = {
	CREDIT_FIELDS(hg_cpu_credits, , "what its members have"),
	{0},
};

const struct hg_resource hg_schema_cpu = {
	.name = "cpu",
	.title = "Processors",
	.anchor = "processors",
	.where = "tenants[].instances[].cpu",
	.doc = "A baseline of the host's processors, and credits for more.",
	.fields = cpu_fields,
};
const struct hg_resource hg_schema_pool = {
	.name = "a pool",
	.title = "Pool",
	.anchor = "pool",
	.where = "tenants[].pool",
	.doc = "One balance for several instances: it earns what they earn.",
	.fields = pool_fields,
};
