/* Fields as text: how each kind of api/schema.h reads and writes. */
#include "api/field.h"
#include "api/field_class.h"
#include "api/field_vlan.h"
#include "api/nearest.h"
#include "core/text.h"

#include <arpa/inet.h>
#include <string.h>

#define PPM 1000000u

/* ---- reading ------------------------------------------------------------------------------------ */

static int refuse(const char *text, const char *why, const char *more, struct hg_error *reterr)
{
	char quoted[64];
	struct hg_text quote;

	hg_text_init(&quote, quoted, sizeof(quoted));
	hg_text_add_quoted(&quote, text);
	return hg_error_set(reterr, -HG_EINVAL, quoted, why, more, NULL);
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static int parse_name(const struct hg_field *f, const char *text, char *at, struct hg_error *reterr)
{
	char most[16];
	struct hg_text number;
	size_t n = 0;

	while (is_name_char(text[n]) || (n > 0 && text[n] != '\0' && strchr("._-", text[n])))
		n++;
	if (n == 0 || text[n] != '\0')
		return refuse(text,
			      " is no name: allowed are a-z 0-9, and . _ - after the first letter",
			      NULL, reterr);
	if (n >= f->size) {
		hg_text_init(&number, most, sizeof(most));
		hg_text_add_u64(&number, f->size - 1u);
		return refuse(text, " is too long: most letters are ", most, reterr);
	}
	memcpy(at, text, n + 1u);
	return 0;
}

static int parse_text(const struct hg_field *f, const char *text, char *at, struct hg_error *reterr)
{
	size_t n = 0;
	char most[16];
	struct hg_text number;

	while (text[n] > ' ' && text[n] < 127)
		n++;
	if (n == 0 || text[n] != '\0')
		return refuse(text, " is not allowed: it must be printable ASCII without blanks",
			      NULL, reterr);
	if (n >= f->size) {
		hg_text_init(&number, most, sizeof(most));
		hg_text_add_u64(&number, f->size - 1u);
		return refuse(text, " is too long: most letters are ", most, reterr);
	}
	memcpy(at, text, n + 1u);
	return 0;
}

static int parse_count(const struct hg_field *f, const char *text, uint64_t *ret,
		       struct hg_error *reterr)
{
	char range[96];
	uint64_t value = 0;
	size_t n = 0;

	for (; text[n] >= '0' && text[n] <= '9'; n++) {
		if (n >= 18u)
			break;
		value = value * 10u + (uint64_t)(text[n] - '0');
	}
	if (n == 0 || text[n] != '\0')
		return refuse(text, " is no whole number: allowed is ",
			      hg_field_range(f, range, sizeof(range)), reterr);
	*ret = value;
	return 0;
}

/* "1.5" -> 1,500,000, or less for a smaller unit. Returns what follows the number; NULL if there is none. */
static const char *parse_decimal(const char *text, uint32_t unit, uint64_t *ret)
{
	uint64_t value = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9' && value < PPM; p++)
		value = value * 10u + (uint64_t)(*p - '0');
	value *= unit;
	if (p == text)
		return NULL;
	if (*p == '.' && p[1] >= '0' && p[1] <= '9') {
		for (p++; *p >= '0' && *p <= '9' && unit > 1u; p++) {
			unit /= 10u;
			value += (uint64_t)(*p - '0') * unit;
		}
	}
	*ret = value;
	return p;
}

static int parse_factor(const char *text, uint64_t *ret, struct hg_error *reterr)
{
	const char *rest = parse_decimal(text, PPM, ret);

	if (rest == NULL || *rest != '\0')
		return refuse(text,
			      " is no factor: write a number such as 1.5, with up to six "
			      "decimals",
			      NULL, reterr);
	return 0;
}

static int parse_percent(const char *text, uint64_t *ret, struct hg_error *reterr)
{
	const char *rest = parse_decimal(text, PPM / 100u, ret);

	if (rest == NULL || strcmp(rest, "%") != 0)
		return refuse(text, " is no percentage: write it as 20% or 22.5%", NULL, reterr);
	return 0;
}

static int parse_credits(const char *text, uint64_t *ret, struct hg_error *reterr)
{
	const char *rest = parse_decimal(text, PPM, ret);

	if (rest == NULL || *rest != '\0')
		return refuse(text,
			      " is no number of credits: write 144 or 81.6, with up to six "
			      "decimals; a credit is one processor for a minute",
			      NULL, reterr);
	return 0;
}

static int parse_word(const struct hg_field *f, const char *text, uint64_t *ret,
		      struct hg_error *reterr)
{
	char allowed[128];
	struct hg_text out;
	struct hg_nearest nearest;

	hg_nearest_init(&nearest, text);
	hg_text_init(&out, allowed, sizeof(allowed));
	for (uint32_t i = 0; f->words[i] != NULL; i++) {
		if (strcmp(f->words[i], text) == 0) {
			*ret = i;
			return 0;
		}
		hg_nearest_offer(&nearest, f->words[i]);
		hg_text_add(&out, i > 0 ? ", " : "");
		hg_text_add(&out, f->words[i]);
	}
	if (nearest.best != NULL) {
		hg_text_add(&out, "; did you mean '");
		hg_text_add(&out, nearest.best);
		hg_text_add(&out, "'?");
	}
	return refuse(text, " is not allowed: one of ", allowed, reterr);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static int parse_mac(const char *text, uint8_t *at, struct hg_error *reterr)
{
	uint8_t mac[HG_MAC_BYTES];
	const char *p = text;

	for (unsigned i = 0; i < HG_MAC_BYTES; i++, p += 3) {
		int hi = hex_digit(p[0]), lo = hi < 0 ? -1 : hex_digit(p[1]);

		if (lo < 0 || p[2] != (i + 1u < HG_MAC_BYTES ? ':' : '\0'))
			return refuse(text, " is no MAC address: write it as 02:00:00:00:00:11",
				      NULL, reterr);
		mac[i] = (uint8_t)(hi * 16 + lo);
	}
	if ((mac[0] & 1u) != 0)
		return refuse(text,
			      " is a group address: a port needs one of its own, whose first "
			      "byte is even",
			      NULL, reterr);
	if (memcmp(mac, (const uint8_t[HG_MAC_BYTES]){0}, sizeof(mac)) == 0)
		return refuse(text, " is nobody's address", NULL, reterr);
	memcpy(at, mac, sizeof(mac));
	return 0;
}

static int parse_address(const struct hg_field *f, const char *text, void *base,
			 struct hg_error *reterr)
{
	struct hg_address address = {0};
	struct hg_address *list = (struct hg_address *)(void *)((char *)base + f->offset);
	uint32_t *n = hg_field_count(f, base);

	if (inet_pton(AF_INET, text, address.bytes) == 1)
		address.len = 4;
	else if (inet_pton(AF_INET6, text, address.bytes) == 1)
		address.len = 16;
	else
		return refuse(text,
			      " is no IPv4 or IPv6 address; write it as 10.0.0.11 or fd00::11"
			      ", without a prefix length",
			      NULL, reterr);
	if (*n >= HG_PORT_ADDRESSES_MAX)
		return hg_error_set(reterr, -HG_EINVAL, "a port has at most 8 addresses", NULL);
	for (uint32_t i = 0; i < *n; i++) {
		if (memcmp(&list[i], &address, sizeof(address)) == 0)
			return refuse(text, " is there twice", NULL, reterr);
	}
	list[(*n)++] = address;
	return 0;
}

static bool is_zero_word(const struct hg_field *f, const char *text)
{
	const char *word = hg_field_zero_word(f);

	return word != NULL && strcmp(text, word) == 0;
}

static int parse_number(const struct hg_field *f, const char *text, uint64_t *ret,
			struct hg_error *reterr)
{
	hg_ns ns = 0;
	int rc;

	switch (f->kind) {
	case HG_KIND_RATE:
		return hg_rate_parse(text, ret, reterr);
	case HG_KIND_SIZE:
		return hg_size_parse(text, ret, reterr);
	case HG_KIND_TIME:
		rc = hg_time_parse(text, &ns, reterr);
		*ret = (uint64_t)ns;
		return rc;
	case HG_KIND_PKT_RATE:
		return hg_pkt_rate_parse(text, ret, reterr);
	case HG_KIND_FACTOR:
		return parse_factor(text, ret, reterr);
	case HG_KIND_PERCENT:
		return parse_percent(text, ret, reterr);
	case HG_KIND_CREDITS:
		return parse_credits(text, ret, reterr);
	default:
		return parse_count(f, text, ret, reterr);
	}
}

static int parse_in_range(const struct hg_field *f, const char *text, void *base,
			  struct hg_error *reterr)
{
	uint64_t value = 0;
	char range[96];
	int rc;

	if (is_zero_word(f, text)) {
		hg_field_store(f, base, 0);
		return 0;
	}
	rc = parse_number(f, text, &value, reterr);
	if (rc < 0)
		return rc;
	if ((value < f->lo || value > f->hi) && !(value == 0 && f->may_be_0))
		return refuse(text, " is out of range: allowed is ",
			      hg_field_range(f, range, sizeof(range)), reterr);
	hg_field_store(f, base, value);
	return 0;
}

int hg_field_parse(const struct hg_field *f, const char *text, void *base, struct hg_error *reterr)
{
	char *at = (char *)base + f->offset;
	uint64_t value = 0;
	int rc;

	switch (f->kind) {
	case HG_KIND_NAME:
		return parse_name(f, text, at, reterr);
	case HG_KIND_TEXT:
		return parse_text(f, text, at, reterr);
	case HG_KIND_WORD:
		rc = parse_word(f, text, &value, reterr);
		if (rc == 0)
			hg_field_store(f, base, value);
		return rc;
	case HG_KIND_MAC:
		rc = parse_mac(text, (uint8_t *)at, reterr);
		if (rc == 0)
			*hg_field_has(f, base) = true;
		return rc;
	case HG_KIND_ADDRESSES:
		return parse_address(f, text, base, reterr);
	case HG_KIND_VLANS:
		return hg_vlans_parse(f, text, base, reterr);
	case HG_KIND_CODES:
		return hg_codes_parse(f, text, base, reterr);
	default:
		return parse_in_range(f, text, base, reterr);
	}
}

/* ---- writing ------------------------------------------------------------------------------------ */

static void add_decimal(struct hg_text *text, uint64_t value, uint32_t unit)
{
	uint64_t rest = value % unit;

	hg_text_add_u64(text, value / unit);
	if (rest > 0)
		hg_text_add(text, ".");
	for (unit /= 10u; rest > 0; unit /= 10u) {
		hg_text_add_char(text, (char)('0' + rest / unit));
		rest %= unit;
	}
}

static char *format_number(const struct hg_field *f, char *buf, size_t size, uint64_t value)
{
	struct hg_text text;

	switch (f->kind) {
	case HG_KIND_RATE:
		return hg_rate_format(buf, size, value);
	case HG_KIND_SIZE:
		return hg_size_format(buf, size, value);
	case HG_KIND_TIME:
		return hg_time_format(buf, size, (hg_ns)value);
	case HG_KIND_PKT_RATE:
		return hg_pkt_rate_format(buf, size, value);
	default:
		hg_text_init(&text, buf, size);
		if (f->kind == HG_KIND_WORD)
			hg_text_add(&text, f->words[value]);
		else if (f->kind == HG_KIND_PERCENT)
			add_decimal(&text, value, PPM / 100u);
		else if (f->kind == HG_KIND_FACTOR || f->kind == HG_KIND_CREDITS)
			add_decimal(&text, value, PPM);
		else
			hg_text_add_u64(&text, value);
		if (f->kind == HG_KIND_PERCENT)
			hg_text_add(&text, "%");
		return buf;
	}
}

static void format_mac(struct hg_text *text, const uint8_t *mac)
{
	static const char digits[] = "0123456789abcdef";

	for (unsigned i = 0; i < HG_MAC_BYTES; i++) {
		if (i > 0)
			hg_text_add_char(text, ':');
		hg_text_add_char(text, digits[mac[i] >> 4]);
		hg_text_add_char(text, digits[mac[i] & 15u]);
	}
}

static const char *format_address(const struct hg_address *address, char *buf, socklen_t size)
{
	return inet_ntop(address->len == 4 ? AF_INET : AF_INET6, address->bytes, buf, size);
}

static void format_addresses(const struct hg_field *f, const void *base, struct hg_text *text)
{
	const struct hg_address *list =
		(const struct hg_address *)(const void *)((const char *)base + f->offset);
	char address[INET6_ADDRSTRLEN];
	uint32_t n = hg_field_count_of(f, base);

	for (uint32_t i = 0; i < n; i++) {
		if (i > 0)
			hg_text_add(text, ", ");
		hg_text_add(text, format_address(&list[i], address, sizeof(address)));
	}
}

char *hg_field_format(const struct hg_field *f, const void *base, char *buf, size_t size)
{
	const char *at = (const char *)base + f->offset;
	struct hg_text text;

	if (f->kind == HG_KIND_VLANS)
		return hg_vlans_format(f, base, buf, size);
	if (f->kind == HG_KIND_CODES)
		return hg_codes_format(f, base, buf, size);
	if (f->kind == HG_KIND_CLASSES)
		return hg_classes_format(f, base, buf, size);
	hg_text_init(&text, buf, size);
	if (f->kind == HG_KIND_WORD ||
	    (hg_kind_is_number(f->kind) && hg_field_load(f, base) >= f->lo &&
	     hg_field_load(f, base) <= f->hi))
		return format_number(f, buf, size, hg_field_load(f, base));
	if (f->zero_word != NULL && hg_field_load(f, base) == 0)
		hg_text_add(&text, f->zero_word);
	else if (hg_field_is_default(f, base))
		hg_text_add(&text, f->fallback_text != NULL ? f->fallback_text : "none");
	else if (hg_kind_is_number(f->kind))
		hg_text_add_u64(&text, hg_field_load(f, base));
	else if (f->kind == HG_KIND_MAC)
		format_mac(&text, (const uint8_t *)at);
	else if (f->kind == HG_KIND_ADDRESSES)
		format_addresses(f, base, &text);
	else
		hg_text_add(&text, at);
	return buf;
}

static json_t *addresses_to_json(const struct hg_field *f, const void *base)
{
	const struct hg_address *list =
		(const struct hg_address *)(const void *)((const char *)base + f->offset);
	char address[INET6_ADDRSTRLEN];
	json_t *array = json_array();
	uint32_t n = hg_field_count_of(f, base);

	for (uint32_t i = 0; array != NULL && i < n; i++) {
		const char *text = format_address(&list[i], address, sizeof(address));

		if (json_array_append_new(array, json_string(text)) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

json_t *hg_field_to_json(const struct hg_field *f, const void *base)
{
	char buf[HG_FIELD_TEXT_BYTES];

	if (f->kind == HG_KIND_ADDRESSES)
		return addresses_to_json(f, base);
	if (f->kind == HG_KIND_VLANS)
		return hg_vlans_to_json(f, base);
	if (f->kind == HG_KIND_CODES)
		return hg_codes_to_json(f, base);
	if (f->kind == HG_KIND_CLASSES)
		return hg_classes_to_json(f, base);
	if (f->kind == HG_KIND_COUNT && (f->zero_word == NULL || hg_field_load(f, base) != 0))
		return json_integer((json_int_t)hg_field_load(f, base));
	return json_string(hg_field_format(f, base, buf, sizeof(buf)));
}

char *hg_field_range(const struct hg_field *f, char *buf, size_t size)
{
	const char *zero_word = hg_field_zero_word(f);
	char number[40];
	struct hg_text text;

	hg_text_init(&text, buf, size);
	if (f->kind == HG_KIND_WORD) {
		for (unsigned i = 0; f->words[i] != NULL; i++) {
			hg_text_add(&text, i > 0 ? ", " : "");
			hg_text_add(&text, f->words[i]);
		}
		return buf;
	}
	if (f->kind == HG_KIND_CODES)
		return hg_codes_range(f, buf, size);
	if (!hg_kind_is_number(f->kind))
		return buf;
	hg_text_add(&text, format_number(f, number, sizeof(number), f->lo));
	hg_text_add(&text, " to ");
	hg_text_add(&text, format_number(f, number, sizeof(number), f->hi));
	hg_text_add(&text, zero_word != NULL ? ", or " : "");
	hg_text_add(&text, zero_word != NULL ? zero_word : "");
	return buf;
}
