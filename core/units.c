#include "core/units.h"
#include "core/error.h"
#include "core/text.h"

#include <stdbool.h>
#include <string.h>

/* More decimals than any exact text of a 64-bit value has: (2^-30 GiB) 30 of them. */
#define DECIMALS_MAX 32u

/* One suffix is worth num / den of the inner unit. */
struct suffix {
	const char *text;
	uint64_t num;
	uint32_t den; /* 1 or 8 */
};

struct quantity {
	const char *noun;
	const char *example;
	const char *allowed;
	const struct suffix *suffixes; /* ends with text NULL; the first is what 0 is written in */
};

static const struct suffix rate_suffixes[] = {
	{"bit", 1, 8},
	{"Kbit", 125, 1},
	{"Mbit", 125000, 1},
	{"Gbit", 125000000, 1},
	{"Tbit", UINT64_C(125000000000), 1},
	{"Kibit", 128, 1},
	{"Mibit", 128 << 10, 1},
	{"Gibit", 128 << 20, 1},
	{"Tibit", UINT64_C(128) << 30, 1},
	{NULL, 0, 1},
};

static const struct suffix size_suffixes[] = {
	{"B", 1, 1},         {"KB", 1000, 1},     {"MB", 1000000, 1},  {"GB", 1000000000, 1},
	{"KiB", 1 << 10, 1}, {"MiB", 1 << 20, 1}, {"GiB", 1 << 30, 1}, {NULL, 0, 1},
};

static const struct suffix time_suffixes[] = {
	{"s", 1000000000, 1},
	{"ns", 1, 1},
	{"us", 1000, 1},
	{"ms", 1000000, 1},
	{"m", UINT64_C(60000000000), 1},
	{"h", UINT64_C(3600000000000), 1},
	{NULL, 0, 1},
};

static const struct suffix pkt_rate_suffixes[] = {
	{"pps", 1, 1},
	{"Kpps", 1000, 1},
	{"Mpps", 1000000, 1},
	{NULL, 0, 1},
};

static const struct quantity rate = {
	"rate",
	"10Mbit",
	"a number and one of bit Kbit Mbit Gbit Tbit Kibit Mibit Gibit Tibit",
	rate_suffixes,
};
static const struct quantity size_in_bytes = {
	"size",
	"256KiB",
	"a number and one of B KB MB GB KiB MiB GiB",
	size_suffixes,
};
static const struct quantity time_span = {
	"time",
	"10ms",
	"a number and one of ns us ms s m h",
	time_suffixes,
};
static const struct quantity pkt_rate = {
	"packet rate",
	"10Kpps",
	"a number and one of pps Kpps Mpps",
	pkt_rate_suffixes,
};

/* ---- numbers ------------------------------------------------------------------------------------ */

struct number {
	uint64_t whole;
	uint8_t decimals[DECIMALS_MAX];
	uint32_t n_decimals;
	bool is_zero;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

enum reading { READ_OK, READ_NO_NUMBER, READ_TOO_LARGE, READ_TOO_FINE };

/* Reads digits, and a point with digits, from *at, which is left behind them. */
static enum reading read_number(const char **at, struct number *ret)
{
	const char *p = *at;

	*ret = (struct number){.is_zero = true};
	if (!is_digit(*p))
		return READ_NO_NUMBER;
	for (; is_digit(*p); p++) {
		unsigned digit = (unsigned)(*p - '0');

		if (ret->whole > (UINT64_MAX - digit) / 10)
			return READ_TOO_LARGE;
		ret->whole = ret->whole * 10 + digit;
		ret->is_zero &= digit == 0;
	}
	if (*p == '.') {
		p++;
		if (!is_digit(*p))
			return READ_NO_NUMBER;
		for (; is_digit(*p); p++) {
			if (ret->n_decimals == DECIMALS_MAX)
				return READ_TOO_FINE;
			ret->decimals[ret->n_decimals++] = (uint8_t)(*p - '0');
			ret->is_zero &= *p == '0';
		}
	}
	*at = p;
	return READ_OK;
}

/* number * num / den to the nearest whole, halves upward. False if it exceeds 64 bits. */
static bool scale(const struct number *number, const struct suffix *suffix, uint64_t *ret)
{
	uint8_t rest[DECIMALS_MAX];
	uint64_t carry = 0, sum, left;
	bool round_up;

	if (number->whole > UINT64_MAX / suffix->num)
		return false;
	sum = number->whole * suffix->num;
	/* The decimals times num, as one multiplies on paper: carry becomes the whole part of the
	 * product, and rest its decimals, exactly. */
	for (uint32_t i = number->n_decimals; i-- > 0;) {
		carry += number->decimals[i] * suffix->num;
		rest[i] = (uint8_t)(carry % 10);
		carry /= 10;
	}
	if (sum > UINT64_MAX - carry)
		return false;
	sum += carry;
	left = sum % suffix->den;
	sum /= suffix->den;
	if (suffix->den > 1)
		round_up = left * 2 >= suffix->den;
	else
		round_up = number->n_decimals > 0 && rest[0] >= 5;
	if (round_up && sum == UINT64_MAX)
		return false;
	*ret = sum + round_up;
	return true;
}

static const struct suffix *find_suffix(const struct quantity *q, const char *text)
{
	for (const struct suffix *s = q->suffixes; s->text != NULL; s++) {
		if (strcmp(s->text, text) == 0)
			return s;
	}
	return NULL;
}

/* ---- hints -------------------------------------------------------------------------------------- */

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* The suffix that was probably meant by another case, or by a space before it. NULL if none was, or
 * if more than one may have been. */
static const struct suffix *guess_suffix(const struct quantity *q, const char *text)
{
	const struct suffix *found = NULL;

	while (*text == ' ')
		text++;
	for (const struct suffix *s = q->suffixes; s->text != NULL; s++) {
		size_t i = 0;

		while (s->text[i] != '\0' && lower(s->text[i]) == lower(text[i]))
			i++;
		if (s->text[i] != '\0' || text[i] != '\0')
			continue;
		if (found != NULL)
			return NULL;
		found = s;
	}
	return found;
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

/* "10MB/s", "10MBps", "10MB": bytes where a rate is written in bits. */
static bool hint_bytes(const struct number *number, const char *unit, struct hg_text *hint)
{
	static const char *const ends[] = {"/s", "ps", ""};
	char shown[32], size[8];
	uint64_t bytes;

	for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t n = strlen(unit) - strlen(ends[i]);
		const struct suffix *suffix;

		if (!ends_with(unit, ends[i]) || n >= sizeof(size))
			continue;
		memcpy(size, unit, n);
		size[n] = '\0';
		suffix = find_suffix(&size_in_bytes, size);
		if (suffix == NULL || !scale(number, suffix, &bytes))
			continue;
		hg_text_add(hint, "rates are bits: write ");
		hg_text_add(hint, hg_rate_format(shown, sizeof(shown), bytes));
		return true;
	}
	return false;
}

/* Writes what was probably meant. `digits` is the number as it was written, n_digits long. */
static void add_hint(const struct quantity *q, const char *digits, size_t n_digits,
		     const struct number *number, const char *unit, struct hg_text *hint)
{
	const struct suffix *guess = guess_suffix(q, unit);
	char prefix[2] = {0};

	if (unit[0] == '\0') {
		hg_text_add(hint, "say a unit, such as ");
		hg_text_add(hint, q->example);
		return;
	}
	if (guess != NULL) {
		hg_text_add(hint, "write ");
	} else if (q == &rate && ends_with(unit, "bps") && strlen(unit) <= 4) {
		if (unit[0] != 'b')
			prefix[0] = unit[0] == 'k' ? 'K' : unit[0];
		hg_text_add(hint, "bits or bytes? write ");
	} else if (q == &rate && hint_bytes(number, unit, hint)) {
		return;
	} else {
		hg_text_add(hint, "write ");
		hg_text_add(hint, q->allowed);
		return;
	}
	for (size_t i = 0; i < n_digits && i < DECIMALS_MAX; i++)
		hg_text_add_char(hint, digits[i]);
	hg_text_add(hint, guess != NULL ? guess->text : prefix);
	if (guess == NULL)
		hg_text_add(hint, "bit");
}

static int refuse(const struct quantity *q, const char *text, const char *why,
		  struct hg_error *reterr)
{
	char quoted[64];
	struct hg_text quote;

	hg_text_init(&quote, quoted, sizeof(quoted));
	hg_text_add_quoted(&quote, text);
	return hg_error_set(reterr, -HG_EINVAL, quoted, " is no ", q->noun, ": ", why, NULL);
}

/* ---- reading and writing ------------------------------------------------------------------------ */

static int parse(const struct quantity *q, const char *text, uint64_t max, uint64_t *ret,
		 struct hg_error *reterr)
{
	const char *unit = text;
	const struct suffix *suffix;
	struct number number;
	struct hg_text hint;
	char hint_text[128];
	uint64_t value;

	switch (read_number(&unit, &number)) {
	case READ_NO_NUMBER:
		hg_text_init(&hint, hint_text, sizeof(hint_text));
		hg_text_add(&hint, "write ");
		hg_text_add(&hint, q->allowed);
		return refuse(q, text, hint_text, reterr);
	case READ_TOO_LARGE:
		return refuse(q, text, "the number is too large", reterr);
	case READ_TOO_FINE:
		return refuse(q, text, "at most 32 decimals", reterr);
	case READ_OK:
		break;
	}
	suffix = find_suffix(q, unit);
	if (suffix == NULL && !(number.is_zero && unit[0] == '\0')) {
		hg_text_init(&hint, hint_text, sizeof(hint_text));
		add_hint(q, text, (size_t)(unit - text), &number, unit, &hint);
		return refuse(q, text, hint_text, reterr);
	}
	if (number.is_zero) {
		*ret = 0;
		return 0;
	}
	if (!scale(&number, suffix, &value) || value > max)
		return refuse(q, text, "the number is too large", reterr);
	if (value == 0)
		return refuse(q, text, "so little rounds to 0", reterr);
	*ret = value;
	return 0;
}

/* Writes value in the suffix's unit if it has an exact text that fits. */
static bool write_exact(struct hg_text *text, uint64_t value, const struct suffix *suffix)
{
	uint64_t rest;

	if (value > UINT64_MAX / suffix->den)
		return false;
	value *= suffix->den;
	rest = value % suffix->num;
	hg_text_add_u64(text, value / suffix->num);
	if (rest > 0)
		hg_text_add_char(text, '.');
	/* num is at most 3.6 * 10^12, so ten times a rest fits. */
	while (rest > 0 && text->has_room) {
		rest *= 10;
		hg_text_add_char(text, (char)('0' + rest / suffix->num));
		rest %= suffix->num;
	}
	hg_text_add(text, suffix->text);
	return text->has_room;
}

/* The shortest exact text; of two that are equally short the one in the larger unit, but
 * 100us rather than 0.1ms. */
static char *format(const struct quantity *q, char *buf, size_t size, uint64_t value)
{
	char best[32], shown[32];
	size_t n_best = sizeof(best);
	uint64_t best_num = 0;
	struct hg_text text;

	for (const struct suffix *s = q->suffixes; s->text != NULL; s++) {
		hg_text_init(&text, shown, sizeof(shown));
		if (!write_exact(&text, value, s))
			continue;
		if (text.n_bytes > n_best ||
		    (text.n_bytes == n_best && (shown[0] == '0' || s->num < best_num)))
			continue;
		memcpy(best, shown, sizeof(best));
		n_best = text.n_bytes;
		best_num = s->num;
	}
	hg_text_init(&text, buf, size);
	hg_text_add(&text, best);
	return buf;
}

int hg_rate_parse(const char *text, uint64_t *ret_bytes_per_s, struct hg_error *reterr)
{
	return parse(&rate, text, UINT64_MAX, ret_bytes_per_s, reterr);
}

int hg_size_parse(const char *text, uint64_t *ret_bytes, struct hg_error *reterr)
{
	return parse(&size_in_bytes, text, UINT64_MAX, ret_bytes, reterr);
}

int hg_time_parse(const char *text, hg_ns *ret_ns, struct hg_error *reterr)
{
	uint64_t value;
	int rc = parse(&time_span, text, INT64_MAX, &value, reterr);

	if (rc == 0)
		*ret_ns = (hg_ns)value;
	return rc;
}

int hg_pkt_rate_parse(const char *text, uint64_t *ret_pkts_per_s, struct hg_error *reterr)
{
	return parse(&pkt_rate, text, UINT64_MAX, ret_pkts_per_s, reterr);
}

char *hg_rate_format(char *buf, size_t size, uint64_t bytes_per_s)
{
	return format(&rate, buf, size, bytes_per_s);
}

char *hg_size_format(char *buf, size_t size, uint64_t bytes)
{
	return format(&size_in_bytes, buf, size, bytes);
}

char *hg_time_format(char *buf, size_t size, hg_ns ns)
{
	return format(&time_span, buf, size, ns > 0 ? (uint64_t)ns : 0);
}

char *hg_pkt_rate_format(char *buf, size_t size, uint64_t pkts_per_s)
{
	return format(&pkt_rate, buf, size, pkts_per_s);
}
