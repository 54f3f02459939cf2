#include "cli/pretty.h"

#include "api/human.h"

#include <string.h>

#define VALUE_BYTES 64

static bool ends_with(const char *key, const char *unit, size_t *ret_stem)
{
	size_t n = strlen(key), n_unit = strlen(unit);

	if (n <= n_unit || strcmp(key + n - n_unit, unit) != 0)
		return false;
	*ret_stem = n - n_unit;
	return true;
}

/* The number as its key's unit wants it; *ret_stem is how much of the key remains. */
static void format_number(const char *key, json_int_t value, char buf[VALUE_BYTES],
			  size_t *ret_stem)
{
	*ret_stem = strlen(key);
	if (ends_with(key, "_bytes_per_s", ret_stem))
		hg_human_rate_long(buf, (uint64_t)value);
	else if (ends_with(key, "_pkts_per_s", ret_stem))
		snprintf(buf, VALUE_BYTES, "%lld pps", (long long)value);
	else if (ends_with(key, "_ns", ret_stem))
		hg_human_time(buf, value);
	else if (ends_with(key, "_bytes", ret_stem))
		hg_human_size(buf, (uint64_t)value);
	else if (ends_with(key, "_ppm", ret_stem))
		hg_human_share(buf, (uint64_t)value, 1000000);
	else
		snprintf(buf, VALUE_BYTES, "%lld", (long long)value);
}

static void print_list(const struct hg_cli *cli, const char *key, json_t *list, unsigned indent)
{
	json_t *one;
	size_t i;

	fprintf(cli->out, "%*s%s:", (int)indent, "", key);
	if (json_array_size(list) == 0)
		fputs(" none", cli->out);
	json_array_foreach(list, i, one)
	{
		if (json_is_string(one))
			fprintf(cli->out, " %s", json_string_value(one));
	}
	fputc('\n', cli->out);
	json_array_foreach(list, i, one)
	{
		if (json_is_object(one))
			hg_pretty_print(cli, one, indent + 2);
	}
}

/* The names of the reasons are no keys: hold_bytes counts packets. */
static void print_drops(const struct hg_cli *cli, json_t *drops, unsigned indent)
{
	const char *reason;
	json_t *value;

	fprintf(cli->out, "%*sdrops, packets:%s\n", (int)indent, "",
		json_object_size(drops) == 0 ? " none" : "");
	json_object_foreach(drops, reason, value)
		fprintf(cli->out, "%*s%s: %lld\n", (int)indent + 2, "", reason,
			(long long)json_integer_value(value));
}

static void print_value(const struct hg_cli *cli, const char *key, json_t *value, unsigned indent)
{
	char buf[VALUE_BYTES];
	size_t stem;

	switch (json_typeof(value)) {
	case JSON_OBJECT:
		if (strcmp(key, "drops") == 0) {
			print_drops(cli, value, indent);
			break;
		}
		fprintf(cli->out, "%*s%s:%s\n", (int)indent, "", key,
			json_object_size(value) == 0 ? " none" : "");
		hg_pretty_print(cli, value, indent + 2);
		break;
	case JSON_ARRAY:
		print_list(cli, key, value, indent);
		break;
	case JSON_INTEGER:
		format_number(key, json_integer_value(value), buf, &stem);
		fprintf(cli->out, "%*s%.*s: %s\n", (int)indent, "", (int)stem, key, buf);
		break;
	case JSON_STRING:
		fprintf(cli->out, "%*s%s: %s\n", (int)indent, "", key,
			json_string_length(value) == 0 ? "none" : json_string_value(value));
		break;
	default:
		fprintf(cli->out, "%*s%s: %s\n", (int)indent, "", key,
			json_is_true(value) ? "yes" : "no");
	}
}

void hg_pretty_print(const struct hg_cli *cli, json_t *object, unsigned indent)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value) print_value(cli, key, value, indent);
}
