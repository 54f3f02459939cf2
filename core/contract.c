#include "core/contract.h"
#include "core/text.h"

/* What a packet rate may be: below 10 a second, ARP alone would starve; 10^9 is what no port
 * carries. */
#define PKT_RATE_MIN UINT64_C(10)
#define PKT_RATE_MAX UINT64_C(1000000000)

typedef char *(*format_fn)(char *buf, size_t size, uint64_t value);

static char *format_number(char *buf, size_t size, uint64_t value)
{
	struct hg_text text;

	hg_text_init(&text, buf, size);
	hg_text_add_u64(&text, value);
	return buf;
}

static char *format_time(char *buf, size_t size, uint64_t value)
{
	return hg_time_format(buf, size, (hg_ns)value);
}

void hg_contract_init(struct hg_contract *contract)
{
	const struct hg_policy nothing_asked = {
		.weight = HG_WEIGHT_DEFAULT,
		.burst_bytes = HG_BURST_DEFAULT_BYTES,
		.reserve_bytes = HG_BURST_DEFAULT_BYTES,
		.idle_after_ns = HG_IDLE_AFTER_DEFAULT_NS,
	};

	*contract = (struct hg_contract){.dir = {nothing_asked, nothing_asked}};
}

static int fail_at(const char *path, struct hg_error *reterr, int rc)
{
	hg_error_at(reterr, path);
	return rc;
}

static int check(const char *path, uint64_t got, uint64_t lo, uint64_t hi, format_fn format,
		 struct hg_error *reterr)
{
	char got_text[32], lo_text[32], hi_text[32];

	if (got >= lo && got <= hi)
		return 0;
	return fail_at(path, reterr,
		       hg_error_set(reterr, -HG_EINVAL, format(got_text, sizeof(got_text), got),
				    " is out of range: allowed is ",
				    format(lo_text, sizeof(lo_text), lo), " to ",
				    format(hi_text, sizeof(hi_text), hi), NULL));
}

static int check_unless_0(const char *path, uint64_t got, uint64_t lo, uint64_t hi,
			  format_fn format, struct hg_error *reterr)
{
	return got == 0 ? 0 : check(path, got, lo, hi, format, reterr);
}

static int check_order(const struct hg_policy *p, struct hg_error *reterr)
{
	char min_text[32], max_text[32];

	if (p->max_bytes_per_s == 0 || p->min_bytes_per_s <= p->max_bytes_per_s)
		return 0;
	return fail_at("min", reterr,
		       hg_error_set(reterr, -HG_EINVAL,
				    hg_rate_format(min_text, sizeof(min_text), p->min_bytes_per_s),
				    " is more than max, ",
				    hg_rate_format(max_text, sizeof(max_text), p->max_bytes_per_s),
				    NULL));
}

static int validate_policy(const struct hg_policy *p, struct hg_error *reterr)
{
	int rc;

	if ((rc = check_unless_0("min", p->min_bytes_per_s, HG_RATE_MIN_BYTES_PER_S,
				 HG_RATE_MAX_BYTES_PER_S, hg_rate_format, reterr)) < 0)
		return rc;
	if ((rc = check_unless_0("max", p->max_bytes_per_s, HG_RATE_MIN_BYTES_PER_S,
				 HG_RATE_MAX_BYTES_PER_S, hg_rate_format, reterr)) < 0)
		return rc;
	if ((rc = check_order(p, reterr)) < 0)
		return rc;
	if ((rc = check_unless_0("max_pkts", p->max_pkts_per_s, PKT_RATE_MIN, PKT_RATE_MAX,
				 hg_pkt_rate_format, reterr)) < 0)
		return rc;
	if ((rc = check("burst", p->burst_bytes, HG_BURST_MIN_BYTES, HG_BURST_MAX_BYTES,
			hg_size_format, reterr)) < 0)
		return rc;
	if ((rc = check("idle.reserve", p->reserve_bytes, 0, p->burst_bytes, hg_size_format,
			reterr)) < 0)
		return rc;
	if ((rc = check("idle.after", (uint64_t)p->idle_after_ns, HG_IDLE_AFTER_MIN_NS,
			HG_IDLE_AFTER_MAX_NS, format_time, reterr)) < 0)
		return rc;
	if ((rc = check("weight", p->weight, 1, HG_WEIGHT_MAX, format_number, reterr)) < 0)
		return rc;
	if ((rc = check("accounting", p->accounting, HG_ACCOUNT_WIRE, HG_ACCOUNT_L2, format_number,
			reterr)) < 0)
		return rc;
	if ((rc = check("priority", p->priority, 0, HG_N_PRIORITIES - 1, format_number, reterr)) <
	    0)
		return rc;
	if ((rc = check("behaviour", p->behaviour, HG_FOLLOW_DEPTH, HG_FOLLOW_NONE, format_number,
			reterr)) < 0)
		return rc;
	rc = hg_class_set_validate(&p->classes, reterr);
	return rc < 0 ? fail_at("classes", reterr, rc) : 0;
}

int hg_contract_validate(const struct hg_contract *contract, struct hg_error *reterr)
{
	for (unsigned dir = 0; dir < HG_N_DIRS; dir++) {
		int rc = validate_policy(&contract->dir[dir], reterr);

		if (rc < 0)
			return fail_at(hg_dir_name((enum hg_dir)dir), reterr, rc);
	}
	return check("mode", contract->mode, HG_MODE_ENFORCE, HG_MODE_OBSERVE, format_number,
		     reterr);
}

const char *hg_dir_name(enum hg_dir dir)
{
	switch (dir) {
	case HG_OUT:
		return "out";
	case HG_IN:
		return "in";
	default:
		return "?";
	}
}
