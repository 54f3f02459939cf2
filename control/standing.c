/* What was measured, out of one process and into another: a head, then uplinks, tenants, instances, as this version has
 * them in memory. The head tells the form; any other is refused, and whoever reads it begins anew. */
#include "control/seconds.h"

#include <string.h>

#define MAGIC 0x68676d73u /* "hgms" */
#define FORMAT 1u

struct head {
	uint32_t magic, format;
	uint64_t layout;
	uint64_t n_bytes; /* of all, this head included */
	uint32_t n_uplinks, n_tenants, n_instances, reserved;
	hg_ns opened_at_ns, stolen_ns, last_stolen_ns; /* as of struct hg_seconds */
	uint64_t n_closed, n_stolen;
};

_Static_assert(sizeof(struct head) % 8u == 0 && sizeof(struct hg_seen) % 8u == 0 &&
		       sizeof(struct hg_row) % 8u == 0,
	       "what follows is aligned, too");

static uint64_t layout(void)
{
	return hg_verdict_layout() ^ (sizeof(struct hg_row) << 32) ^
	       (sizeof(struct hg_row_dir) << 16) ^ sizeof(struct hg_seen);
}

static uint64_t size_of(uint64_t n_uplinks, uint64_t n_tenants, uint64_t n_instances)
{
	return sizeof(struct head) + n_uplinks * sizeof(struct hg_seen) +
	       (n_tenants + n_instances) * sizeof(struct hg_row);
}

size_t hg_seconds_standing_size(const struct hg_seconds *seconds)
{
	return size_of(seconds->n_uplinks, seconds->tenants.n_rows, seconds->instances.n_rows);
}

/* Returns behind it. */
static uint8_t *put(uint8_t *at, const void *from, size_t n_bytes)
{
	if (n_bytes > 0)
		memcpy(at, from, n_bytes);
	return at + n_bytes;
}

void hg_seconds_standing_out(const struct hg_seconds *seconds, void *memory)
{
	const struct head head = {
		.magic = MAGIC,
		.format = FORMAT,
		.layout = layout(),
		.n_bytes = hg_seconds_standing_size(seconds),
		.n_uplinks = seconds->n_uplinks,
		.n_tenants = seconds->tenants.n_rows,
		.n_instances = seconds->instances.n_rows,
		.opened_at_ns = seconds->opened_at_ns,
		.stolen_ns = seconds->stolen_ns,
		.last_stolen_ns = seconds->last_stolen_ns,
		.n_closed = seconds->n_closed,
		.n_stolen = seconds->n_stolen,
	};
	uint8_t *at = put(memory, &head, sizeof(head));

	at = put(at, seconds->uplinks, seconds->n_uplinks * sizeof(*seconds->uplinks));
	at = put(at, seconds->tenants.rows,
		 seconds->tenants.n_rows * sizeof(*seconds->tenants.rows));
	(void)put(at, seconds->instances.rows,
		  seconds->instances.n_rows * sizeof(*seconds->instances.rows));
}

static bool are_names(const struct hg_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (memchr(rows[i].name, '\0', sizeof(rows[i].name)) == NULL)
			return false;
	}
	return true;
}

static const struct hg_seen *uplinks_of(const struct head *head)
{
	return (const struct hg_seen *)(const void *)(head + 1);
}

/* Of tenants; those of instances follow. */
static const struct hg_row *rows_of(const struct head *head)
{
	return (const struct hg_row *)(const void *)(uplinks_of(head) + head->n_uplinks);
}

int hg_seconds_standing_check(const void *memory, size_t n_bytes, hg_ns now_ns,
			      struct hg_error *reterr)
{
	const struct head *head = memory;

	if (n_bytes < sizeof(*head) || head->magic != MAGIC)
		return hg_error_set(reterr, -HG_EINVAL,
				    "the seconds that were handed over are something else", NULL);
	if (head->format != FORMAT || head->layout != layout())
		return hg_error_set(reterr, -HG_ENOTSUP,
				    "the seconds that were handed over are written in another way "
				    "than this version reads",
				    NULL);
	if (head->n_bytes != n_bytes ||
	    n_bytes != size_of(head->n_uplinks, head->n_tenants, head->n_instances))
		return hg_error_set(reterr, -HG_EINVAL,
				    "the seconds that were handed over do not end where they "
				    "should",
				    NULL);
	if (head->opened_at_ns > now_ns)
		return hg_error_set(reterr, -HG_EINVAL,
				    "the seconds that were handed over are of another time", NULL);
	if (!are_names(rows_of(head), (size_t)head->n_tenants + head->n_instances))
		return hg_error_set(reterr, -HG_EINVAL,
				    "the seconds that were handed over have a name that cannot be",
				    NULL);
	return 0;
}

/* Whether links are there is looked at anew. */
static void adopt_uplinks(struct hg_seconds *seconds, const struct hg_seen *old, uint32_t n_old)
{
	for (uint32_t i = 0; i < seconds->n_uplinks; i++) {
		struct hg_seen *seen = &seconds->uplinks[i];

		for (uint32_t j = 0; j < n_old; j++) {
			if (strncmp(old[j].name, seen->name, sizeof(seen->name)) != 0)
				continue;
			*seen = old[j];
			seen->was_seen = false;
		}
	}
}

int hg_seconds_standing_in(struct hg_seconds *seconds, const void *memory, size_t n_bytes,
			   hg_ns now_ns, struct hg_error *reterr)
{
	const struct head *head = memory;
	struct hg_rows tenants, instances;
	int r = hg_seconds_standing_check(memory, n_bytes, now_ns, reterr);

	if (r != 0)
		return r;
	r = hg_rows_adopt(&seconds->tenants, rows_of(head), head->n_tenants, now_ns, &tenants,
			  reterr);
	if (r != 0)
		return r;
	r = hg_rows_adopt(&seconds->instances, rows_of(head) + head->n_tenants, head->n_instances,
			  now_ns, &instances, reterr);
	if (r != 0) {
		hg_rows_fini(&tenants);
		return r;
	}
	hg_rows_fini(&seconds->tenants);
	hg_rows_fini(&seconds->instances);
	seconds->tenants = tenants;
	seconds->instances = instances;
	adopt_uplinks(seconds, uplinks_of(head), head->n_uplinks);
	seconds->opened_at_ns = head->opened_at_ns;
	seconds->stolen_ns = head->stolen_ns;
	seconds->last_stolen_ns = head->last_stolen_ns;
	seconds->n_closed = head->n_closed;
	seconds->n_stolen = head->n_stolen;
	return 0;
}
