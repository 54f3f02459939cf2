/* metrics_writer: what the parts of /metrics share.
 *
 * Model      One family at a time, as the format asks: its head, then a line for each of its labels.
 * Memory     None of its own. Threads: the control lane. Errors: those of the stream, seen by who opened it.
 * Used by    api/metrics.c, api/metrics_card.c, api/metrics_credits.c.
 */
#ifndef HG_API_METRICS_WRITER_H
#define HG_API_METRICS_WRITER_H

#include "control/control.h"

#include <stdio.h>

struct hg_metrics_writer {
	FILE *out;
	const struct hg_control *control;
	const struct hg_desired *desired;
};

void hg_metrics_family(const struct hg_metrics_writer *w, const char *name, const char *type,
		       const char *help);

/* The queues of the uplinks' cards, and what instances have in them. */
void hg_metrics_cards(const struct hg_metrics_writer *w);
/* Processor credits, where they are served. -ENOMEM. */
HG_MUST_CHECK int hg_metrics_credits(const struct hg_metrics_writer *w);

#endif
