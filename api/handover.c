#include "api/handover.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- write -------------------------------------------------------------------------------------- */

static int put_state(json_t *document, const char *key, const struct hg_desired *desired,
		     struct hg_error *reterr)
{
	json_t *json = NULL;
	int rc = hg_config_export_json(desired, &json, reterr);

	if (rc == 0 && json_object_set_new(document, key, json) < 0)
		rc = -HG_ENOMEM;
	return rc;
}

int hg_handover_write(const struct hg_handover *handover, char **ret_text, size_t *ret_n_bytes,
		      struct hg_error *reterr)
{
	const struct hg_control_state *state = &handover->state;
	char hash[24], *text = NULL;
	json_t *document;
	int rc = 0;

	snprintf(hash, sizeof(hash), "%016" PRIx64, handover->source.hash);
	document = json_pack("{s:i, s:s, s:{s:s, s:I}, s:I, s:I, s:I}", "handover",
			     (int)HG_HANDOVER_FORMAT, "version", handover->version, "source",
			     "hash", hash, "n_bytes", (json_int_t)handover->source.n_bytes,
			     "stopped_at_ns", (json_int_t)handover->stopped_at_ns,
			     "left_in_cards_pkts", (json_int_t)handover->n_left_in_cards,
			     "generation", (json_int_t)state->generation);
	if (document == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for what is handed over", NULL);
	rc = put_state(document, "config", state->desired, reterr);
	if (rc == 0 && state->previous != NULL) {
		rc = put_state(document, "previous", state->previous, reterr);
		(void)json_object_set_new(document, "confirm_until_ns",
					  json_integer(state->confirm_until_ns));
	}
	if (rc == 0)
		text = json_dumps(document, JSON_COMPACT);
	json_decref(document);
	if (text == NULL)
		return hg_error_set(reterr, -HG_ENOMEM, "no memory for what is handed over", NULL);
	*ret_text = text;
	*ret_n_bytes = strlen(text);
	return 0;
}

/* ---- read --------------------------------------------------------------------------------------- */

static int refuse(struct hg_error *reterr, const char *what)
{
	return hg_error_set(reterr, -HG_EINVAL, "the state that was handed over ", what, NULL);
}

static int get_state(const json_t *document, const char *key, hg_config_device_fn check_device,
		     const struct hg_desired **ret, struct hg_error *reterr)
{
	struct hg_desired *desired;
	char *text = json_dumps(json_object_get(document, key), JSON_COMPACT);
	int rc;

	if (text == NULL)
		return refuse(reterr, "has no configuration in it");
	rc = hg_config_parse(text, strlen(text), check_device, &desired, reterr);
	free(text);
	if (rc == 0)
		*ret = desired;
	return rc;
}

static int get_numbers(json_t *document, struct hg_handover *ret, struct hg_error *reterr)
{
	const char *version, *hash;
	json_int_t format, n_bytes, stopped_at_ns, left, generation, confirm_until_ns = 0;
	char *end;

	if (json_unpack(document, "{s:I}", "handover", &format) < 0)
		return refuse(reterr, "is something else");
	if (format != HG_HANDOVER_FORMAT)
		return refuse(reterr, "is written in another way than this version reads");
	if (json_unpack(document, "{s:s, s:{s:s, s:I}, s:I, s:I, s:I, s?I}", "version", &version,
			"source", "hash", &hash, "n_bytes", &n_bytes, "stopped_at_ns",
			&stopped_at_ns, "left_in_cards_pkts", &left, "generation", &generation,
			"confirm_until_ns", &confirm_until_ns) < 0)
		return refuse(reterr, "lacks something");
	if (n_bytes < 0 || stopped_at_ns < 0 || left < 0 || generation < 0 || confirm_until_ns < 0)
		return refuse(reterr, "has a number that cannot be");
	snprintf(ret->version, sizeof(ret->version), "%s", version);
	ret->source.hash = strtoull(hash, &end, 16);
	if (*hash == '\0' || *end != '\0')
		return refuse(reterr, "has a number that cannot be");
	ret->source.n_bytes = (uint64_t)n_bytes;
	ret->stopped_at_ns = stopped_at_ns;
	ret->n_left_in_cards = (uint64_t)left;
	ret->state.generation = (uint64_t)generation;
	ret->state.confirm_until_ns = confirm_until_ns;
	return 0;
}

int hg_handover_read(const char *text, size_t n_bytes, hg_config_device_fn check_device,
		     struct hg_handover *ret, struct hg_error *reterr)
{
	json_t *document = json_loadb(text, n_bytes, JSON_REJECT_DUPLICATES, NULL);
	struct hg_handover got = {0};
	int rc;

	if (document == NULL)
		return refuse(reterr, "is not JSON");
	rc = get_numbers(document, &got, reterr);
	if (rc == 0)
		rc = get_state(document, "config", check_device, &got.state.desired, reterr);
	if (rc == 0 && json_object_get(document, "previous") != NULL)
		rc = get_state(document, "previous", check_device, &got.state.previous, reterr);
	json_decref(document);
	if (rc < 0) {
		hg_handover_fini(&got);
		return rc;
	}
	*ret = got;
	return 0;
}

void hg_handover_fini(struct hg_handover *handover)
{
	hg_config_destroy((struct hg_desired *)(uintptr_t)handover->state.desired);
	hg_config_destroy((struct hg_desired *)(uintptr_t)handover->state.previous);
	handover->state.desired = handover->state.previous = NULL;
}
