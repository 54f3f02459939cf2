/* config_reference: writes docs/configuration.md from the field tables of api/schema.h.
 *
 * Use        config_reference              writes it to standard output
 *            config_reference --check FILE  exit 1 if FILE is not what it would write
 */
#include "api/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char beginning[] =
	"# Configuration\n"
	"\n"
	"One YAML file, or the same as JSON. Written by `tools/config_reference` from the field "
	"tables in\n"
	"`api/schema.c`: change those, not this. `packaging/headgated.example.yaml` is an example "
	"with every key;\n"
	"`headgated --check FILE` says whether a file is valid, and if not, in which line and "
	"column it is wrong,\n"
	"what is allowed there, and what was probably meant.\n"
	"\n"
	"## Words and units\n"
	"\n"
	"| kind | written | examples |\n"
	"|---|---|---|\n"
	"| rate | bits per second, with a unit: `bit Kbit Mbit Gbit Tbit`, or `Kibit` ... `Tibit` "
	"| `10Gbit`, `2.5Mbit` |\n"
	"| size | bytes, with a unit: `B KB MB GB KiB MiB GiB` | `256KiB` |\n"
	"| time | with a unit: `ns us ms s m h` | `10ms`, `24h` |\n"
	"| packet rate | packets per second: `pps Kpps Mpps` | `100Kpps` |\n"
	"| name | `a-z 0-9 . _ -`, begins with a letter or digit, at most 63 | `web1` |\n"
	"| text | printable ASCII without blanks | `tap:web1-0` |\n"
	"| number, factor, credits | a bare number | `4`, `1.5`, `81.6` |\n"
	"| percentage | with its sign | `20%` |\n"
	"| MAC address | six bytes in hexadecimal; of one port, not of a group | "
	"`\"02:00:00:00:00:11\"` |\n"
	"| list of codes | numbers, or the names that they have | `[ef, cs6, 10]` |\n"
	"| list of VLANs | numbers and ranges, both ends included, at most 16 | `[100, 200-299]` "
	"|\n"
	"| list of addresses | IPv4 and IPv6, without a prefix length, at most 8 | `[10.0.0.11, "
	"\"fd00::11\"]` |\n"
	"\n"
	"A rate, size or time without a unit is an error, and so are `bps` and `MB/s`: bits and "
	"bytes are too easily\n"
	"taken for one another. Rates count wire bytes: the frame and 24 bytes more for each "
	"packet that it will be\n"
	"on the wire. `out` is what an instance sends, `in` what it receives.\n"
	"\n"
	"Refused, with line and column: unknown keys, a key twice in one object, anchors and "
	"aliases (`&x`, `*x`), tags\n"
	"(`!x`), a second document, text that is not UTF-8, a name or a device twice, and a set of "
	"guarantees that\n"
	"exceeds what an uplink carries. Keys that are known but not served yet are refused by "
	"name; they are listed\n"
	"with each resource.\n";

static const char end[] =
	"\n"
	"## Single steps\n"
	"\n"
	"Beside whole files there are single steps, for hooks of other programs: `instance "
	"add|remove` and\n"
	"`port attach|detach` (`PUT` and `DELETE` of `/v1/instances/NAME` and `/v1/ports/NAME`), "
	"and `uplink set` (`PUT`\n"
	"of `/v1/uplinks/NAME`). A step can be repeated: one that finds in place what it asks for "
	"changes nothing, and\n"
	"says so.\n"
	"\n"
	"- The body of an instance has the keys of an instance, and `tenant`. A key of the body "
	"replaces that part as a\n"
	"  whole; what the body leaves out stays as it is. Another `tenant` moves the instance.\n"
	"- The body of a port has the keys of a port, and `instance`. The port becomes what the "
	"body says, as a whole;\n"
	"  without `instance` it stays where it is.\n"
	"- The body of an uplink has the keys that are to change; the uplink must be there.\n"
	"- `name` may be left out of a body.\n"
	"- What is removed need not be there.\n";

static void add_default(FILE *out, const struct hg_field *f)
{
	/* Large enough for any resource: its value is the one that the field is reset to. */
	union {
		struct hg_desired host;
		struct hg_desired_uplink uplink;
		struct hg_desired_tenant tenant;
		struct hg_desired_instance instance;
		struct hg_desired_port port;
	} base = {0};
	char text[HG_FIELD_TEXT_BYTES];

	if (f->is_required) {
		fputs("required", out);
	} else if (f->fallback_text != NULL) {
		fputs(f->fallback_text, out);
	} else if (f->is_shared) {
		fputs("as in each direction", out);
	} else if (f->kind == HG_KIND_LIST || f->kind == HG_KIND_OBJECT) {
		fputs(f->kind == HG_KIND_LIST ? "empty" : "its defaults", out);
	} else if (hg_field_is_value(f)) {
		hg_field_reset(f, &base);
		fputs(hg_field_format(f, &base, text, sizeof(text)), out);
	}
}

static void add_kind(FILE *out, const struct hg_field *f)
{
	if (f->kind == HG_KIND_OBJECT)
		fprintf(out, "[object](#%s)", f->of->anchor);
	else if (f->kind == HG_KIND_LIST || f->kind == HG_KIND_CLASSES)
		fprintf(out, "list of [%s](#%s)", f->key, f->of->anchor);
	else
		fputs(hg_kind_name(f->kind), out);
}

static void add_fields(FILE *out, const struct hg_resource *r)
{
	char range[128];

	fputs("\n| key | kind | allowed | default | |\n|---|---|---|---|---|\n", out);
	for (const struct hg_field *f = r->fields; f->key != NULL; f++) {
		if (f->kind == HG_KIND_UNSERVED)
			continue;
		fprintf(out, "| `%s` | ", f->key);
		add_kind(out, f);
		fprintf(out, " | %s | ", hg_field_range(f, range, sizeof(range)));
		add_default(out, f);
		fprintf(out, " | %s |\n", f->doc);
	}
}

static void add_unserved(FILE *out, const struct hg_resource *r)
{
	bool is_first = true;

	for (const struct hg_field *f = r->fields; f->key != NULL; f++) {
		if (f->kind != HG_KIND_UNSERVED)
			continue;
		fprintf(out, "%s`%s` (%s)", is_first ? "\nKnown, and refused: " : ",\n", f->key,
			f->doc);
		is_first = false;
	}
	if (!is_first)
		fputs(".\n", out);
}

static void write_reference(FILE *out)
{
	fputs(beginning, out);
	for (const struct hg_resource *const *r = hg_schema_all; *r != NULL; r++) {
		fprintf(out, "\n## %s\n\n%s Where: %s.\n", (*r)->title, (*r)->doc, (*r)->where);
		add_fields(out, *r);
		add_unserved(out, *r);
	}
	fputs(end, out);
}

static int check(const char *path, const char *want, size_t n_want)
{
	char *got = malloc(n_want + 1);
	FILE *f = fopen(path, "rb");
	size_t n;

	if (got == NULL || f == NULL) {
		perror(path);
		free(got);
		return 1;
	}
	n = fread(got, 1, n_want + 1, f);
	fclose(f);
	if (n == n_want && memcmp(got, want, n) == 0) {
		free(got);
		return 0;
	}
	free(got);
	printf("%s is not current: write it anew with config_reference > %s\n", path, path);
	return 1;
}

int main(int argc, char **argv)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out;
	int rc = 0;

	if (argc != 1 && (argc != 3 || strcmp(argv[1], "--check") != 0)) {
		fputs("usage: config_reference [--check FILE]\n", stderr);
		return 2;
	}
	out = open_memstream(&text, &n);
	if (out == NULL) {
		perror("config_reference");
		return 1;
	}
	write_reference(out);
	fclose(out);
	if (argc == 3)
		rc = check(argv[2], text, n);
	else
		fputs(text, stdout);
	free(text);
	return rc;
}
