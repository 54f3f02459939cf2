/* card: the queues of the uplinks' cards, for the interface: as JSON and in sentences.
 *
 * Why        What is in the card can be overtaken by nobody. How much there is, whose it is, how long it takes
 *            and who had to wait because of it must be seen by the operator (docs/api.md).
 * Model      Pure: the control lane's figures in, JSON out; keys carry their units.
 * Memory     The caller owns what is returned. Threads: the control lane.
 * Errors     none: without memory parts are missing, and what dumps the whole notices.
 * Used by    api/view.c, api/explain.c, api/service_show.c.
 */
#ifndef HG_API_CARD_H
#define HG_API_CARD_H

#include "control/control.h"

#include <jansson.h>

/* How the depth in force came about: "auto", "scaled", "pinned". */
const char *hg_card_depth_way(const struct hg_desired_uplink *uplink);

/* `inflight` of an uplink. */
json_t *hg_card_json(const struct hg_desired_uplink *uplink, const struct hg_status_card *card);
/* `instances` of an uplink: what each has in its card, and who was held. */
json_t *hg_card_instances(const struct hg_control *control, uint32_t uplink_idx);
/* `card` of an instance. */
json_t *hg_card_of_instance(const struct hg_status_row *row);
/* Puts card_p50_ns, card_p99_ns and card_p999_ns. */
void hg_card_put_quantiles(json_t *object, const struct hg_quantiles *quantiles);

/* What MAX was decided from, from sample number `since` on. NULL: no memory. */
json_t *hg_card_samples(const struct hg_control *control, uint32_t uplink_idx, uint64_t since);
/* Such a number out of a parameter; 0 for NULL. -EINVAL. */
HG_MUST_CHECK int hg_card_sample_number(const char *text, uint64_t *ret_number,
					struct hg_error *reterr);

/* "tightened to level 2 of 3: ..."; "ordinary" for who never gave a reason. Returns buf. */
#define HG_CARD_SENTENCE_BYTES 400u
char *hg_card_behaviour(const struct hg_behaviour *behaviour, char buf[HG_CARD_SENTENCE_BYTES]);
/* Adds what the card's queue has to do with what this instance sends. */
void hg_card_explain(const struct hg_control *control, uint32_t instance_idx, json_t *sentences);

#endif
