/* What api/config.h says to people: one error, one state. */
#include "api/config.h"

#include "core/text.h"

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* What the uplink's tenants are promised together in one direction, as admission adds it up. States made
 * here keep the instances of a tenant together, in the order of the tenants. */
static uint64_t promised(const struct hg_desired *d, uint32_t uplink_idx, enum hg_dir dir)
{
	uint64_t sum = 0;
	uint32_t i = 0;

	for (uint32_t t = 0; t < d->n_tenants; t++) {
		uint64_t inside = 0;

		for (; i < d->n_instances && d->instances[i].tenant_idx == t; i++)
			inside += d->instances[i].contract.dir[dir].min_bytes_per_s;
		if (d->tenants[t].uplink_idx == uplink_idx)
			sum += larger(inside, d->tenants[t].contract.dir[dir].min_bytes_per_s);
	}
	return sum;
}

static void add_count(struct hg_text *out, uint32_t n, const char *one, const char *many)
{
	hg_text_add_u64(out, n);
	hg_text_add(out, n == 1u ? one : many);
}

static void add_rate(struct hg_text *out, uint64_t bytes_per_s)
{
	char rate[32];

	hg_text_add(out, hg_rate_format(rate, sizeof(rate), bytes_per_s));
}

char *hg_config_summary(const struct hg_desired *d, char *buf, size_t size)
{
	struct hg_text out;

	hg_text_init(&out, buf, size);
	add_count(&out, d->n_uplinks, " uplink, ", " uplinks, ");
	add_count(&out, d->n_tenants, " tenant, ", " tenants, ");
	add_count(&out, d->n_instances, " instance, ", " instances, ");
	add_count(&out, d->n_ports, " port", " ports");
	if (d->mode == HG_MODE_OBSERVE)
		hg_text_add(&out, "; observed only, nothing is held");
	for (uint32_t u = 0; u < d->n_uplinks; u++) {
		hg_text_add(&out, "\nuplink ");
		hg_text_add(&out, d->uplinks[u].name);
		hg_text_add(&out, ": guaranteed out ");
		add_rate(&out, promised(d, u, HG_OUT));
		hg_text_add(&out, ", in ");
		add_rate(&out, promised(d, u, HG_IN));
		hg_text_add(&out, " of ");
		add_rate(&out, d->uplinks[u].capacity_bytes_per_s);
	}
	return buf;
}

char *hg_config_error_format(const struct hg_error *err, const char *file, char *buf, size_t size)
{
	struct hg_text out;

	hg_text_init(&out, buf, size);
	if (file != NULL)
		hg_text_add(&out, file);
	if (err->line > 0) {
		if (file != NULL)
			hg_text_add_char(&out, ':');
		hg_text_add_u64(&out, err->line);
		hg_text_add_char(&out, ':');
		hg_text_add_u64(&out, err->column);
	}
	if (out.n_bytes > 0)
		hg_text_add(&out, ": ");
	hg_text_add(&out, err->path);
	if (err->path[0] != '\0')
		hg_text_add(&out, ": ");
	hg_text_add(&out, err->text);
	return buf;
}
