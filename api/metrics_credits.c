/* Processor credits in /metrics, under names by which people who know a cloud's find them. */
#include "api/metrics_writer.h"

#include "control/credits.h"

#include <stdlib.h>
#include <string.h>

struct rows {
	struct hg_credits_row *row;
	const char **tenant; /* of each */
	uint32_t n;
};

enum of { OF_LEDGERS, OF_INSTANCES };

struct family {
	const char *name, *type, *help;
	double (*value)(const struct hg_credits_row *row);
	enum of of; /* a pool's members have no ledger of their own; a pool has no group */
};

#define CREDITS(cpu_ns) ((double)(cpu_ns) / (double)HG_CREDIT_CPU_NS)
#define VALUE(function, expression)                              \
	static double function(const struct hg_credits_row *row) \
	{                                                        \
		return (double)(expression);                     \
	}

VALUE(balance, CREDITS(row->ledger.gift_cpu_ns + row->ledger.earned_cpu_ns))
VALUE(usage, CREDITS(row->ledger.totals.used_cpu_ns))
VALUE(earned, CREDITS(row->ledger.totals.earned_cpu_ns))
VALUE(surplus, CREDITS(row->ledger.surplus_cpu_ns))
VALUE(charged, CREDITS(row->ledger.totals.charged_cpu_ns))
VALUE(most, CREDITS(row->ledger.cfg.max_cpu_ns))
VALUE(is_alarmed, row->is_alarmed)
VALUE(used, (double)row->used_mcpu / HG_MCPU_PER_CPU)
VALUE(baseline, (double)row->baseline_mcpu / HG_MCPU_PER_CPU)
VALUE(limit, (double)(row->limit_mcpu == HG_SHARE_OPEN ? row->ceiling_mcpu : row->limit_mcpu) /
		     HG_MCPU_PER_CPU)
VALUE(throttled, (double)row->throttled_ns / (double)HG_NS_PER_S)

static const struct family families[] = {
	{"headgate_cpu_credit_balance", "gauge",
	 "Credits that can be spent (a cloud's CPUCreditBalance); one is one processor for a "
	 "minute",
	 balance, OF_LEDGERS},
	{"headgate_cpu_credit_usage_total", "counter",
	 "Credits used; the increase over 5 minutes is a cloud's CPUCreditUsage", usage,
	 OF_LEDGERS},
	{"headgate_cpu_surplus_credit_balance", "gauge",
	 "Credits used beyond the balance and not yet repaid (a cloud's CPUSurplusCreditBalance)",
	 surplus, OF_LEDGERS},
	{"headgate_cpu_surplus_credits_charged_total", "counter",
	 "Credits used beyond the largest surplus, to be paid for (a cloud's "
	 "CPUSurplusCreditsCharged)",
	 charged, OF_LEDGERS},
	{"headgate_cpu_credit_earned_total", "counter",
	 "Credits earned, those above the maximum included", earned, OF_LEDGERS},
	{"headgate_cpu_credit_max", "gauge", "The most that earned credits add up to", most,
	 OF_LEDGERS},
	{"headgate_cpu_credit_alarm_bool", "gauge", "1 while the balance is below alarm_below",
	 is_alarmed, OF_LEDGERS},
	{"headgate_cpu_used_processors", "gauge", "Processors used lately", used, OF_INSTANCES},
	{"headgate_cpu_baseline_processors", "gauge", "Processors that are guaranteed", baseline,
	 OF_INSTANCES},
	{"headgate_cpu_limit_processors", "gauge",
	 "Processors that it may use now; where no limit is set its virtual processors", limit,
	 OF_INSTANCES},
	{"headgate_cpu_throttled_seconds_total", "counter",
	 "Time in which the kernel held its control group", throttled, OF_INSTANCES},
};

static bool has(const struct hg_credits_row *row, enum of of)
{
	return of == OF_LEDGERS ? !row->is_pooled : !row->is_pool;
}

/* A pool's series have its tenant's name and no instance. */
static void labels(const struct hg_metrics_writer *w, const struct rows *rows, uint32_t idx)
{
	const struct hg_credits_row *row = &rows->row[idx];

	fprintf(w->out, "{tenant=\"%s\",instance=\"%s\"", rows->tenant[idx],
		row->is_pool ? "" : row->name);
}

static void write_family(const struct hg_metrics_writer *w, const struct family *family,
			 const struct rows *rows)
{
	hg_metrics_family(w, family->name, family->type, family->help);
	for (uint32_t i = 0; i < rows->n; i++) {
		if (!has(&rows->row[i], family->of))
			continue;
		fputs(family->name, w->out);
		labels(w, rows, i);
		fprintf(w->out, "} %.15g\n", family->value(&rows->row[i]));
	}
}

static void write_states(const struct hg_metrics_writer *w, const struct rows *rows)
{
	static const char state[] = "headgate_cpu_credit_state";

	hg_metrics_family(w, state, "gauge", "1 for the state that the instance is in");
	for (uint32_t i = 0; i < rows->n; i++) {
		for (unsigned s = 0; s < HG_N_CREDITS_STATES && !rows->row[i].is_pool; s++) {
			fputs(state, w->out);
			labels(w, rows, i);
			fprintf(w->out, ",state=\"%s\"} %d\n",
				hg_credits_state_name((enum hg_credits_state)s),
				rows->row[i].state == (enum hg_credits_state)s);
		}
	}
}

/* Rows come in the order of the instances, so one pass over these finds all. */
static void read_rows(const struct hg_metrics_writer *w, struct hg_credits *credits,
		      struct rows *rows)
{
	const struct hg_desired *d = w->desired;
	uint32_t at = 0;

	for (uint32_t i = 0; i < rows->n && hg_credits_row(credits, i, &rows->row[i]); i++) {
		rows->tenant[i] = rows->row[i].name;
		for (uint32_t k = 0; k < d->n_instances && !rows->row[i].is_pool; k++) {
			at = at + 1u < d->n_instances ? at + 1u : 0;
			if (strcmp(d->instances[at].name, rows->row[i].name) != 0)
				continue;
			rows->tenant[i] = d->tenants[d->instances[at].tenant_idx].name;
			break;
		}
	}
}

int hg_metrics_credits(const struct hg_metrics_writer *w)
{
	static const char governed[] = "headgate_cpu_governed_bool";
	struct hg_credits *credits = hg_control_credits(w->control);
	struct rows rows = {.n = credits == NULL ? 0 : hg_credits_n_rows(credits)};
	int rc = 0;

	if (credits == NULL)
		return 0;
	hg_metrics_family(w, governed, "gauge", "0 while processors cannot be governed");
	fprintf(w->out, "%s %d\n", governed, hg_credits_fault(credits)[0] == '\0');
	rows.row = calloc(rows.n + 1u, sizeof(*rows.row));
	rows.tenant = calloc(rows.n + 1u, sizeof(*rows.tenant));
	if (rows.row == NULL || rows.tenant == NULL)
		rc = -HG_ENOMEM;
	if (rc == 0 && rows.n > 0) {
		read_rows(w, credits, &rows);
		for (size_t f = 0; f < sizeof(families) / sizeof(families[0]); f++)
			write_family(w, &families[f], &rows);
		write_states(w, &rows);
	}
	free(rows.row);
	free(rows.tenant);
	return rc;
}
