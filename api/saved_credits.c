#include "api/saved_credits.h"

#include "api/saved_schema.h"

#define N_PARTS_MAX (HG_LEDGER_SLOTS + 1u)

static int refuse(struct hg_reader *r, const char *key, const json_t *node, const char *why)
{
	size_t before = hg_reader_enter(r, key);
	int rc = hg_reader_fail(r, node, hg_error_set(r->err, -HG_EINVAL, why, NULL));

	hg_reader_leave(r, before);
	return rc;
}

/* *sum: of those before, and of this. */
static int read_part(struct hg_reader *r, json_t *node, int64_t *sum, struct hg_ledger_part *to)
{
	struct hg_saved_part from = {0};
	int rc = hg_reader_read(r, &hg_saved_part_resource, node, &from);

	if (rc < 0)
		return rc;
	*to = (struct hg_ledger_part){.cpu_ns = (int64_t)from.cpu_ns, .age_ns = (hg_ns)from.age_ns};
	*sum += to->cpu_ns;
	if (*sum > HG_LEDGER_BALANCE_MAX_CPU_NS)
		return refuse(r, "cpu_ns", json_object_get(node, "cpu_ns"),
			      "with what stands before it this is more than 10,000,000 credits");
	return 0;
}

static int read_earned(struct hg_reader *r, json_t *list, struct hg_ledger_saved *to)
{
	size_t before = hg_reader_enter(r, "earned");
	int64_t sum = 0;
	int rc = hg_reader_check_list(r, list);

	if (rc == 0 && json_array_size(list) > N_PARTS_MAX)
		rc = hg_reader_fail(
			r, list,
			hg_error_set(r->err, -HG_EINVAL, "there are more than 65 parts", NULL));
	for (size_t i = 0; rc == 0 && i < json_array_size(list); i++) {
		size_t at_item = hg_reader_enter_item(r, i);

		rc = read_part(r, json_array_get(list, i), &sum, &to->parts[i]);
		to->n_parts = (uint32_t)i + 1u;
		hg_reader_leave(r, at_item);
	}
	hg_reader_leave(r, before);
	return rc;
}

int hg_saved_read_credits(struct hg_reader *reader, const json_t *root,
			  struct hg_saved_instance *to)
{
	json_t *node = json_object_get(root, "credits");
	struct hg_saved_credits from = {0};
	size_t before;
	int rc;

	if (node == NULL)
		return 0;
	before = hg_reader_enter(reader, "credits");
	rc = hg_reader_read(reader, &hg_saved_credits_resource, node, &from);
	to->has_credits = true;
	to->credits = (struct hg_ledger_saved){
		.gift_cpu_ns = (int64_t)from.gift_cpu_ns,
		.surplus_cpu_ns = (int64_t)from.surplus_cpu_ns,
		.remainder = (int64_t)from.remainder,
	};
	if (rc == 0)
		rc = read_earned(reader, json_object_get(node, "earned"), &to->credits);
	/* The tables and this say the same, but for what one number says of another. */
	if (rc == 0 && (rc = hg_ledger_saved_check(&to->credits, reader->err)) < 0)
		rc = hg_reader_fail(reader, node, rc);
	hg_reader_leave(reader, before);
	return rc;
}

json_t *hg_saved_credits_to_json(const struct hg_ledger_saved *from)
{
	const struct hg_saved_credits credits = {
		.gift_cpu_ns = (uint64_t)from->gift_cpu_ns,
		.surplus_cpu_ns = (uint64_t)from->surplus_cpu_ns,
		.remainder = (uint64_t)from->remainder,
	};
	json_t *json = hg_resource_to_json(&hg_saved_credits_resource, &credits);
	json_t *list = json_array();
	bool is_done = json != NULL && list != NULL;

	for (uint32_t i = 0; is_done && i < from->n_parts; i++) {
		const struct hg_saved_part part = {.cpu_ns = (uint64_t)from->parts[i].cpu_ns,
						   .age_ns = (uint64_t)from->parts[i].age_ns};

		is_done = json_array_append_new(
				  list, hg_resource_to_json(&hg_saved_part_resource, &part)) == 0;
	}
	if (is_done && json_object_set(json, "earned", list) == 0) {
		json_decref(list);
		return json;
	}
	json_decref(list);
	json_decref(json);
	return NULL;
}
