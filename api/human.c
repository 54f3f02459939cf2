#include "api/human.h"

#include "core/histogram.h"
#include "core/ledger.h"

#include <stdio.h>
#include <string.h>

/* Three significant digits: 1.25, 12.5, 125; whole numbers below 10 keep no zeros behind the point. */
static void three_digits(char *buf, double value, const char *unit)
{
	int n_decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;

	if (value - (double)(uint64_t)value < 0.005)
		n_decimals = 0;
	snprintf(buf, HG_HUMAN_BYTES, "%.*f%s", n_decimals, value, unit);
}

static char *scaled(char *buf, double value, double step, const char *const *units,
		    unsigned n_units)
{
	unsigned i = 0;

	while (value >= 999.5 && i + 1u < n_units) {
		value /= step;
		i++;
	}
	three_digits(buf, value, units[i]);
	return buf;
}

char *hg_human_rate(char *buf, uint64_t bytes_per_s)
{
	static const char *const units[] = {"", "K", "M", "G", "T"};

	return scaled(buf, (double)bytes_per_s * 8, 1000, units, 5);
}

char *hg_human_rate_long(char *buf, uint64_t bytes_per_s)
{
	static const char *const units[] = {" bit/s", " Kbit/s", " Mbit/s", " Gbit/s", " Tbit/s"};

	return scaled(buf, (double)bytes_per_s * 8, 1000, units, 5);
}

char *hg_human_time(char *buf, hg_ns ns)
{
	static const char *const units[] = {"ns", "us", "ms", "s"};

	char end[HG_HUMAN_BYTES];

	if (ns == 0)
		snprintf(buf, HG_HUMAN_BYTES, "0");
	else if (ns == HG_NEVER)
		snprintf(buf, HG_HUMAN_BYTES, ">%.*s", HG_HUMAN_BYTES - 2,
			 scaled(end, (double)HG_HISTOGRAM_END_NS, 1000, units, 4));
	else
		scaled(buf, (double)ns, 1000, units, 4);
	return buf;
}

char *hg_human_size(char *buf, uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};

	return scaled(buf, (double)bytes, 1024, units, 6);
}

char *hg_human_share(char *buf, uint64_t part, uint64_t whole)
{
	double percent = whole == 0 ? 0 : (double)part * 100 / (double)whole;

	if (part == 0 || whole == 0)
		snprintf(buf, HG_HUMAN_BYTES, "0 %%");
	else if (percent < 0.1)
		snprintf(buf, HG_HUMAN_BYTES, "<0.1 %%");
	else
		snprintf(buf, HG_HUMAN_BYTES, percent < 9.95 ? "%.1f %%" : "%.0f %%", percent);
	return buf;
}

char *hg_human_long(char *buf, hg_ns ns)
{
	double s = (double)ns / (double)HG_NS_PER_S;

	if (ns == HG_NEVER)
		snprintf(buf, HG_HUMAN_BYTES, "-");
	else if (s < 120)
		snprintf(buf, HG_HUMAN_BYTES, "%.0f s", s);
	else if (s < 120 * 60)
		snprintf(buf, HG_HUMAN_BYTES, "%.0f min", s / 60);
	else if (s < 48 * 3600)
		snprintf(buf, HG_HUMAN_BYTES, "%.1f h", s / 3600);
	else
		snprintf(buf, HG_HUMAN_BYTES, s < 100.0 * 86400 ? "%.1f days" : "%.0f days",
			 s / 86400);
	return buf;
}

char *hg_human_credits(char *buf, int64_t cpu_ns)
{
	double credits = (double)cpu_ns / (double)HG_CREDIT_CPU_NS;
	double size = credits < 0 ? -credits : credits;
	int n_decimals = size < 10 ? 2 : size < 1000 ? 1 : 0;

	snprintf(buf, HG_HUMAN_BYTES, "%.*f", n_decimals, size < 0.005 ? 0 : credits);
	if (strchr(buf, '.') != NULL) {
		size_t n = strlen(buf);

		while (buf[n - 1] == '0')
			buf[--n] = '\0';
		if (buf[n - 1] == '.')
			buf[n - 1] = '\0';
	}
	return buf;
}
